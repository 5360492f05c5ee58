//! [`SecureConnection`]: whether the connection of a request is encrypted.

use http::request::Parts;

/// Whether the connection of a request is encrypted. This is an extension of the request.
///
/// [`Serve::secure`](crate::Serve::secure) adds it. For another HTTP server with TLS, add it with a
/// layer:
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use socketio::{Hub, SecureConnection};
///
/// let hub = Hub::builder().build()?;
/// let app: Router = Router::new()
///     .route("/ws", get(hub.websocket()))
///     .layer(Extension(SecureConnection(true)));
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecureConnection(pub bool);

/// Whether the client's connection is encrypted. The header `X-Forwarded-Proto` decides if it is
/// present and the proxy is trusted, otherwise the extension [`SecureConnection`] does.
pub(crate) fn is_secure(parts: &Parts, trust_forwarded_proto: bool) -> bool {
    let forwarded = parts.headers.get("x-forwarded-proto").filter(|_| trust_forwarded_proto);
    // Each proxy appends its value, so the first one is for the client's connection.
    match forwarded.and_then(|value| value.to_str().ok()?.split(',').next()) {
        Some(scheme) => ["https", "wss"].iter().any(|secure| scheme.trim().eq_ignore_ascii_case(secure)),
        None => parts.extensions.get().is_some_and(|SecureConnection(secure)| *secure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn parts(forwarded: Option<&str>, secure: Option<bool>) -> Parts {
        let mut request = Request::new(());
        if let Some(forwarded) = forwarded {
            request.headers_mut().insert("x-forwarded-proto", forwarded.parse().expect("a header"));
        }
        if let Some(secure) = secure {
            request.extensions_mut().insert(SecureConnection(secure));
        }
        request.into_parts().0
    }

    #[test]
    fn the_forwarded_protocol_counts_only_from_a_trusted_proxy() {
        for (forwarded, secure, untrusted, trusted) in [
            (None, None, false, false),
            (None, Some(true), true, true),
            (Some("https"), None, false, true),
            (Some("HTTPS , http"), None, false, true),
            (Some("wss"), Some(false), false, true),
            (Some("http, https"), Some(true), true, false),
            (Some(""), Some(true), true, false),
        ] {
            let parts = parts(forwarded, secure);
            assert_eq!((is_secure(&parts, false), is_secure(&parts, true)), (untrusted, trusted), "{forwarded:?}");
        }
    }
}
