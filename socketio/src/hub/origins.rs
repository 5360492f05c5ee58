//! [`Origins`]: decides which web pages may connect, before a handshake is accepted.
//!
//! Browsers send an `Origin` header with every WebSocket handshake but do not restrict which page
//! may open one. The server must check it ([RFC 6455, section 10.2]).
//!
//! [RFC 6455, section 10.2]: https://www.rfc-editor.org/rfc/rfc6455#section-10.2

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri};
use std::net::Ipv6Addr;

/// The origins that may connect in addition to the server's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    any: bool,
    allowed: Vec<String>,
}

impl Origins {
    /// Adds an origin; `*` stands for all. The error describes the accepted form.
    pub(crate) fn allow(&mut self, origin: &str) -> Result<(), String> {
        match origin {
            "*" => self.any = true,
            origin => self.allowed.push(serialized(origin).ok_or_else(|| accepted(origin))?),
        }
        Ok(())
    }

    /// Returns `true` if pages of other origins may connect.
    pub(crate) fn is_open(&self) -> bool {
        self.any || !self.allowed.is_empty()
    }

    /// Returns `true` if the origin is allowed. The server's own origin is not considered.
    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.any || origin.to_str().is_ok_and(|origin| self.names(origin))
    }

    fn names(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// Returns `true` if a request with these headers may connect. In HTTP/2 the host is in the
    /// `uri`.
    pub(crate) fn permit(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        if self.allows(origin) {
            return true;
        }
        let Ok(origin) = origin.to_str() else { return false };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
        let Some(host) = host.as_ref().or(uri.authority()) else { return false };
        is_same(origin, host)
    }
}

/// Serializes an origin like browsers: in lower case, without a trailing slash and without the
/// scheme's default port. Returns `None` if no browser sends such an origin.
fn serialized(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    let (scheme, rest) = origin.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    // A page can't have this scheme.
    if !is_scheme || matches!(scheme, "ws" | "wss") {
        return None;
    }
    let authority = rest.trim_end_matches('/');
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[after_host..].find(':') {
        Some(colon) => (&authority[..after_host + colon], Some(&authority[after_host + colon + 1..])),
        None => (authority, None),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => format!("[{}]", address.parse::<Ipv6Addr>().ok()?),
        None => host.to_owned(),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.is_empty() || !(host.starts_with('[') || host.bytes().all(is_name)) {
        return None;
    }
    let is_number = |port: &&str| port.bytes().all(|byte| byte.is_ascii_digit());
    let port = match port {
        Some(port) => Some(Some(port).filter(is_number)?.parse::<u16>().ok()?),
        None => None,
    };
    Some(match port.filter(|port| default_port(scheme) != Some(*port)) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// Describes the accepted form, with an example derived from the rejected origin.
fn accepted(origin: &str) -> String {
    if origin.eq_ignore_ascii_case("null") {
        return "the origins of single pages; every sandboxed page has the origin `null`, and only `*` allows it"
            .to_owned();
    }
    if origin.contains('*') {
        return "each host separately, such as `https://app.example`, or only `*`, which allows all".to_owned();
    }
    if !origin.is_ascii() {
        return "the host in ASCII, as browsers send it, such as `https://xn--bcher-kva.example`".to_owned();
    }
    let (scheme, rest) = origin.split_once("://").unwrap_or(("https", origin.trim_start_matches('/')));
    let scheme = match &*scheme.to_ascii_lowercase() {
        "ws" => "http",
        "wss" => "https",
        _ => scheme,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let example = serialized(&format!("{scheme}://{authority}"));
    let example = example.unwrap_or_else(|| "https://app.example".to_owned());
    format!("scheme and host, and a port if it is not the scheme's own, such as `{example}`")
}

/// The default port of a scheme, which origins omit.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Returns `true` if an origin has the host and port of the request. The scheme is ignored, because
/// behind a TLS proxy the server does not know it. The default port is that of the origin's scheme.
fn is_same(origin: &str, host: &Authority) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (origin.scheme_str(), origin.authority()) else { return false };
    let Some(default) = default_port(scheme) else { return false };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    authority.host().eq_ignore_ascii_case(host.host()) && port(authority) == port(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(allowed: &[&str], origin: Option<&str>, host: &str) -> bool {
        let mut origins = Origins::default();
        for origin in allowed {
            origins.allow(origin).expect("an origin");
        }
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a valid header"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("a valid header"));
        }
        origins.permit(&headers, &Uri::from_static("/ws"))
    }

    #[test]
    fn pages_of_the_same_host_and_port_may_connect() {
        assert!(permit(&[], Some("http://example.org"), "example.org"));
        assert!(permit(&[], Some("https://Example.org"), "example.org"));
        assert!(permit(&[], Some("https://example.org:443"), "example.org"));
        assert!(permit(&[], Some("http://example.org:3000"), "example.org:3000"));
        assert!(permit(&[], Some("http://[::1]:3000"), "[::1]:3000"));
    }

    #[test]
    fn clients_without_an_origin_may_connect() {
        assert!(permit(&[], None, "example.org"));
    }

    #[test]
    fn other_pages_may_not_connect() {
        for origin in ["http://evil.org", "http://example.org:81", "http://example.org.evil.org", "null", "", "file://"]
        {
            assert!(!permit(&[], Some(origin), "example.org"), "{origin}");
        }
        assert!(!permit(&[], Some("http://example.org"), "example.org:3000"));
    }

    #[test]
    fn origins_are_compared_as_browsers_send_them() {
        for (given, sent) in [
            ("http://app.example:80", "http://app.example"),
            ("https://app.example:443/", "https://app.example"),
            ("https://app.example:80", "https://app.example:80"),
            ("HTTPS://App.Example", "https://app.example"),
            ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
            ("http://127.0.0.1:08080", "http://127.0.0.1:8080"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(serialized(given).as_deref(), Some(sent), "{given}");
            assert!(permit(&[given], Some(sent), "api.example"), "{given}");
        }
    }

    #[test]
    fn origins_that_no_browser_sends_are_rejected() {
        for (given, accepted) in [
            ("app.example", "`https://app.example`"),
            ("app.example:8443/chat", "`https://app.example:8443`"),
            ("//app.example", "`https://app.example`"),
            ("https://app.example/chat", "`https://app.example`"),
            ("https://app.example?x=1", "`https://app.example`"),
            ("https://ann:secret@app.example", "`https://app.example`"),
            ("wss://app.example", "`https://app.example`"),
            ("http://app.example:99999", "`https://app.example`"),
            ("http://app.example:+80", "`https://app.example`"),
            ("http://app.example:", "`https://app.example`"),
            ("http://[::1", "`https://app.example`"),
            ("http://a b", "`https://app.example`"),
            ("file:///", "`https://app.example`"),
            ("1://app.example", "`https://app.example`"),
            ("", "`https://app.example`"),
            ("null", "`*`"),
            ("https://*.app.example", "each host separately"),
            ("https://b\u{fc}cher.example", "`https://xn--bcher-kva.example`"),
        ] {
            let error = Origins::default().allow(given).expect_err(given);
            assert!(error.contains(accepted), "{given}: {error}");
        }
    }

    #[test]
    fn allowed_origins_may_connect() {
        let allowed = ["https://app.example.org/", "http://localhost:5173"];
        assert!(permit(&allowed, Some("https://app.example.org"), "api.example.org"));
        assert!(permit(&allowed, Some("http://localhost:5173"), "localhost:3000"));
        assert!(!permit(&allowed, Some("http://app.example.org"), "api.example.org"));
        assert!(permit(&["*"], Some("null"), "api.example.org"));
    }
}
