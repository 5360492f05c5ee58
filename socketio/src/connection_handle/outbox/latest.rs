//! Messages in an [`Outbox`] that newer ones replace.
//!
//! The frames of such a message are entries of `shared`, also the small ones, so that they can be
//! taken out again. An entry without bytes is free. Free entries are removed before the frames are
//! written, and when there are more of them than others.

use bytes::Bytes;
use std::collections::HashMap;

use super::{Full, Load, Outbox};
use crate::session::limits::Bounds;
use crate::wire::frame::EncodedFrame;
use crate::wire::policy::LatestId;

/// The messages of an outbox that newer ones replace.
#[derive(Debug, Default)]
pub(super) struct Replaceable {
    places: HashMap<LatestId, Place>,
    /// The number of free entries.
    free: usize,
}

/// Where the frames of a message are.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The first of its entries in `shared`.
    first: usize,
    entries: usize,
    bytes: u64,
}

/// So many free entries are not worth the work of removing them.
const FEW: usize = 32;

impl Outbox {
    /// Appends a message like [`push`](Self::push), and drops the message with the same id, if it
    /// was pushed here. Returns whether there was one.
    ///
    /// The new message comes behind all others. So a client never receives it before something that
    /// was emitted earlier, and the offsets that it receives always grow.
    pub(crate) fn push_latest(
        &mut self,
        frame: &EncodedFrame,
        id: LatestId,
        bounds: Bounds,
        in_flight: Load,
    ) -> Result<bool, Full> {
        let place = self.replaceable.as_ref().and_then(|replaceable| replaceable.places.get(&id));
        let replaced = place.map_or_else(Load::default, |place| Load { messages: 1, bytes: place.bytes });
        let others = Load {
            messages: self.messages.saturating_sub(replaced.messages),
            bytes: self.bytes.saturating_sub(replaced.bytes),
        };
        if !(others + in_flight).leaves_room(frame.len(), bounds) {
            return Err(Full);
        }
        Ok(self.append_latest(frame, id))
    }

    /// The same without checking the bounds.
    pub(crate) fn append_latest(&mut self, frame: &EncodedFrame, id: LatestId) -> bool {
        let replaceable = self.replaceable.get_or_insert_default();
        let replaced = replaceable.places.remove(&id);
        if let Some(place) = replaced {
            for (_, bytes) in &mut self.shared[place.first..][..place.entries] {
                *bytes = Bytes::new();
            }
            replaceable.free += place.entries;
            self.messages = self.messages.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(place.bytes);
            if replaceable.free > FEW.max(self.shared.len() / 2) {
                self.remove_free_entries();
            }
        }
        let (first, bytes) = (self.shared.len(), frame.len());
        self.share(frame);
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        let place = Place { first, entries: self.shared.len() - first, bytes };
        self.replaceable.get_or_insert_default().places.insert(id, place);
        replaced.is_some()
    }

    /// Appends a frame to `shared`, whatever its size.
    fn share(&mut self, frame: &EncodedFrame) {
        let bytes = match frame {
            EncodedFrame::Small { buffer, start } => Bytes::copy_from_slice(&buffer[*start..]),
            EncodedFrame::Shared(bytes) => bytes.clone(),
            EncodedFrame::Several(frames) => return frames.iter().for_each(|frame| self.share(frame)),
        };
        self.shared.push((self.small.len(), bytes));
    }

    fn remove_free_entries(&mut self) {
        let Some(replaceable) = &mut self.replaceable else { return };
        let mut kept = 0;
        let moved: Vec<usize> = self
            .shared
            .iter()
            .map(|(_, bytes)| {
                let moved_to = kept;
                kept += usize::from(!bytes.is_empty());
                moved_to
            })
            .collect();
        replaceable.places.values_mut().for_each(|place| place.first = moved[place.first]);
        replaceable.free = 0;
        self.shared.retain(|(_, bytes)| !bytes.is_empty());
    }

