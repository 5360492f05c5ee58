//! [`Outbox`]: the bounded queue of encoded frames for one client. A [`Batch`] holds the frames
//! that are being written.
//!
//! Small frames are copied into one buffer. Large frames are shared with other recipients, and
//! stored with their position among the small ones. One vectored write takes both. [`latest`] has
//! the messages that newer ones replace.
//!
//! Sizes are `u64`: a shared frame counts each time it is queued, so that together they may exceed
//! the address space of a 32-bit target.

mod latest;

use bytes::Bytes;
use std::io::IoSlice;
use std::ops::Add;

use crate::session::limits::Bounds;
use crate::wire::frame::EncodedFrame;

/// The error of an outbox that has no room for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Queued frames, in the order in which they are written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The bytes of all small frames.
    small: Vec<u8>,
    /// The shared frames, each with the length of `small` that is written before it.
    shared: Vec<(usize, Bytes)>,
    messages: usize,
    bytes: u64,
    /// The messages that newer ones replace, while there are any.
    replaceable: Option<Box<latest::Replaceable>>,
}

impl Outbox {
    /// Appends a frame, unless the outbox and the frames `in_flight` would then exceed `bounds`. If
    /// the outbox is empty and nothing is in flight, a frame of any size is accepted.
    pub(crate) fn push(&mut self, frame: &EncodedFrame, bounds: Bounds, in_flight: Load) -> Result<(), Full> {
        if !(self.load() + in_flight).leaves_room(frame.len(), bounds) {
            return Err(Full);
        }
        self.append(frame);
        Ok(())
    }

    fn copy(&mut self, frame: &EncodedFrame) {
        match frame {
            EncodedFrame::Small { buffer, start } => self.small.extend_from_slice(&buffer[*start..]),
            EncodedFrame::Shared(bytes) => self.shared.push((self.small.len(), bytes.clone())),
            EncodedFrame::Several(frames) => frames.iter().for_each(|frame| self.copy(frame)),
        }
    }

    /// Appends a frame without checking the bounds.
    pub(crate) fn append(&mut self, frame: &EncodedFrame) {
        self.copy(frame);
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(frame.len());
    }

    /// Appends all frames of another outbox without checking the bounds.
    pub(crate) fn append_all(&mut self, other: Self) {
        let (messages, bytes) = (other.messages, other.bytes);
        self.append_uncounted(other);
        self.messages = self.messages.saturating_add(messages);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Appends all frames of another outbox, which do not count for the bounds. This outbox must
    /// not be empty.
    pub(crate) fn append_uncounted(&mut self, mut other: Self) {
        other.settle();
        let before = self.small.len();
        self.small.extend_from_slice(&other.small);
        self.shared.extend(other.shared.into_iter().map(|(at, bytes)| (before + at, bytes)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    pub(crate) fn load(&self) -> Load {
        Load { messages: self.messages, bytes: self.bytes }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Frees the buffers if the outbox is empty.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }
}

/// A number of messages and their size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    pub(crate) bytes: u64,
}

impl Load {
    /// Whether a frame of `length` bytes fits beside it. If there is nothing, one of any size does.
    fn leaves_room(self, length: u64, bounds: Bounds) -> bool {
        self.messages == 0
            || (self.messages < bounds.messages && self.bytes.saturating_add(length) <= bounds.bytes as u64)
    }

    /// Whether it is more than half of the messages or bytes that `bounds` allow.
    pub(crate) fn exceeds_half(self, bounds: Bounds) -> bool {
        self.messages > bounds.messages / 2 || self.bytes > bounds.bytes as u64 / 2
    }
}

impl Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { messages: self.messages.saturating_add(other.messages), bytes: self.bytes.saturating_add(other.bytes) }
    }
}

/// The frames that are being written, and how many of their bytes are written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    contents: Outbox,
    /// The number of written bytes of `contents.small`.
    small_written: usize,
    /// The number of completely written frames of `contents.shared`.
    shared_written: usize,
    /// The number of written bytes of the next shared frame.
    head_written: usize,
    /// The total number of written bytes.
    written: u64,
}

