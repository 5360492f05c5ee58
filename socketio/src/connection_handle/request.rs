//! [`Request`]: the HTTP request that opened a connection, in one compact allocation.
//!
//! It replaces hyper's `Parts`, whose names and values are slices of hyper's read buffer. Keeping
//! them would keep the whole buffer in memory for the connection's lifetime.

use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::stream::Stream;
use crate::wire::trace_context::TraceContext;

/// A copy of an HTTP request's URI, path parameters and headers.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Each entry has a byte for its [`Kind`], the key's length in two bytes, the value's length in
    /// four bytes, the key and the value.
    entries: Box<[u8]>,
    pub(crate) peer: Option<SocketAddr>,
    /// The time of the request, in milliseconds since the Unix epoch.
    pub(crate) issued: u64,
    pub(crate) is_secure: bool,
    pub(crate) is_cross_domain: bool,
    /// Whether the request is a POST, which stays in memory as long as events of its body wait. The
    /// request that opened a connection stays as long as the connection.
    is_post: bool,
}

/// The kind of an entry.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// A parameter of the route's path. The key is its name.
    Path = 0,
    /// The URI. The key is the path, the value the query string.
    Uri = 1,
    /// A header. The key is its name.
    Header = 2,
    /// The subprotocol that the server selected. The key is empty.
    Protocol = 3,
}

/// The length of an entry's kind and lengths, in bytes.
const ENTRY_HEADER: usize = 7;

impl Request {
    /// Copies a request, with those headers whose names `is_kept` accepts.
    pub(crate) fn new<'a>(
        parts: &Parts,
        params: impl Iterator<Item = (&'a str, &'a str)>,
        peer: Option<SocketAddr>,
        is_secure: bool,
        is_kept: impl Fn(&HeaderName) -> bool,
    ) -> Self {
        let mut entries = Vec::new();
        for (name, value) in params {
            push(&mut entries, Kind::Path, name.as_bytes(), value.as_bytes());
        }
        push(&mut entries, Kind::Uri, parts.uri.path().as_bytes(), parts.uri.query().unwrap_or("").as_bytes());
        for (name, value) in &parts.headers {
            if is_kept(name) {
                push(&mut entries, Kind::Header, name.as_str().as_bytes(), value.as_bytes());
            }
        }
        Self {
            entries: entries.into(),
            peer,
            issued: milliseconds(SystemTime::now()),
            is_secure,
            is_cross_domain: parts.headers.contains_key(ORIGIN),
            is_post: false,
        }
    }

    /// Adds the subprotocol that the server selected.
    pub(crate) fn with_protocol(self, protocol: Option<&HeaderValue>) -> Self {
        let Some(protocol) = protocol else { return self };
        let mut entries = self.entries.into_vec();
        push(&mut entries, Kind::Protocol, b"", protocol.as_bytes());
        Self { entries: entries.into(), ..self }
    }

    /// Marks a POST.
    pub(crate) fn into_post(self) -> Self {
        Self { is_post: true, ..self }
    }

    /// Whether the request is a POST with messages of a polling client.
    pub(crate) fn is_post(&self) -> bool {
        self.is_post
    }

    /// The trace that the request belongs to. A request with several is part of none.
    pub(crate) fn trace_context(&self) -> Option<TraceContext> {
        let mut found = self.entries(Kind::Header).filter(|(name, _)| *name == "traceparent");
        let (_, value) = found.next()?;
        if found.next().is_some() { None } else { TraceContext::of_header(value) }
    }

    /// The number of bytes that waiting events keep in memory with the request.
    pub(crate) fn bytes_kept_by_events(&self) -> usize {
        if self.is_post { self.entries.len() } else { 0 }
    }

    /// Sets the peer address from the TCP socket, unless the HTTP server has provided it.
    pub(crate) fn set_peer(&mut self, stream: &Stream) {
        if let (None, Stream::Tcp(stream, _)) = (self.peer, stream) {
            self.peer = stream.peer_addr().ok();
        }
    }

    /// Returns the keys and values of all entries of one kind.
    pub(crate) fn entries(&self, kind: Kind) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &self.entries[..];
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<ENTRY_HEADER>()?;
            let key = usize::from(u16::from_be_bytes([head[1], head[2]]));
            let value = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
            let (key, tail) = tail.split_at_checked(key)?;
            let (value, tail) = tail.split_at_checked(value)?;
            rest = tail;
            Some((head[0], std::str::from_utf8(key).ok()?, value))
        })
        .filter_map(move |(found, key, value)| (found == kind as u8).then_some((key, value)))
    }
}

/// Converts a time to milliseconds since the Unix epoch.
pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn push(entries: &mut Vec<u8>, kind: Kind, key: &[u8], value: &[u8]) {
    // hyper limits requests to far smaller sizes.
    let (Ok(key_length), Ok(value_length)) = (u16::try_from(key.len()), u32::try_from(value.len())) else {
        return;
    };
    entries.push(kind as u8);
    entries.extend_from_slice(&key_length.to_be_bytes());
    entries.extend_from_slice(&value_length.to_be_bytes());
    entries.extend_from_slice(key);
    entries.extend_from_slice(value);
}