    /// From now on, no message is replaced.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.replaceable.is_some() {
            self.forget_replaceable();
        }
    }

    #[cold]
    fn forget_replaceable(&mut self) {
        if self.replaceable.take().is_some_and(|replaceable| replaceable.free > 0) {
            self.shared.retain(|(_, bytes)| !bytes.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::connection_handle::outbox::Batch;
    use crate::wire::frame::{FrameWriter, Opcode, SHARE_FROM};
    use crate::wire::policy::LatestKey;

    const UNBOUNDED: Bounds = Bounds { messages: usize::MAX, bytes: usize::MAX };

    fn id(key: u8) -> LatestId {
        LatestKey::new(key.to_string()).id("/", Some("price"))
    }

    fn frame(length: usize, fill: u8) -> EncodedFrame {
        let mut writer = FrameWriter::new();
        writer.payload().extend(std::iter::repeat_n(fill, length));
        writer.finish(Opcode::Binary)
    }

    /// A message of several frames, as that of an event with an attachment.
    fn several(length: usize, fill: u8) -> EncodedFrame {
        let attachment = EncodedFrame::binary(&vec![fill; length].into());
        EncodedFrame::Several(vec![frame(5, fill), attachment])
    }

    fn bytes(frame: &EncodedFrame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.append_to(&mut bytes);
        bytes
    }

    fn drain(outbox: &mut Outbox) -> Vec<u8> {
        let mut batch = Batch::default();
        batch.take(outbox);
        batch.write(usize::MAX)
    }

    #[test]
    fn a_newer_message_comes_behind_all_others() {
        let mut outbox = Outbox::default();
        assert!(!outbox.append_latest(&frame(3, 1), id(1)));
        outbox.append(&frame(3, 2));
        assert!(!outbox.append_latest(&frame(3, 3), id(2)));
        assert!(outbox.append_latest(&frame(9, 4), id(1)));
        assert_eq!(outbox.load(), Load { messages: 3, bytes: 5 + 5 + 11 });
        assert_eq!(
            drain(&mut outbox),
            [frame(3, 2), frame(3, 3), frame(9, 4)].iter().flat_map(bytes).collect::<Vec<_>>()
        );
        assert!(!outbox.append_latest(&frame(3, 5), id(1)), "what was taken is not replaced");
    }

    #[test]
    fn a_message_counts_once_for_the_bounds() {
        let bounds = Bounds { messages: 2, bytes: 100 };
        let mut outbox = Outbox::default();
        outbox.push(&frame(8, 0), bounds, Load::default()).expect("it is empty");
        for fill in 0..100 {
            let replaced = outbox.push_latest(&frame(88, fill), id(1), bounds, Load::default());
            assert_eq!(replaced, Ok(fill > 0));
            assert_eq!(outbox.load(), Load { messages: 2, bytes: 100 });
        }
        assert_eq!(outbox.push_latest(&frame(89, 0), id(1), bounds, Load::default()), Err(Full));
        assert_eq!(outbox.push_latest(&frame(1, 0), id(2), bounds, Load::default()), Err(Full));
        let expected = [frame(8, 0), frame(88, 99)];
        assert_eq!(drain(&mut outbox), expected.iter().flat_map(bytes).collect::<Vec<_>>(), "the old one stays");
    }

    #[test]
    fn an_outbox_does_not_grow_with_the_number_of_replaced_messages() {
        let mut outbox = Outbox::default();
        for number in 0..100_000_usize {
            outbox.append_latest(&several(10, 0), id((number % 3) as u8));
            assert!(outbox.shared.len() <= FEW + 2 * 3 * 2, "{}", outbox.shared.len());
        }
        assert!(outbox.shared.capacity() <= 4 * FEW);
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// A message that is not replaced.
        Push(EncodedFrameOf),
        Latest(u8, EncodedFrameOf),
        /// Messages of another outbox follow.
        Join(Vec<(u8, EncodedFrameOf)>),
        Take,
        Write(usize),
    }

    #[derive(Clone, Copy, Debug)]
    struct EncodedFrameOf {
        length: usize,
        is_several: bool,
    }

    fn any_frame() -> impl Strategy<Value = EncodedFrameOf> {
        let length = prop_oneof![4 => 0..100usize, 1 => SHARE_FROM..SHARE_FROM + 5];
        (length, any::<bool>()).prop_map(|(length, is_several)| EncodedFrameOf { length, is_several })
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => any_frame().prop_map(Step::Push),
            10 => (0..4u8, any_frame()).prop_map(|(key, frame)| Step::Latest(key, frame)),
            1 => prop::collection::vec((0..4u8, any_frame()), 0..4).prop_map(Step::Join),
            1 => Just(Step::Take),
            2 => (1..9000usize).prop_map(Step::Write),
        ]
    }

    /// What waits, as a plain list. A message that can be replaced has a key.
    type Model = Vec<(Option<u8>, Vec<u8>)>;

    fn append(model: &mut Model, key: Option<u8>, message: Vec<u8>) -> bool {
        let earlier = model.iter().position(|(other, _)| key.is_some() && *other == key);
        if let Some(earlier) = earlier {
            model.remove(earlier);
        }
        model.push((key, message));
        earlier.is_some()
    }

    proptest! {
        /// A client gets what a list of messages would have given it.
        #[test]
        fn an_outbox_is_like_a_list(steps in prop::collection::vec(step(), 0..300)) {
            let (mut outbox, mut batch) = (Outbox::default(), Batch::default());
            let (mut model, mut expected, mut written) = (Model::new(), Vec::new(), Vec::new());
            let mut fill = 0_u8;
            let mut make = |frame: EncodedFrameOf| {
                fill = fill.wrapping_add(1);
                if frame.is_several { several(frame.length, fill) } else { self::frame(frame.length, fill) }
            };
            for step in steps.into_iter().chain([Step::Write(usize::MAX), Step::Take, Step::Write(usize::MAX)]) {
                match step {
                    Step::Push(frame) => {
                        let frame = make(frame);
                        outbox.push(&frame, UNBOUNDED, batch.load()).expect("the bounds are wide");
                        append(&mut model, None, bytes(&frame));
                    }
                    Step::Latest(key, frame) => {
                        let frame = make(frame);
                        let replaced = outbox.push_latest(&frame, id(key), UNBOUNDED, batch.load());
                        prop_assert_eq!(replaced, Ok(append(&mut model, Some(key), bytes(&frame))));
                    }
                    Step::Join(messages) => {
                        let (mut other, mut others) = (Outbox::default(), Model::new());
                        for (key, frame) in messages {
                            let frame = make(frame);
                            other.append_latest(&frame, id(key));
                            append(&mut others, Some(key), bytes(&frame));
                        }
                        outbox.append_all(other);
                        // They are not replaced any more.
                        model.extend(others.into_iter().map(|(_, message)| (None, message)));
                    }
                    Step::Take if batch.is_empty() => {
                        batch.take(&mut outbox);
                        expected.extend(model.drain(..).flat_map(|(_, message)| message));
                    }
                    Step::Take => {}
                    Step::Write(limit) => written.extend(batch.write(limit)),
                }
                let waiting = model.iter().map(|(_, message)| message.len() as u64).sum::<u64>();
                prop_assert_eq!(outbox.load(), Load { messages: model.len(), bytes: waiting });
                let entries = outbox.shared.iter().filter(|(_, bytes)| !bytes.is_empty()).count();
                prop_assert!(outbox.shared.len() <= (FEW + entries).max(2 * entries) + 3);
            }
            prop_assert!(written == expected);
        }
    }
}
