//! [`Reader`]: the bytes that arrive on a connection.

use bytes::{Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncReadExt, ReadHalf};

use crate::resp::Unparsed;
use crate::stream::Stream;

/// How much is read at once.
const READ: usize = 64 << 10;

/// Collects what is read until it can be parsed.
pub(crate) struct Reader {
    stream: ReadHalf<Stream>,
    buffer: BytesMut,
    /// Fewer bytes than this can't be parsed.
    needed: usize,
}

impl Reader {
    pub(crate) fn new(stream: ReadHalf<Stream>) -> Self {
        Self { stream, buffer: BytesMut::new(), needed: 0 }
    }

    /// Reads more. It may be dropped and called again.
    pub(crate) async fn read(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            _ => Ok(()),
        }
    }

    /// Whether a part of a reply or message was read.
    pub(crate) fn is_incomplete(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Parses what comes next. Returns `None` if more must be read. `parse` returns the length of
    /// what it parsed.
    pub(crate) fn next<T>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<(T, usize), Unparsed>,
    ) -> Result<Option<(T, Bytes)>, Unparsed> {
        if self.buffer.len() < self.needed || self.buffer.is_empty() {
            return Ok(None);
        }
        match parse(&self.buffer) {
            Ok((parsed, length)) => {
                self.needed = 0;
                Ok(Some((parsed, self.buffer.split_to(length).freeze())))
            }
            Err(Unparsed::Incomplete(needed)) => {
                self.needed = needed;
                Ok(None)
            }
            Err(malformed) => Err(malformed),
        }
    }
}
