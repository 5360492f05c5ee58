//! [`SecureConnection`]: whether a request came over an encrypted connection.

use http::request::Parts;

/// Whether the connection of a request is encrypted, as an extension of the request.
///
/// [`Serve::secure`](crate::Serve::secure) sets it. Where another HTTP server speaks TLS, a layer does:
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

/// Whether the client's connection is encrypted: what the proxy says, if it is trusted and says it; else what the server says.
pub(crate) fn is_secure(parts: &Parts, trust_forwarded_proto: bool) -> bool {
    let forwarded = parts.headers.get("x-forwarded-proto").filter(|_| trust_forwarded_proto);
    // Of several proxies the first is the client's.
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
    fn a_proxy_is_believed_if_it_is_trusted() {
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
