//! [`ReadBuffer`]: the bytes of one read. Each thread has one buffer, reused by all connections: no
//! connection keeps 64 KiB.

use std::cell::Cell;

/// How many bytes one read takes at most.
const READ_SIZE: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Bytes that were read, in the thread's buffer. It is given back when dropped.
pub(crate) struct ReadBuffer {
    pub(super) bytes: Box<[u8]>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl ReadBuffer {
    pub(crate) fn take() -> Self {
        let bytes = READ_BUFFER.take().unwrap_or_else(|| vec![0; READ_SIZE].into());
        Self { bytes, start: 0, end: 0 }
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
