//! [`Address`]: where a server is, and [`Login`]: as whom to log in. Both are read from a URL.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;
use std::fmt;
use url::Url;

use crate::ConfigError;

const DEFAULT_PORT: u16 = 4222;

/// A server's address, without credentials.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
    tls: bool,
}

/// The credentials for all servers.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) token: Option<String>,
    #[cfg(feature = "nkeys")]
    pub(crate) nkey: Option<String>,
    #[cfg(feature = "nkeys")]
    pub(crate) credentials: Option<String>,
}

impl Address {
    /// Understands `nats://` and `tls://`, with several addresses separated by commas. The
    /// credentials are those of the first address that has some.
    pub(crate) fn parse_all(text: &str) -> Result<(Vec<Self>, Login), ConfigError> {
        let (mut addresses, mut login) = (Vec::new(), Login::default());
        for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let (address, own) = Self::parse(text)?;
            addresses.push(address);
            if login == Login::default() {
                login = own;
            }
        }
        if addresses.is_empty() { Err(ConfigError::NoUrl) } else { Ok((addresses, login)) }
    }

    fn parse(text: &str) -> Result<(Self, Login), ConfigError> {
        // What is not a URL is not shown, since a password may be anywhere in it.
        let shown = text.rsplit_once('@').map_or(text, |(_, place)| place);
        let failed = |reason: &dyn fmt::Display| ConfigError::Url { url: shown.to_owned(), reason: reason.to_string() };
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("nats://{text}") };
        let url = Url::parse(&with_scheme).map_err(|error| failed(&error))?;
        let tls = match url.scheme() {
            "nats" => false,
            "tls" => true,
            _ => return Err(failed(&"the scheme must be nats or tls")),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(failed(&"a URL has no path, and `/`, `?` and `#` must be percent-encoded"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| failed(&"the host is missing"))?;
        let decoded = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some(text.into_owned())),
            Err(_) => Err(failed(&"the user or the password is not UTF-8")),
        };
        let (user, password) = (decoded(url.username())?, url.password().map(decoded).transpose()?);
        // A user without a password is a token.
        let login = match password {
            Some(password) => Login { user, password, ..Login::default() },
            None => Login { token: user, ..Login::default() },
        };
        Ok((Self { host: host.to_owned(), port: url.port().unwrap_or(DEFAULT_PORT), tls }, login))
    }

    /// A server that another one names, as `host:port`.
    pub(crate) fn discovered(text: &str, tls: bool) -> Option<Self> {
        let (address, _) = Self::parse(text).ok()?;
        Some(Self { tls, ..address })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    /// The address as the client takes it.
    pub(crate) fn server(&self) -> Result<ServerAddr, String> {
        let scheme = if self.tls { "tls" } else { "nats" };
        format!("{scheme}://{self}").parse().map_err(|error| format!("{self}: {error}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Login) {
        let (addresses, login) = Address::parse_all(text).expect("addresses");
        let shown = |address: &Address| {
            address.server().expect("a server");
            format!("{}{address}", if address.tls { "tls " } else { "" })
        };
        (addresses.iter().map(shown).collect(), login)
    }

    #[test]
    fn addresses_are_read() {
        for (text, expected) in [
            ("nats://localhost", vec!["localhost:4222"]),
            ("localhost:4333", vec!["localhost:4333"]),
            ("tls://example.com/", vec!["tls example.com:4222"]),
            ("nats://[::1]:4333", vec!["[::1]:4333"]),
            ("nats://a, b:1 ,tls://c", vec!["a:4222", "b:1", "tls c:4222"]),
        ] {
            let (addresses, login) = read(text);
            assert_eq!(addresses, expected, "{text}");
            assert!(login == Login::default(), "{text}");
        }
    }

    #[test]
    fn credentials_are_read() {
        let (_, login) = read("nats://ann:s%40cret@a,nats://bob:x@b");
        assert_eq!((login.user.as_deref(), login.password.as_deref()), (Some("ann"), Some("s@cret")));
        let (_, login) = read("nats://t0ken@a");
        assert_eq!((login.user, login.token.as_deref()), (None, Some("t0ken")));
    }

    #[test]
    fn wrong_addresses_are_refused_without_showing_the_password() {
        for text in [
            "redis://a",
            "nats://",
            "nats://a/path",
            "nats://a?x",
            "nats://a:port",
            "nats://u:secret@",
            "nats://u:secret@a/b",
            "nats://u:%ff@a",
        ] {
            let error = Address::parse_all(text).map(drop).expect_err(text).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(Address::parse_all(" , ").map(drop).expect_err("no address"), ConfigError::NoUrl);
    }
}
