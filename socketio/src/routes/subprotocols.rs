//! [`Subprotocols`]: the subprotocol that a route selects for a WebSocket.

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderValue};
use std::collections::HashSet;
use std::sync::Arc;

use super::setting::{invalid_setting, is_token};
use super::upgrade::tokens;

/// Which of the offered subprotocols a route selects.
#[derive(Clone, Debug)]
pub(super) enum Subprotocols {
    /// The first one that the client offers.
    FirstOffered,
    /// The first one of these that the client offers.
    Supported(Arc<[HeaderValue]>),
}

impl Subprotocols {
    /// Supports these subprotocols. Panics if a name is not a token.
    #[track_caller]
    pub(super) fn supported<I>(names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut values = Vec::new();
        for name in names {
            let name = name.as_ref();
            match HeaderValue::from_str(name) {
                Ok(value) if is_token(name) => values.push(value),
                _ => {
                    invalid_setting("protocols", name, "names of letters, digits, `-`, `.` and `_`, such as `chat.v1`")
                }
            }
        }
        Self::Supported(values.into())
    }

    /// Selects one of the subprotocols that a client offers.
    pub(super) fn select(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match self {
            Self::FirstOffered => HeaderValue::from_str(offered(headers).next()?).ok(),
            Self::Supported(supported) => {
                supported.iter().find(|name| offered(headers).any(|offer| *name == offer)).cloned()
            }
        }
    }
}

/// Returns `true` if a client offers no subprotocols, or a list of different tokens, as [RFC 6455,
/// section 4.1] demands.
///
/// [RFC 6455, section 4.1]: https://www.rfc-editor.org/rfc/rfc6455#section-4.1
pub(super) fn is_valid_offer(headers: &HeaderMap) -> bool {
    let mut seen = HashSet::new();
    headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter().all(|value| value.to_str().is_ok())
        && offered(headers).all(|name| is_token(name) && seen.insert(name))
}

/// The subprotocols that a client offers, in its order.
fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, &SEC_WEBSOCKET_PROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        values.map(|value| (SEC_WEBSOCKET_PROTOCOL, value)).collect()
    }

    #[test]
    fn offers_are_read_over_all_headers_in_order() {
        for (values, names) in [
            (&[][..], &[][..]),
            (&["a"], &["a"]),
            (&["  b \t,\ta "], &["b", "a"]),
            (&["b", "a,c"], &["b", "a", "c"]),
            (&["!#$%&'*+-.^_`|~9"], &["!#$%&'*+-.^_`|~9"]),
        ] {
            assert!(is_valid_offer(&headers(values)), "{values:?}");
            assert!(offered(&headers(values)).eq(names.iter().copied()), "{values:?}");
        }
    }

    #[test]
    fn offers_that_are_not_lists_of_different_tokens_are_invalid() {
        for values in [&[""][..], &[","], &["a,"], &["a,,b"], &["a b"], &["a/b"], &["a, a"], &["a", "a"], &["\u{e9}"]] {
            assert!(!is_valid_offer(&headers(values)), "{values:?}");
        }
        // The check of many names takes linear time.
        let many: Vec<_> = (0..100_000).map(|number| number.to_string()).collect();
        assert!(is_valid_offer(&headers(&[&many.join(",")])));
    }

    #[test]
    fn a_route_selects_the_first_offered_or_the_first_supported_subprotocol() {
        let supported = Subprotocols::supported(["v2", "v1"]);
        let none = Subprotocols::supported([""; 0]);
        for (offer, first, preferred) in
            [("v1", Some("v1"), Some("v1")), ("v0, v1, v2", Some("v0"), Some("v2")), ("v0", Some("v0"), None)]
        {
            let headers = headers(&[offer]);
            assert_eq!(Subprotocols::FirstOffered.select(&headers), first.map(HeaderValue::from_static));
            assert_eq!(supported.select(&headers), preferred.map(HeaderValue::from_static));
            assert_eq!(none.select(&headers), None);
        }
    }
}
