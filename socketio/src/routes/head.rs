//! Checks of a request's head that hold on every route and under every server.

use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Version};

/// Why the head of a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    #[error("the request must have one valid `Host` header")]
    Host,
    #[error("the request's URL and headers are too large")]
    TooLarge,
}

impl HeadError {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }
}

impl IntoResponse for HeadError {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}

/// Checks the `Host` header ([RFC 9112, section 3.2]), and that the URL and the headers have at
/// most `max` bytes.
///
/// [RFC 9112, section 3.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
pub(super) fn check(parts: &Parts, max: usize) -> Result<(), HeadError> {
    if !has_valid_host(parts.version, &parts.headers) {
        return Err(HeadError::Host);
    }
    if size(parts) > max { Err(HeadError::TooLarge) } else { Ok(()) }
}

/// Whether there is one valid `Host`. Only HTTP/1.1 requires one.
pub(super) fn has_valid_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version != Version::HTTP_11,
        (Some(host), None) => is_valid(host),
        (Some(_), Some(_)) => false,
    }
}

/// Whether a `Host` is a host and perhaps a port. Both may be empty.
fn is_valid(host: &HeaderValue) -> bool {
    let host = host.as_bytes();
    let (is_host, port) = match host.strip_prefix(b"[") {
        // An IP address of version 6 has colons of its own.
        Some(rest) => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => (is_name(&rest[..end], b":"), &rest[end + 1..]),
            None => return false,
        },
        None => {
            let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
            (is_name(&host[..end], b""), &host[end..])
        }
    };
    is_host && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

fn is_name(name: &[u8], also: &[u8]) -> bool {
    let is_allowed =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte) || also.contains(byte);
    name.iter().all(is_allowed)
}

fn is_port(port: &[u8]) -> bool {
    let digit = |number: u32, byte: &u8| Some(number * 10 + char::from(*byte).to_digit(10)?);
    let within = |number: &u32| *number <= u16::MAX.into();
    port.iter().try_fold(0, |number, byte| digit(number, byte).filter(within)).is_some()
}

/// The number of bytes in the URL and in the names and values of the headers. The head of the
/// request has more, as it has separators too.
fn size(parts: &Parts) -> usize {
    let url = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let headers = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    url + headers.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_host_and_perhaps_a_port() {
        let is_valid = |host: &str| is_valid(&HeaderValue::from_str(host).expect("a header's value"));
        for host in [
            "",
            ":80",
            "localhost",
            "localhost:",
            "LOCALHOST:80",
            "a_b.example",
            "[::1]",
            "[::1]:8080",
            "127.0.0.1:1",
            "xn--e1a.example",
        ] {
            assert!(is_valid(host), "{host}");
        }
        for host in
            ["a b", "a, b", "user@host", "host/", "host?", "host#", "host:x", "host:+1", "host:99999", "[::1", "a:1:2"]
        {
            assert!(!is_valid(host), "{host}");
        }
    }
}
