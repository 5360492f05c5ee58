//! Received bytes on their way to the codec, and what the codec takes for its stream.

use std::cell::Cell;
use std::io;

use super::outbox::Batch;

/// What is read from the kernel at once.
const READ_SIZE: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Received bytes on their way to the codec, in a buffer on loan from the thread: no connection has one of its own.
pub(crate) struct Received {
    pub(super) bytes: Box<[u8]>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Received {
    pub(crate) fn take() -> Self {
        let bytes = READ_BUFFER.take().unwrap_or_else(|| vec![0; READ_SIZE].into());
        Self { bytes, start: 0, end: 0 }
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        READ_BUFFER.set(Some(std::mem::take(&mut self.bytes)));
    }
}

/// What the codec reads from and writes to.
pub(super) struct Memory<'a> {
    pub(super) received: &'a mut Received,
    /// Counts what the codec has taken.
    pub(super) taken: &'a mut usize,
    pub(super) batch: &'a mut Batch,
    /// How far the batch may have grown for more to be added to it.
    pub(super) limit: usize,
    /// Noted when something was not added for that.
    pub(super) withheld: &'a mut bool,
}

impl io::Read for Memory<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let unread = self.received.unread();
        let length = unread.len().min(out.len());
        if length == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        out[..length].copy_from_slice(&unread[..length]);
        self.received.start += length;
        *self.taken += length;
        Ok(length)
    }
}

impl io::Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.batch.load().bytes > self.limit {
            *self.withheld = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.batch.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
