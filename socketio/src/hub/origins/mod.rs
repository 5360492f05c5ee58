//! [`Origins`]: decides which web pages may connect, before a handshake is accepted.
//!
//! Browsers send an `Origin` header with every WebSocket handshake but do not restrict which page
//! may open one. The server must check it ([RFC 6455, section 10.2]).
//!
//! [RFC 6455, section 10.2]: https://www.rfc-editor.org/rfc/rfc6455#section-10.2

mod origin;
mod refused;
mod setting;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

use origin::{Address, Origin};
pub(crate) use refused::{RefusedOrigin, RefusedOrigins};
use setting::{AllowedOrigin, public_host};

/// The origins that may connect in addition to the server's own, and the hosts that are its own.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    any: bool,
    allowed: Vec<AllowedOrigin>,
    public_hosts: Vec<Address>,
    /// Whether pages of all ports of localhost may connect to a server on localhost.
    pub(super) allow_localhost: bool,
}

impl Default for Origins {
    fn default() -> Self {
        Self { any: false, allowed: Vec::new(), public_hosts: Vec::new(), allow_localhost: cfg!(debug_assertions) }
    }
}

/// Whether a request is served.
#[derive(Debug)]
pub(crate) enum Access {
    /// It comes from the server's own page, or from a client that is not a browser.
    Own,
    /// It comes from a page that may connect. A browser may take it for one of another origin, and
    /// needs CORS headers then.
    Allowed,
    /// It comes from a page that may not connect.
    Refused(RefusedOrigin),
}

impl Origins {
    /// Adds an origin; `*` stands for all. The error describes the accepted form.
    pub(super) fn allow(&mut self, origin: &str) -> Result<(), String> {
        match origin {
            "*" => self.any = true,
            origin => self.allowed.push(AllowedOrigin::parse(origin)?),
        }
        Ok(())
    }

    /// Adds a host of the server's own. The error describes the accepted form.
    pub(super) fn add_public_host(&mut self, host: &str) -> Result<(), String> {
        self.public_hosts.push(public_host(host)?);
        Ok(())
    }

    /// Returns `true` if [`Access::Allowed`] is possible.
    pub(crate) fn is_open(&self) -> bool {
        self.any || self.allow_localhost || !self.allowed.is_empty() || !self.public_hosts.is_empty()
    }

    /// Returns `true` if pages of other ports of localhost may connect, but not all pages.
    pub(super) fn opens_localhost(&self) -> bool {
        self.allow_localhost && !self.any
    }

    /// Decides whether a request with these headers is served.
    pub(crate) fn check(&self, headers: &HeaderMap, uri: &Uri) -> Access {
        let origins = headers.get_all(ORIGIN);
        if origins.iter().next().is_none() {
            return Access::Own;
        }
        if self.any {
            return Access::Allowed;
        }
        let origin = single(headers, &ORIGIN).and_then(Origin::parse);
        let host = match uri.authority() {
            // In HTTP/2, and in requests to a proxy, the header does not count.
            Some(authority) => Address::parse(authority.as_str()),
            None => single(headers, &HOST).and_then(Address::parse),
        };
        match &origin {
            Some(origin) if self.allowed.iter().any(|allowed| allowed.matches(origin)) => Access::Allowed,
            Some(origin) if host.as_ref().is_some_and(|host| origin.is_at(host)) => Access::Own,
            Some(origin) if self.public_hosts.iter().any(|host| origin.is_at(host)) => Access::Allowed,
            Some(origin) if self.is_allowed_on_localhost(origin, host.as_ref()) => Access::Allowed,
            _ => Access::Refused(RefusedOrigin::new(origins.iter(), origin, host.as_ref())),
        }
    }

    /// The host must be a name of localhost too. Otherwise another site could resolve its own name
    /// to this machine.
    fn is_allowed_on_localhost(&self, origin: &Origin, host: Option<&Address>) -> bool {
        self.allow_localhost
            && origin.is_site()
            && origin.address.is_localhost()
            && host.is_some_and(Address::is_localhost)
    }
}

