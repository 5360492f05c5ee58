//! [`Address`]: where a server is, and how to log in, from a URL.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

use crate::ConfigError;

const DEFAULT_PORT: u16 = 6379;

/// A server's address and the credentials for it.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) place: Place,
    pub(crate) login: Login,
    /// The number of the database. Channels belong to none.
    pub(crate) database: u32,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp { host: Arc<str>, port: u16, tls: bool },
    Unix(PathBuf),
}

#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// The database that is selected, unless it is the first one.
    pub(crate) database: u32,
}

impl Address {
    /// Understands `redis://`, `rediss://`, `valkey://`, `valkeys://`, `redis+unix://`,
    /// `valkey+unix://` and `unix://`.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let url = Url::parse(text).map_err(|error| failed(without_password(text), error))?;
        let shown = || {
            let mut url = url.clone();
            _ = url.set_password(None);
            // A password with characters that are not encoded may be anywhere.
            url.set_path("");
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        };
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(String::from).map_err(|_| failed(shown(), "the user or the password is not UTF-8"))
        };
        let present = |text: String| Some(text).filter(|text| !text.is_empty());
        let mut login = Login {
            user: present(decoded(url.username())?),
            password: url.password().map(decoded).transpose()?.and_then(present),
            database: 0,
        };
        let number = |text: &str| {
            let number = if text.is_empty() { Ok(0) } else { text.parse() };
            number.map_err(|_| failed(shown(), "the database must be a number"))
        };
        let mut database = 0;
        if url.fragment().is_some() {
            return Err(failed(shown(), "a `#` must be percent-encoded"));
        }
        let tls = match url.scheme() {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            "unix" | "redis+unix" | "valkey+unix" => {
                for (name, value) in url.query_pairs() {
                    match &*name {
                        "user" | "username" => login.user = present(value.into_owned()),
                        "pass" | "password" => login.password = present(value.into_owned()),
                        "db" => database = number(&value)?,
                        _ => return Err(failed(shown(), "only `user`, `pass` and `db` are known parameters")),
                    }
                }
                return Ok(Self { place: Place::Unix(decoded(url.path())?.into()), login, database });
            }
            _ => {
                let known = "redis, rediss, valkey, valkeys, redis+unix, valkey+unix or unix";
                return Err(failed(shown(), format_args!("the scheme must be {known}")));
            }
        };
        if tls && !cfg!(feature = "tls-rustls") {
            return Err(failed(shown(), "TLS needs the feature `tls-rustls` of socketio-redis"));
        }
        let host: Arc<str> = match url.host() {
            Some(url::Host::Ipv6(address)) => address.to_string().into(),
            Some(host) if !host.to_string().is_empty() => host.to_string().into(),
            _ => return Err(failed(shown(), "the host is missing")),
        };
        if url.query().is_some() {
            return Err(failed(shown(), "no parameters are known, and a `?` must be percent-encoded"));
        }
        database = number(url.path().trim_matches('/'))?;
        let place = Place::Tcp { host, port: url.port().unwrap_or(DEFAULT_PORT), tls };
        Ok(Self { place, login, database })
    }

    /// Understands all of them.
    pub(crate) fn parse_all<S: AsRef<str>>(urls: impl IntoIterator<Item = S>) -> Result<Vec<Self>, ConfigError> {
        let addresses: Vec<_> = urls.into_iter().map(|url| Self::parse(url.as_ref())).collect::<Result<_, _>>()?;
        if addresses.is_empty() { Err(ConfigError::NoUrl) } else { Ok(addresses) }
    }
}

fn failed(url: String, reason: impl fmt::Display) -> ConfigError {
    ConfigError::Url { url, reason: reason.to_string() }
}

/// A URL that could not be parsed, without what may be a password.
fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        (None, Some((_, place))) => format!("…@{place}"),
        _ => text.split('?').next().unwrap_or_default().to_owned(),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                match host.contains(':') {
                    true => write!(formatter, "{scheme}://[{host}]:{port}"),
                    false => write!(formatter, "{scheme}://{host}:{port}"),
                }
            }
            Self::Unix(path) => write!(formatter, "redis+unix://{}", path.display()),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.place, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (String, Option<String>, Option<String>) {
        let address = Address::parse(url).unwrap();
        (address.place.to_string(), address.login.user, address.login.password)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn urls_are_understood() {
        assert_eq!(parsed("redis://localhost"), ("redis://localhost:6379".into(), None, None));
        assert_eq!(parsed("redis://[::1]:7000/3"), ("redis://[::1]:7000".into(), None, None));
        assert_eq!(parsed("valkey://u:p%40%2F@h:1"), ("redis://h:1".into(), some("u"), some("p@/")));
        assert_eq!(parsed("redis://:secret@h/"), ("redis://h:6379".into(), None, some("secret")));
        assert_eq!(
            parsed("redis+unix:///run/redis.sock?user=u&pass=p"),
            ("redis+unix:///run/redis.sock".into(), some("u"), some("p"))
        );
        let databases = ["redis://h", "redis://h/7", "unix:///x?db=7"].map(|url| Address::parse(url).unwrap().database);
        assert_eq!(databases, [0, 7, 7]);
        for url in ["redis://h/x", "redis://h/1/2", "redis://h/-1", "unix:///x?db=x"] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn errors_do_not_tell_the_password() {
        for url in [
            "http://u:secret@h",
            "redis://u:secret@h/x",
            "redis://u:secret@h:x",
            "redis://:secret@",
            "redis://u:x#secret@h",
            "redis://u:x?secret@h",
            "redis://u:1#secret@h",
            "redis://u:1?secret@h",
            "redis://u:1/secret@h",
            "unix:///x?pass=secret&y=1",
            "secret@h",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(
            Address::parse("http://u:secret@h").unwrap_err().to_string(),
            "http://u@h/: the scheme must be redis, rediss, valkey, valkeys, redis+unix, valkey+unix or unix"
        );
        let address = Address::parse("redis://u:secret@h").unwrap();
        assert_eq!(format!("{address:?}"), "redis://h:6379");
    }
}
