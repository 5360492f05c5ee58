//! Which web pages may connect.
//!
//! Browsers send an `Origin` with every WebSocket handshake, but let any page open one: the server has to look
//! ([RFC 6455, section 10.2]).
//!
//! [RFC 6455, section 10.2]: https://www.rfc-editor.org/rfc/rfc6455#section-10.2

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri};

/// The origins that may connect, besides the server's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    any: bool,
    allowed: Vec<String>,
}

impl Origins {
    pub(crate) fn allow<I>(&mut self, origins: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        for origin in origins {
            match origin.as_ref() {
                "*" => self.any = true,
                origin => self.allowed.push(origin.trim_end_matches('/').to_ascii_lowercase()),
            }
        }
    }

    /// Whether any page of another origin may connect.
    pub(crate) fn is_open(&self) -> bool {
        self.any || !self.allowed.is_empty()
    }

    /// Whether pages of this origin may connect, be it the server's own or not.
    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.any || origin.to_str().is_ok_and(|origin| self.names(origin))
    }

    fn names(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// Whether a request with these headers may connect. `uri`: the request's own, which names the host in HTTP/2.
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

/// Whether host and port of an origin are those of the request. The scheme does not count: behind a proxy that does TLS,
/// this server can't know it. A port that is not named is the origin's scheme's.
fn is_same(origin: &str, host: &Authority) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (origin.scheme_str(), origin.authority()) else { return false };
    let default = match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    authority.host().eq_ignore_ascii_case(host.host()) && port(authority) == port(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(allowed: &[&str], origin: Option<&str>, host: &str) -> bool {
        let mut origins = Origins::default();
        origins.allow(allowed);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a valid header"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("a valid header"));
        }
        origins.permit(&headers, &Uri::from_static("/ws"))
    }

    #[test]
    fn pages_of_the_same_host_and_port_connect() {
        assert!(permit(&[], Some("http://example.org"), "example.org"));
        assert!(permit(&[], Some("https://Example.org"), "example.org"));
        assert!(permit(&[], Some("https://example.org:443"), "example.org"));
        assert!(permit(&[], Some("http://example.org:3000"), "example.org:3000"));
        assert!(permit(&[], Some("http://[::1]:3000"), "[::1]:3000"));
    }

    #[test]
    fn clients_without_an_origin_connect() {
        assert!(permit(&[], None, "example.org"));
    }

    #[test]
    fn other_pages_do_not() {
        for origin in ["http://evil.org", "http://example.org:81", "http://example.org.evil.org", "null", "", "file://"]
        {
            assert!(!permit(&[], Some(origin), "example.org"), "{origin}");
        }
        assert!(!permit(&[], Some("http://example.org"), "example.org:3000"));
    }

    #[test]
    fn allowed_origins_connect() {
        let allowed = ["https://app.example.org/", "http://localhost:5173"];
        assert!(permit(&allowed, Some("https://app.example.org"), "api.example.org"));
        assert!(permit(&allowed, Some("http://localhost:5173"), "localhost:3000"));
        assert!(!permit(&allowed, Some("http://app.example.org"), "api.example.org"));
        assert!(permit(&["*"], Some("null"), "api.example.org"));
    }
}