/// The value of a header that a request has once.
fn single<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `own`, `allowed` or `refused`.
    fn access(origins: &Origins, sent: &[&str], hosts: &[&str], uri: &str) -> &'static str {
        let headers = hosts.iter().map(|host| (HOST, *host)).chain(sent.iter().map(|origin| (ORIGIN, *origin)));
        let headers = headers.map(|(name, value)| (name, value.parse().expect("a header"))).collect();
        match origins.check(&headers, &uri.parse().expect("a URI")) {
            Access::Own => "own",
            Access::Allowed => "allowed",
            Access::Refused(_) => "refused",
        }
    }

    fn closed() -> Origins {
        Origins { allow_localhost: false, ..Origins::default() }
    }

    #[test]
    fn pages_of_the_requested_host_and_port_are_the_servers_own() {
        for (origin, host, expected) in [
            ("http://x", "x", "own"),
            ("HTTP://X", "x", "own"),
            ("http://x", "X", "own"),
            ("https://x", "x", "own"),
            ("http://x:80", "x", "own"),
            ("http://x", "x:80", "own"),
            ("https://x:443", "x", "own"),
            ("https://x", "x:443", "own"),
            ("http://x:3000", "x:3000", "own"),
            ("http://x.", "x.", "own"),
            ("http://[::1]:3000", "[0:0::1]:3000", "own"),
            ("http://x", "x:443", "refused"),
            ("https://x:80", "x", "refused"),
            ("http://x", "x:3000", "refused"),
            ("http://x:3000", "x", "refused"),
            ("http://x.", "x", "refused"),
            ("http://x", "x.", "refused"),
            ("http://evil@x", "x", "refused"),
            ("http://x@x", "x", "refused"),
            ("http://x@evil", "x", "refused"),
            ("http://x:99999", "x", "refused"),
            ("http://x:", "x", "refused"),
            ("http://x/", "x", "refused"),
            ("http://x/path", "x", "refused"),
            ("http://x?query", "x", "refused"),
            ("http://x#fragment", "x", "refused"),
            ("http://%78", "x", "refused"),
            ("http://x http://x", "x", "refused"),
            ("http://x, http://x", "x", "refused"),
            ("x", "x", "refused"),
            ("//x", "x", "refused"),
            ("ws://x", "x", "refused"),
            ("chrome-extension://x", "x", "refused"),
            ("null", "null", "refused"),
            ("", "", "refused"),
            ("http://x", "evil@x", "refused"),
            ("http://x", "x:80:80", "refused"),
            ("http://x", "x,x", "refused"),
            ("http://x", "", "refused"),
        ] {
            assert_eq!(access(&closed(), &[origin], &[host], "/ws"), expected, "{origin} at {host}");
        }
        assert_eq!(access(&closed(), &[], &["x"], "/ws"), "own");
    }

    #[test]
    fn doubled_headers_are_not_trusted() {
        assert_eq!(access(&closed(), &["http://x", "http://x"], &["x"], "/ws"), "refused");
        assert_eq!(access(&closed(), &["http://evil", "http://x"], &["x"], "/ws"), "refused");
        assert_eq!(access(&closed(), &["http://x"], &["x", "x"], "/ws"), "refused");
        assert_eq!(access(&closed(), &["http://x"], &[], "/ws"), "refused");
        let mut origins = closed();
        origins.allow("http://a.example").expect("an origin");
        assert_eq!(access(&origins, &["http://a.example", "http://a.example"], &["x"], "/ws"), "refused");
    }

    #[test]
    fn the_authority_of_the_request_has_precedence_over_the_header() {
        assert_eq!(access(&closed(), &["https://x"], &[], "https://x/ws"), "own");
        assert_eq!(access(&closed(), &["https://x"], &["evil"], "https://x/ws"), "own");
        assert_eq!(access(&closed(), &["https://x"], &["x"], "https://evil/ws"), "refused");
        assert_eq!(access(&closed(), &["https://x"], &["x"], "https://evil@x/ws"), "refused");
    }

    #[test]
    fn public_hosts_count_as_the_requested_host() {
        let mut origins = closed();
        for host in ["app.example", "[::1]:8443"] {
            origins.add_public_host(host).expect("a host");
        }
        for (origin, expected) in [
            ("https://app.example", "allowed"),
            ("http://app.example", "allowed"),
            ("https://[::1]:8443", "allowed"),
            ("http://127.0.0.1:3000", "own"),
            ("https://app.example:8443", "refused"),
            ("https://sub.app.example", "refused"),
            ("https://evil@app.example", "refused"),
            ("https://[::1]", "refused"),
        ] {
            assert_eq!(access(&origins, &[origin], &["127.0.0.1:3000"], "/ws"), expected, "{origin}");
        }
    }

    #[test]
    fn pages_of_localhost_may_connect_only_to_localhost() {
        let open = Origins { allow_localhost: true, ..Origins::default() };
        for (origin, host, expected) in [
            ("http://localhost:5173", "localhost:3000", "allowed"),
            ("https://LOCALHOST:5173", "127.0.0.1:3000", "allowed"),
            ("http://127.0.0.1", "localhost:3000", "allowed"),
            ("http://[::1]:5173", "[::1]:3000", "allowed"),
            ("http://localhost:3000", "localhost:3000", "own"),
            ("http://localhost:5173", "app.example", "refused"),
            ("http://localhost:5173", "192.168.0.1:3000", "refused"),
            ("http://localhost:5173", "evil@localhost", "refused"),
            ("http://app.example", "localhost:3000", "refused"),
            ("http://localhost.evil.example", "localhost:3000", "refused"),
            ("http://localhost.", "localhost:3000", "refused"),
            ("http://127.0.0.1.evil.example", "127.0.0.1:3000", "refused"),
            ("http://evil@localhost:5173", "localhost:3000", "refused"),
            ("capacitor://localhost", "localhost:3000", "refused"),
            ("null", "localhost:3000", "refused"),
        ] {
            assert_eq!(access(&open, &[origin], &[host], "/ws"), expected, "{origin} at {host}");
            let without = if expected == "allowed" { "refused" } else { expected };
            assert_eq!(access(&closed(), &[origin], &[host], "/ws"), without, "{origin} at {host}");
        }
        assert_eq!(Origins::default().allow_localhost, cfg!(debug_assertions));
    }

    #[test]
    fn a_star_allows_all() {
        let mut origins = closed();
        origins.allow("*").expect("all");
        for sent in ["https://evil.example", "null", "", "http://evil@x"] {
            assert_eq!(access(&origins, &[sent], &["x"], "/ws"), "allowed", "{sent}");
        }
    }
}
