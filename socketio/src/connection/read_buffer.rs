//! [`ReadBuffer`]: the buffer for one read. Each thread has one buffer, shared by all its
//! connections. No idle connection needs a buffer of its own.

use std::cell::Cell;

/// The maximum number of bytes per read.
const READ_SIZE: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Received bytes in the thread's buffer. Dropping it returns the buffer to the thread.
pub(crate) struct ReadBuffer {
    pub(super) bytes: Box<[u8]>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The number of bytes that were ever read into it.
    pub(super) read: usize,
}

impl ReadBuffer {
    pub(crate) fn take() -> Self {
        let bytes = READ_BUFFER.take().unwrap_or_else(|| vec![0; READ_SIZE].into());
        Self { bytes, start: 0, end: 0, read: 0 }
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        READ_BUFFER.set(Some(std::mem::take(&mut self.bytes)));
    }
}
