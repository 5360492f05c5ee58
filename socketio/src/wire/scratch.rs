//! Reusable byte buffers. Encoding an event takes one and returns it.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Buffers that grew larger than this are freed instead of kept.
const KEEP_CAPACITY: usize = 1024 * 1024;
/// Of buffers larger than this, a thread keeps one. Otherwise the allocator would return and
/// reacquire pages for each long message.
const LARGE: usize = 64 * 1024;
/// How many spare buffers a thread keeps. Nested encoding (an emit inside a `Serialize`) needs more
/// than one.
const KEEP_COUNT: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A byte buffer from the thread's pool: empty when taken, returned when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    pub(crate) fn take() -> Self {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        Self(spare.ok().flatten().unwrap_or_default())
    }

    /// Takes the buffer out of the pool for good.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() == 0 || buffer.capacity() > KEEP_CAPACITY {
            return;
        }
        buffer.clear();
        // The pool of a thread that exits is gone. The buffer is then freed.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            let exceeds_large = buffer.capacity() > LARGE && spare.iter().any(|kept| kept.capacity() > LARGE);
            if spare.len() < KEEP_COUNT && !exceeds_large {
                spare.push(buffer);
            }
        });
    }
}

impl Deref for Scratch {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_buffer_is_empty_and_reused() {
        let mut first = Scratch::take();
        first.extend_from_slice(b"some bytes");
        let address = first.as_ptr();
        drop(first);
        let second = Scratch::take();
        assert!(second.is_empty());
        assert_eq!(second.as_ptr(), address);
    }

    #[test]
    fn a_huge_buffer_is_not_kept() {
        let mut huge = Scratch::take();
        huge.reserve(KEEP_CAPACITY + 1);
        drop(huge);
        SPARE.with(|spare| assert!(spare.borrow().iter().all(|kept| kept.capacity() <= KEEP_CAPACITY)));
    }

    #[test]
    fn one_large_buffer_is_kept() {
        let mut both = [Scratch::take(), Scratch::take()];
        for large in &mut both {
            large.reserve(LARGE + 1);
        }
        drop(both);
        SPARE.with(|spare| assert_eq!(spare.borrow().iter().filter(|kept| kept.capacity() > LARGE).count(), 1));
    }
}
