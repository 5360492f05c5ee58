//! [`KeptHeaders`]: the headers of a request that stay in memory with the connection.

use http::HeaderName;

/// The names that are kept by default. They say who the client is, where it comes from, and which
/// trace it takes part in.
pub(super) const DEFAULT: [&str; 15] = [
    "accept-language",
    "authorization",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "sec-websocket-protocol",
    "traceparent",
    "user-agent",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// The headers of a request that [`Handshake`](crate::Handshake) keeps.
#[derive(Clone, Debug)]
pub(crate) enum KeptHeaders {
    All,
    Only(Vec<HeaderName>),
}

impl Default for KeptHeaders {
    fn default() -> Self {
        Self::Only(DEFAULT.map(HeaderName::from_static).into())
    }
}

impl KeptHeaders {
    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }

    /// In debug builds, logs that a handler asks for a header that is never kept.
    pub(crate) fn warn_if_dropped(&self, name: &str) {
        if let Self::Only(names) = self
            && cfg!(debug_assertions)
            && !names.iter().any(|kept| *kept == *name)
        {
            tracing::warn!(header = name, "this header is not kept: name it in `HubBuilder::keep_headers` to read it");
        }
    }
}
