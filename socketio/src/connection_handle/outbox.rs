//! [`Outbox`]: frames that wait to be written to one client, bounded. A [`Batch`] is what is being
//! written.
//!
//! Small frames are copied into one buffer. Large ones are shared with other recipients, and kept
//! with their place between the small ones. All of it is written by one vectored write.

use bytes::Bytes;
use std::io::IoSlice;
use std::ops::Add;

use crate::session::limits::Bounds;
use crate::wire::frame::EncodedFrame;

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Frames, in the order in which they go out.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    small: Vec<u8>,
    /// Shared frames, and how much of `small` goes out before each.
    shared: Vec<(usize, Bytes)>,
    messages: usize,
    bytes: usize,
}

impl Outbox {
    /// Takes a frame, unless that would exceed `bounds` together with what is `in_flight`. The
    /// first frame of an empty outbox always finds room, however large it is.
    pub(crate) fn push(&mut self, frame: &EncodedFrame, bounds: Bounds, in_flight: Load) -> Result<(), Full> {
        let load = self.load() + in_flight;
        if load.messages > 0 && (load.messages >= bounds.messages || load.bytes + frame.len() > bounds.bytes) {
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

    /// Takes a frame, whether or not there is room.
    pub(crate) fn append(&mut self, frame: &EncodedFrame) {
        self.copy(frame);
        self.messages += 1;
        self.bytes += frame.len();
    }

    /// Takes all frames of another outbox, whether or not there is room.
    pub(crate) fn append_all(&mut self, other: Self) {
        let before = self.small.len();
        self.small.extend_from_slice(&other.small);
        self.shared.extend(other.shared.into_iter().map(|(at, bytes)| (before + at, bytes)));
        self.messages += other.messages;
        self.bytes += other.bytes;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    pub(crate) fn load(&self) -> Load {
        Load { messages: self.messages, bytes: self.bytes }
    }

    /// Whether half of what `bounds` allow waits.
    pub(crate) fn is_half_full(&self, bounds: Bounds) -> bool {
        self.messages > bounds.messages / 2 || self.bytes > bounds.bytes / 2
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Frees memory that an idle connection does not need.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }
}

/// How many messages and bytes wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }
}

/// What is being written: an outbox's former contents, and how far they have got.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    contents: Outbox,
    /// How many bytes of `contents.small` are written.
    small_written: usize,
    /// How many of `contents.shared` are written.
    shared_written: usize,
    /// How many bytes of the next shared frame are written.
    head_written: usize,
    /// How many bytes in all are written.
    written: usize,
}

/// How many slices one vectored write takes.
const SLICES: usize = 32;
/// A buffer that grew beyond this is given back once it is empty.
const KEEP_CAPACITY: usize = 16 * 1024;

impl Batch {
    /// Takes all frames of an outbox, which is left with the empty buffer of this one. Only when
    /// this is empty.
    pub(crate) fn take(&mut self, outbox: &mut Outbox) {
        debug_assert!(self.is_empty(), "a batch is written before the next is taken");
        self.contents.messages = 0;
        self.contents.bytes = 0;
        std::mem::swap(&mut self.contents, outbox);
    }

    /// Hands the empty buffer of one that is written back to the outbox that it was taken from.
    pub(crate) fn give_back(self, outbox: &mut Outbox) {
        debug_assert!(self.is_empty() && outbox.is_empty(), "nothing waits on either side");
        outbox.small = self.contents.small;
    }

    /// Adds bytes behind everything else.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.contents.small.extend_from_slice(bytes);
        self.contents.bytes += bytes.len();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small_written == self.contents.small.len() && self.shared_written == self.contents.shared.len()
    }

    /// What is left of it.
    pub(crate) fn load(&self) -> Load {
        if self.is_empty() {
            return Load::default();
        }
        let bytes = self.contents.bytes - self.written;
        // The ends of frames are not kept: an estimate.
        let messages = (self.contents.messages * bytes).div_ceil(self.contents.bytes.max(1));
        Load { messages, bytes }
    }

    /// Hands the unwritten bytes, as far as one write can take them, to `write`.
    pub(crate) fn with_slices<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let small = &self.contents.small;
        let Some((first_at, _)) = self.contents.shared.get(self.shared_written) else {
            return write(&[IoSlice::new(&small[self.small_written..])]);
        };
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        let mut position = self.small_written;
        let mut skip = self.head_written;
        debug_assert!(*first_at >= position, "shared frames lie behind what is written");
        for (at, bytes) in &self.contents.shared[self.shared_written..] {
            if used + 3 > SLICES {
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

    /// Notes that `written` more bytes have gone out. When all have, the buffer is made ready for
    /// the next ones.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.written += written;
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
                debug_assert_eq!(written, 0, "no more is written than there was");
                break;
            }
        }
        if self.is_empty() {
            let mut small = std::mem::take(&mut self.contents.small);
            small.clear();
            if small.capacity() > KEEP_CAPACITY {
                small = Vec::new();
            }
            *self = Self { contents: Outbox { small, ..Outbox::default() }, ..Self::default() };
        }
    }

    /// Frees memory that an idle connection does not need.
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

    const WIDE: Bounds = Bounds { messages: usize::MAX, bytes: usize::MAX };

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
    fn both_bounds_hold_and_the_first_frame_always_fits() {
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
    fn another_outbox_comes_behind_this_one() {
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
    fn what_is_written_counts_no_more() {
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
    fn an_empty_batch_gives_its_buffer_back() {
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
        /// Whatever the order of pushing, taking and partial writing: all bytes go out, once, in
        /// order.
        #[test]
        fn all_bytes_go_out_in_order(steps in prop::collection::vec(step(), 0..120)) {
            let mut outbox = Outbox::default();
            let mut batch = Batch::default();
            let mut in_outbox = Vec::new();
            let mut expected = Vec::new();
            let mut written = Vec::new();
            for step in steps.into_iter().chain([Step::Write(usize::MAX), Step::Take, Step::Write(usize::MAX)]) {
                match step {
                    Step::Push(length, fill) => {
                        let frame = frame(length, fill);
                        outbox.push(&frame, WIDE, batch.load()).expect("the bounds are wide");
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
                    Step::Write(mut limit) => {
                        while !batch.is_empty() && limit > 0 {
                            let chunk: Vec<u8> = batch.with_slices(|slices| {
                                slices.iter().flat_map(|slice| slice.to_vec()).take(limit).collect()
                            });
                            prop_assert!(!chunk.is_empty());
                            batch.advance(chunk.len());
                            limit -= chunk.len().min(limit);
                            written.extend(chunk);
                        }
                    }
                }
            }
            prop_assert!(written == expected);
            prop_assert_eq!(batch.load(), Load::default());
        }
    }
}
