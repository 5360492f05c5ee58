//! [`RefusedOrigin`]: what a refused client and the log are told.

use http::HeaderValue;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fmt::Write;

use super::origin::{Address, Origin};

/// The number of origins that are remembered, so that each has one warning.
const REMEMBERED: usize = 100;

/// The number of characters of a header that are shown.
const SHOWN: usize = 100;

/// An origin whose pages may not connect.
#[derive(Debug)]
pub(crate) struct RefusedOrigin {
    /// The header, escaped and shortened.
    shown: String,
    /// The origin, if it is that of a single page.
    origin: Option<Origin>,
    /// The host of the request, escaped and shortened.
    host: String,
}

impl RefusedOrigin {
    pub(super) fn new<'a>(
        headers: impl Iterator<Item = &'a HeaderValue>,
        origin: Option<Origin>,
        host: Option<&Address>,
    ) -> Self {
        let headers: Vec<_> = headers.take(2).map(|header| String::from_utf8_lossy(header.as_bytes())).collect();
        let host = host.map_or_else(|| "missing or invalid".to_owned(), |host| shown(&host.to_string()));
        Self { shown: shown(&headers.join(", ")), origin, host }
    }

    /// What the client is told: which origin is refused, and how to allow it.
    pub(crate) fn message(&self) -> String {
        let shown = &self.shown;
        match &self.origin {
            Some(_) => format!("pages of {shown} may not connect: allow them with {}", self.setting()),
            None if shown == "null" => {
                "pages with the origin `null`, such as local files, may not connect: only `allow_origins([\"*\"])` \
                 allows them"
                    .to_owned()
            }
            None => format!("the `Origin` must be one scheme and host, with a port or without, and not `{shown}`"),
        }
    }

    fn setting(&self) -> String {
        format!("`Hub::builder().allow_origins([\"{}\"])`", self.shown)
    }

    /// What the operator is told.
    fn warning(&self) -> String {
        let mut warning = format!("refused a client: {}", self.message());
        let address = self.origin.as_ref().map(|origin| &origin.address);
        if let Some(address) = address.filter(|address| !address.is_localhost()) {
            let (expected, host) = (shown(&address.to_string()), &self.host);
            // The write to a string can't fail.
            let _ = write!(
                warning,
                ". If they are this server's own pages, a proxy has changed the header `Host`: {expected} was expected, \
                 and {host} came. Let the proxy pass the header on, or name the host with \
                 `Hub::builder().public_hosts([\"{expected}\"])`"
            );
        }
        warning
    }
}

/// Escapes and shortens a client's text for the log.
fn shown(text: &str) -> String {
    let mut escaped = text.escape_debug();
    let mut shown: String = escaped.by_ref().take(SHOWN).collect();
    if escaped.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The origins that have been refused, so that the log has one warning for each.
#[derive(Debug, Default)]
pub(crate) struct RefusedOrigins(Mutex<HashSet<String>>);

impl RefusedOrigins {
    /// Logs a refusal: at `WARN` for an origin that is new, else at `DEBUG`. The number of warnings
    /// is limited, because clients choose what they send.
    pub(crate) fn report(&self, refused: &RefusedOrigin) {
        let is_new = {
            let mut remembered = self.0.lock();
            remembered.len() < REMEMBERED && remembered.insert(refused.shown.clone())
        };
        let (origin, host) = (&refused.shown, &refused.host);
        if is_new {
            tracing::warn!(origin, host, "{}", refused.warning());
        } else {
            tracing::debug!(origin, host, "refused a client because of its origin");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(origins: &[&str], host: &str) -> RefusedOrigin {
        let headers: Vec<_> =
            origins.iter().map(|origin| HeaderValue::from_bytes(origin.as_bytes()).expect("a header")).collect();
        let origin = if let [origin] = origins { Origin::parse(origin) } else { None };
        RefusedOrigin::new(headers.iter(), origin, Address::parse(host).as_ref())
    }

    #[test]
    fn a_refusal_says_how_to_allow_the_origin() {
        let vite = refused(&["http://localhost:5173"], "localhost:3000");
        let message = "pages of http://localhost:5173 may not connect: allow them with \
                       `Hub::builder().allow_origins([\"http://localhost:5173\"])`";
        assert_eq!(vite.message(), message);
        assert_eq!(vite.warning(), format!("refused a client: {message}"));

        let behind_proxy = refused(&["https://app.example:8443"], "127.0.0.1:3000").warning();
        for part in [
            "allow_origins([\"https://app.example:8443\"])",
            "app.example:8443 was expected, and 127.0.0.1:3000 came",
            "public_hosts([\"app.example:8443\"])",
        ] {
            assert!(behind_proxy.contains(part), "{behind_proxy}");
        }
        assert!(refused(&["http://a.example"], "a b").warning().contains("missing or invalid came"));
        assert!(refused(&["null"], "x").message().contains("only `allow_origins([\"*\"])`"));
        assert!(
            refused(&["http://a.example", "http://b.example"], "x")
                .message()
                .contains("`http://a.example, http://b.example`")
        );
    }

    #[test]
    fn what_a_client_sends_is_escaped_and_shortened() {
        let long = format!("http://{}.example", "x".repeat(100_000));
        for refused in [
            refused(&["http://a\tb\u{85}\u{202e}"], "x"),
            refused(&[&long], "x"),
            refused(&[&"\t".repeat(10_000)], &long),
        ] {
            for text in [refused.message(), refused.warning()] {
                assert!(text.len() < 1000, "{text}");
                assert!(!text.contains(|shown: char| shown.is_control() || shown == '\u{202e}'), "{text}");
            }
        }
    }

    #[test]
    fn a_bounded_number_of_origins_is_remembered() {
        let origins = RefusedOrigins::default();
        for number in 0..REMEMBERED * 2 {
            origins.report(&refused(&[&format!("http://{number}.example")], "x"));
        }
        assert_eq!(origins.0.lock().len(), REMEMBERED);
    }
}
