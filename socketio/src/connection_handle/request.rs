//! [`Request`]: the request that a connection began with, kept in one compact allocation.
//!
//! hyper's own `Parts` are not kept: their names and values are slices of its read buffer, all of
//! which would stay in memory for as long as the connection lives.

use http::HeaderName;
use http::header::ORIGIN;
use http::request::Parts;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::stream::Stream;

/// Entries one after the other: a byte for the kind, the lengths of key and value as two and four
/// bytes, key, value.
#[derive(Debug, Default)]
pub(crate) struct Request {
    entries: Box<[u8]>,
    pub(crate) peer: Option<SocketAddr>,
    /// When it came, in milliseconds since the Unix epoch.
    pub(crate) issued: u64,
    pub(crate) is_secure: bool,
    pub(crate) is_cross_domain: bool,
    /// How many of its bytes are counted for each event that it brought. 0 for a connection's first
    /// request.
    share: u32,
}

/// What an entry is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// A parameter of the route's path, by name.
    Path = 0,
    /// The path and the query string.
    Uri = 1,
    Header = 2,
}

const HEAD: usize = 7;

impl Request {
    /// Copies what is to be kept. `is_secure`: whether the client's connection is encrypted. `keep`: the names of the headers;
    /// `None` keeps all.
    pub(crate) fn new<'a>(
        parts: &Parts,
        params: impl Iterator<Item = (&'a str, &'a str)>,
        peer: Option<SocketAddr>,
        is_secure: bool,
        keep: Option<&[HeaderName]>,
    ) -> Self {
        let mut entries = Vec::new();
        for (name, value) in params {
            push(&mut entries, Kind::Path, name.as_bytes(), value.as_bytes());
        }
        push(&mut entries, Kind::Uri, parts.uri.path().as_bytes(), parts.uri.query().unwrap_or("").as_bytes());
        for (name, value) in &parts.headers {
            if keep.is_none_or(|keep| keep.contains(name)) {
                push(&mut entries, Kind::Header, name.as_str().as_bytes(), value.as_bytes());
            }
        }
        Self {
            entries: entries.into(),
            peer,
            issued: milliseconds(SystemTime::now()),
            is_secure,
            is_cross_domain: parts.headers.contains_key(ORIGIN),
            share: 0,
        }
    }

    /// A POST with this many packets. It is kept for as long as their events.
    pub(crate) fn shared_by(self, packets: usize) -> Self {
        let share = self.entries.len().div_ceil(packets.max(1));
        Self { share: u32::try_from(share).unwrap_or(u32::MAX), ..self }
    }

    /// How many bytes are counted for each of its events.
    pub(crate) fn share(&self) -> usize {
        self.share as usize
    }

    /// Fills in the address, if the HTTP server did not tell it.
    pub(crate) fn set_peer(&mut self, stream: &Stream) {
        if let (None, Stream::Tcp(stream, _)) = (self.peer, stream) {
            self.peer = stream.peer_addr().ok();
        }
    }

    pub(crate) fn entries(&self, kind: Kind) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &self.entries[..];
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<HEAD>()?;
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

/// The time since the Unix epoch.
pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn push(entries: &mut Vec<u8>, kind: Kind, key: &[u8], value: &[u8]) {
    // hyper's own limits on a request lie far below these.
    let (Ok(key_length), Ok(value_length)) = (u16::try_from(key.len()), u32::try_from(value.len())) else {
        return;
    };
    entries.push(kind as u8);
    entries.extend_from_slice(&key_length.to_be_bytes());
    entries.extend_from_slice(&value_length.to_be_bytes());
    entries.extend_from_slice(key);
    entries.extend_from_slice(value);
}