/// Shared frames that are written. They may have bytes of the application, so they are dropped
/// where no lock is held.
#[derive(Debug, Default)]
pub(crate) struct Written(#[allow(dead_code, reason = "it is only dropped")] Vec<(usize, Bytes)>);

/// The largest number of slices in one vectored write.
const MAX_SLICES: usize = 32;
/// A larger buffer is freed once it is empty. In bytes.
const MAX_KEPT_CAPACITY: usize = 16 * 1024;

impl Batch {
    /// Takes all frames of an outbox, and gives it this batch's empty buffer. The batch must be
    /// empty.
    pub(crate) fn take(&mut self, outbox: &mut Outbox) {
        debug_assert!(self.is_empty(), "a batch is written before the next is taken");
        outbox.settle();
        self.contents.messages = 0;
        self.contents.bytes = 0;
        std::mem::swap(&mut self.contents, outbox);
    }

    /// Returns the buffer of a written batch to the outbox, which must be empty.
    pub(crate) fn return_buffer(&mut self, outbox: &mut Outbox) {
        debug_assert!(self.is_empty() && outbox.is_empty(), "the batch and the outbox are empty");
        std::mem::swap(&mut outbox.small, &mut self.contents.small);
    }

    /// Appends bytes, without counting them as a message.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.contents.small.extend_from_slice(bytes);
        self.contents.bytes = self.contents.bytes.saturating_add(bytes.len() as u64);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small_written == self.contents.small.len() && self.shared_written == self.contents.shared.len()
    }

    /// The load that is not written yet. The number of messages is an estimate.
    pub(crate) fn load(&self) -> Load {
        if self.is_empty() {
            return Load::default();
        }
        if self.written == 0 {
            return self.contents.load();
        }
        let bytes = self.contents.bytes.saturating_sub(self.written);
        // The batch does not store where its frames end.
        let messages = (self.contents.messages as u128 * u128::from(bytes)).div_ceil(self.contents.bytes.max(1).into());
        Load { messages: usize::try_from(messages).unwrap_or(usize::MAX), bytes }
    }

    /// Calls `write` with the unwritten bytes, in at most [`MAX_SLICES`] slices.
    pub(crate) fn with_slices<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let small = &self.contents.small;
        let Some((first_at, _)) = self.contents.shared.get(self.shared_written) else {
            return write(&[IoSlice::new(&small[self.small_written..])]);
        };
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut used = 0;
        let mut position = self.small_written;
        let mut skip = self.head_written;
        debug_assert!(*first_at >= position, "the next shared frame is not written yet");
        for (at, bytes) in &self.contents.shared[self.shared_written..] {
            if used + 3 > MAX_SLICES {
                return write(&slices[..used]);
            }
            if *at > position {
                slices[used] = IoSlice::new(&small[position..*at]);
                used += 1;
                position = *at;
            }
            slices[used] = IoSlice::new(&bytes[skip..]);
            used += 1;
            skip = 0;
        }
        if position < small.len() {
            slices[used] = IoSlice::new(&small[position..]);
            used += 1;
        }
        write(&slices[..used])
    }

    /// Advances by `written` bytes. When all bytes are written, the batch is emptied for reuse.
    pub(crate) fn advance(&mut self, mut written: usize) -> Written {
        self.written = self.written.saturating_add(written as u64);
        while written > 0 {
            let next_shared = self.contents.shared.get(self.shared_written);
            let small_until = next_shared.map_or(self.contents.small.len(), |(at, _)| *at);
            let small = written.min(small_until - self.small_written);
            self.small_written += small;
            written -= small;
            if let Some((_, bytes)) = next_shared
                && self.small_written == small_until
            {
                let shared = written.min(bytes.len() - self.head_written);
                self.head_written += shared;
                written -= shared;
                if self.head_written == bytes.len() {
                    self.shared_written += 1;
                    self.head_written = 0;
                }
            } else {
                debug_assert_eq!(written, 0, "no more bytes are written than the batch has");
                break;
            }
        }
        if self.is_empty() {
            let Outbox { small, shared, messages, bytes, .. } = &mut self.contents;
            small.clear();
            if small.capacity() > MAX_KEPT_CAPACITY {
                *small = Vec::new();
            }
            (*messages, *bytes) = (0, 0);
            (self.small_written, self.shared_written, self.head_written, self.written) = (0, 0, 0, 0);
            return Written(std::mem::take(shared));
        }
        Written::default()
    }

    /// Frees the buffers if the batch is empty.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{FrameWriter, Opcode, SHARE_FROM};
    use proptest::prelude::*;

    const UNBOUNDED: Bounds = Bounds { messages: usize::MAX, bytes: usize::MAX };

    impl Batch {
        /// Writes at most this many bytes.
        pub(super) fn write(&mut self, mut limit: usize) -> Vec<u8> {
            let mut written = Vec::new();
            while !self.is_empty() && limit > 0 {
                let chunk: Vec<u8> =
                    self.with_slices(|slices| slices.iter().flat_map(|slice| slice.to_vec()).take(limit).collect());
                assert!(!chunk.is_empty(), "a batch that is not empty has bytes");
                self.advance(chunk.len());
                limit -= chunk.len();
                written.extend(chunk);
            }
            written
        }
    }

    fn frame(length: usize, fill: u8) -> EncodedFrame {
        let mut writer = FrameWriter::new();
        writer.payload().extend(std::iter::repeat_n(fill, length));
        writer.finish(Opcode::Binary)
    }

    fn bytes(frame: &EncodedFrame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.append_to(&mut bytes);
        bytes
    }

    #[test]
    fn push_enforces_both_bounds_and_accepts_any_first_frame() {
        let mut outbox = Outbox::default();
        let bounds = Bounds { messages: 2, bytes: 100 };
        assert_eq!(outbox.push(&frame(500, 1), bounds, Load::default()), Ok(()));
        assert_eq!(outbox.push(&frame(1, 1), bounds, Load::default()), Err(Full));
        outbox.clear();
        assert_eq!(outbox.push(&frame(10, 1), bounds, Load::default()), Ok(()));
        assert_eq!(outbox.push(&frame(10, 1), bounds, Load::default()), Ok(()));
        assert_eq!(outbox.push(&frame(10, 1), bounds, Load::default()), Err(Full));
        outbox.clear();
        assert_eq!(outbox.push(&frame(10, 1), bounds, Load { messages: 1, bytes: 95 }), Err(Full));
    }

    #[test]
    fn loads_larger_than_the_address_space_do_not_overflow() {
        let most = Load { messages: usize::MAX, bytes: u64::MAX };
        assert_eq!(most + most, most);
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(&frame(1, 1), Bounds { messages: 5, bytes: usize::MAX }, most), Err(Full));
        // All frames share one megabyte.
        let shared = Bytes::from(vec![0; 1 << 20]);
        let several = EncodedFrame::Several((0..6_000).map(|_| EncodedFrame::Shared(shared.clone())).collect());
        outbox.append(&several);
        outbox.append(&several);
        assert_eq!(outbox.load(), Load { messages: 2, bytes: 12_000 << 20 });
        let mut batch = Batch::default();
        batch.append(&[0; 2]);
        (batch.contents.messages, batch.contents.bytes) = (usize::MAX, u64::MAX);
        batch.advance(1);
        assert_eq!(batch.load().bytes, u64::MAX - 1);
        assert!(batch.load().messages >= usize::MAX - 1);
    }

    #[test]
    fn append_all_keeps_the_order_of_frames() {
        let (mut outbox, mut held, mut batch) = (Outbox::default(), Outbox::default(), Batch::default());
        let frames = [frame(3, 1), frame(SHARE_FROM, 2), frame(5, 3), frame(SHARE_FROM, 4), frame(7, 5)];
        frames[..2].iter().for_each(|frame| outbox.append(frame));
        frames[2..].iter().for_each(|frame| held.append(frame));
        outbox.append_all(held);
        batch.take(&mut outbox);
        let written = batch.with_slices(|slices| slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>());
        assert_eq!(written, frames.iter().flat_map(bytes).collect::<Vec<_>>());
    }

    #[test]
    fn written_messages_no_longer_count_against_the_bounds() {
        let bounds = Bounds { messages: 10, bytes: 1000 };
        let (mut outbox, mut batch) = (Outbox::default(), Batch::default());
        for _ in 0..10 {
            outbox.push(&frame(1, 1), bounds, batch.load()).expect("there is room for ten");
        }
        batch.take(&mut outbox);
        assert_eq!(outbox.push(&frame(1, 1), bounds, batch.load()), Err(Full));
        batch.advance(27);
        assert_eq!(batch.load(), Load { messages: 1, bytes: 3 });
        assert_eq!(outbox.push(&frame(1, 1), bounds, batch.load()), Ok(()));
    }

    #[test]
    fn shrink_frees_the_buffer_of_an_empty_batch() {
        let mut batch = Batch::default();
        batch.append(&[0; 4096]);
        batch.shrink();
        batch.advance(4096);
        assert!(batch.contents.small.capacity() > 0);
        batch.shrink();
        assert_eq!(batch.contents.small.capacity(), 0);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize, u8),
        Take,
        Write(usize),
        Append(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..200usize, any::<u8>()).prop_map(|(length, fill)| Step::Push(length, fill)),
            2 => (SHARE_FROM..SHARE_FROM + 10, any::<u8>()).prop_map(|(length, fill)| Step::Push(length, fill)),
            3 => Just(Step::Take),
            5 => (1..9000usize).prop_map(Step::Write),
            1 => any::<u8>().prop_map(Step::Append),
        ]
    }

    proptest! {
        /// Any sequence of pushes, takes and partial writes writes all bytes once, in order.
        #[test]
        fn all_bytes_are_written_once_and_in_order(steps in prop::collection::vec(step(), 0..120)) {
            let mut outbox = Outbox::default();
            let mut batch = Batch::default();
            let mut in_outbox = Vec::new();
            let mut expected = Vec::new();
            let mut written = Vec::new();
            for step in steps.into_iter().chain([Step::Write(usize::MAX), Step::Take, Step::Write(usize::MAX)]) {
                match step {
                    Step::Push(length, fill) => {
                        let frame = frame(length, fill);
                        outbox.push(&frame, UNBOUNDED, batch.load()).expect("the bounds are wide");
                        in_outbox.extend(bytes(&frame));
                    }
                    Step::Take if batch.is_empty() => {
                        batch.take(&mut outbox);
                        expected.append(&mut in_outbox);
                    }
                    Step::Take => {}
                    Step::Append(byte) => {
                        batch.append(&[byte; 3]);
                        expected.extend([byte; 3]);
                    }
                    Step::Write(limit) => written.extend(batch.write(limit)),
                }
            }
            prop_assert!(written == expected);
            prop_assert_eq!(batch.load(), Load::default());
        }
    }
}
