//! [`Origin`] and [`Address`]: what the headers `Origin` and `Host` name.

use std::fmt;
use std::net::Ipv6Addr;

/// The origin of a web page: a scheme, a host, and a port unless it is the scheme's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: String,
    pub(super) address: Address,
}

/// A host in lower case, and a port. IPv6 addresses are in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Origin {
    /// Parses `scheme://host[:port]`, the form in which browsers send an origin. A text with more,
    /// such as a path or a user, is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, address) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let scheme = scheme.to_ascii_lowercase();
        let mut address = Address::parse(address).filter(|_| is_scheme)?;
        address.port = address.port.filter(|port| default_port(&scheme) != Some(*port));
        Some(Self { scheme, address })
    }

    /// Returns `true` if a page of this origin has the address. The scheme is ignored, because
    /// behind a TLS proxy the server does not know it. The default port is that of the scheme.
    pub(super) fn is_at(&self, address: &Address) -> bool {
        let Some(default) = default_port(&self.scheme) else { return false };
        self.address.host == address.host && self.address.port.unwrap_or(default) == address.port.unwrap_or(default)
    }

    /// Returns `true` if the scheme is that of web sites, `http` or `https`.
    pub(super) fn is_site(&self) -> bool {
        default_port(&self.scheme).is_some()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.address)
    }
}

impl Address {
    /// Parses `host[:port]`, the form of the header `Host`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let after_brackets = text.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match text[after_brackets..].find(':') {
            Some(colon) => (&text[..after_brackets + colon], Some(&text[after_brackets + colon + 1..])),
            None => (&*text, None),
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => format!("[{}]", address.parse::<Ipv6Addr>().ok()?),
            None => Some(host).filter(|host| is_name(host))?.to_owned(),
        };
        let port = match port {
            Some(port) => {
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                Some(port.parse().ok().filter(|_| is_number)?)
            }
            None => None,
        };
        Some(Self { host, port })
    }

    /// Returns `true` for a name or an address of the machine itself.
    pub(super) fn is_localhost(&self) -> bool {
        matches!(&*self.host, "localhost" | "127.0.0.1" | "[::1]")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

fn is_name(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// The default port of a scheme, which origins omit.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_parsed_in_the_form_of_browsers() {
        for (text, parsed) in [
            ("http://app.example", "http://app.example"),
            ("HTTPS://App.Example:443", "https://app.example"),
            ("https://app.example:80", "https://app.example:80"),
            ("http://app.example:080", "http://app.example"),
            ("http://app.example.", "http://app.example."),
            ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("app://.", "app://."),
        ] {
            assert_eq!(Origin::parse(text).map(|origin| origin.to_string()).as_deref(), Some(parsed), "{text}");
        }
        for text in [
            "",
            "null",
            "app.example",
            "//app.example",
            "://app.example",
            "1://app.example",
            "http:/app.example",
            "http://",
            "file://",
            "http://:80",
            "http://app.example/",
            "http://app.example/chat",
            "http://app.example?x",
            "http://app.example#x",
            "http://ann@app.example",
            "http://ann:secret@app.example",
            "http://@app.example",
            "http://app.example:",
            "http://app.example:+80",
            "http://app.example:-1",
            "http://app.example:99999",
            "http://app.example:80:80",
            "http://app.example:80a",
            "http://app%2eexample",
            "http://%61",
            "http://app example",
            " http://app.example",
            "http://app.example ",
            "http://a.example http://b.example",
            "http://a.example,http://b",
            "http://b\u{fc}cher.example",
            "http://*.example",
            "http://[::1",
            "http://::1",
            "http://[::1]x",
            "http://[]",
            "http://[127.0.0.1]",
            "http://[fe80::1%eth0]",
            "http://a\\b",
            "http://a|b",
            "http://a\tb",
            "ht tp://a",
            "http://a;b",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_of_a_host_header_are_parsed_strictly() {
        for (text, parsed) in [("X", "x"), ("x:80", "x:80"), ("[::1]:3000", "[::1]:3000"), ("x.", "x."), ("a_b", "a_b")]
        {
            assert_eq!(Address::parse(text).map(|address| address.to_string()).as_deref(), Some(parsed), "{text}");
        }
        for text in
            ["", ":80", "x:", "x:80:80", "ann@x", "ann:80@x", "x/", "x?y", "x,y", "x y", "::1", "[::1]80", "\u{fc}"]
        {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
