//! [`Block`]: messages of a log, which stand in memory one after the other. A message takes no
//! allocation of its own, and a block is dropped as a whole.

use bytes::Bytes;
use std::sync::Arc;

use super::session::Session;
use crate::hub::adapter::{Audience, Packet};
use crate::wire::kept::{ALLOCATION, Kept, Kind};
use crate::wire::policy::LatestKey;

/// Messages and their recipients. They are numbered from 0.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// For whom each message is. It is a list of its own, because clients that resume read it from
    /// the first message that they may have missed.
    recipients: Vec<Recipients>,
    records: Vec<Record>,
    /// The text of all messages.
    text: Vec<u8>,
    /// The rooms of all messages. Of each, those of recipients stand before those that are left
    /// out.
    rooms: Vec<Arc<str>>,
    /// What few messages have, each with the message's number.
    extras: Vec<(usize, Extra)>,
    /// The bytes of the extras and of the names of rooms, beside the lists. Names count although
    /// they may be shared with the members of the rooms.
    shared_bytes: usize,
}

#[derive(Debug)]
struct Record {
    kind: Kind,
    /// Where the message's text ends in that of the block.
    text_end: usize,
    /// Where the rooms end whose members are recipients.
    rooms_end: usize,
    /// Where the rooms end whose members are left out.
    except_end: usize,
}

/// The recipients of a message, as one number. For a single session, it is [`ONE`](Self::ONE) plus
/// the session's number. For the members of the message's rooms, it is 1 plus the number of the
/// session that is left out, or 0 if none is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Recipients(u64);

#[derive(Debug)]
struct Extra {
    attachments: Box<[Bytes]>,
    latest: Option<LatestKey>,
}

/// For whom a new message is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// The session with this number.
    Session(u64),
    Audience(&'a Audience),
}

/// One message of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    recipients: Recipients,
    rooms: &'a [Arc<str>],
    except_rooms: &'a [Arc<str>],
    pub(crate) packet: Kept<'a>,
}

impl Recipients {
    /// The numbers of sessions are lower.
    const ONE: u64 = 1 << 63;

    fn session(number: u64) -> Self {
        debug_assert!(number < Self::ONE, "a session number");
        Self(Self::ONE | number)
    }

    fn rooms(except: Option<u64>) -> Self {
        debug_assert!(except.is_none_or(|number| number < Self::ONE - 1), "a session number");
        Self(except.map_or(0, |number| number + 1))
    }

    /// Whether a session is among them if it is in the right rooms.
    fn may_include(self, session: u64) -> bool {
        if self.0 >= Self::ONE { self == Self::session(session) } else { self.0 != session + 1 }
    }
}

impl Entry<'_> {
    /// Whether a session is among the recipients. `is_in`: whether it was in a room.
    pub(crate) fn includes(&self, session: u64, is_in: impl Fn(&str) -> bool) -> bool {
        self.recipients.may_include(session)
            && (self.rooms.is_empty() || self.rooms.iter().any(|room| is_in(room)))
            && !self.except_rooms.iter().any(|room| is_in(room))
    }
}

impl Extra {
    fn size(&self) -> usize {
        let attachments = self.attachments.iter().map(|bytes| size_of::<Bytes>() + bytes.len()).sum::<usize>();
        attachments + self.latest.as_ref().map_or(0, |key| key.as_str().len()) + 2 * ALLOCATION
    }
}

impl Block {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Appends a message.
    #[inline]
    pub(crate) fn push(&mut self, target: Target<'_>, packet: &Packet) {
        let kind = Kind::append(packet, &mut self.text);
        let mut rooms_end = self.rooms.len();
        let recipients = match target {
            Target::Session(number) => Recipients::session(number),
            Target::Audience(audience) => {
                self.add_rooms(audience.rooms());
                rooms_end = self.rooms.len();
                self.add_rooms(audience.except_rooms());
                let except = audience.except_socket().and_then(|socket| socket.session()).map(Session::number);
                Recipients::rooms(except)
            }
        };
        self.add(kind, recipients, rooms_end, packet.attachments(), packet.latest_key());
    }

    /// Appends a copy of a message of another block, for its one recipient.
    pub(crate) fn push_copy(&mut self, entry: &Entry<'_>) {
        let Kept { kind, text, attachments, latest } = entry.packet;
        self.text.extend_from_slice(text);
        self.add(kind, entry.recipients, self.rooms.len(), attachments, latest);
    }

    fn add_rooms(&mut self, rooms: &[Arc<str>]) {
        self.rooms.extend_from_slice(rooms);
        let name = |room: &Arc<str>| 2 * size_of::<usize>() + room.len() + ALLOCATION;
        self.shared_bytes += rooms.iter().map(name).sum::<usize>();
    }

    #[inline]
    fn add(
        &mut self,
        kind: Kind,
        recipients: Recipients,
        rooms_end: usize,
        attachments: &[Bytes],
        latest: Option<&LatestKey>,
    ) {
        if !attachments.is_empty() || latest.is_some() {
            let extra = Extra { attachments: attachments.into(), latest: latest.cloned() };
            self.shared_bytes += extra.size();
            self.extras.push((self.records.len(), extra));
        }
        let (text_end, except_end) = (self.text.len(), self.rooms.len());
        self.recipients.push(recipients);
        self.records.push(Record { kind, text_end, rooms_end, except_end });
    }

    /// The messages from this number on.
    pub(crate) fn entries(&self, from: usize) -> impl Iterator<Item = Entry<'_>> {
        (from..self.len()).map(|number| self.entry(number))
    }

    /// The messages from this number on, with their numbers, without those that a session can't
    /// get whichever rooms it is in.
    pub(crate) fn entries_for(&self, session: u64, from: usize) -> impl Iterator<Item = (usize, Entry<'_>)> {
        let recipients = self.recipients.iter().enumerate().skip(from);
        let recipients = recipients.filter(move |(_, recipients)| recipients.may_include(session));
        recipients.map(|(number, _)| (number, self.entry(number)))
    }

    fn entry(&self, number: usize) -> Entry<'_> {
        let record = &self.records[number];
        let before = number.checked_sub(1).map(|before| &self.records[before]);
        let (text, rooms) = before.map_or((0, 0), |before| (before.text_end, before.except_end));
        let extra = self.extras.binary_search_by_key(&number, |(number, _)| *number);
        let extra = extra.ok().map(|at| &self.extras[at].1);
        Entry {
            recipients: self.recipients[number],
            rooms: &self.rooms[rooms..record.rooms_end],
            except_rooms: &self.rooms[record.rooms_end..record.except_end],
            packet: Kept {
                kind: record.kind,
                text: &self.text[text..record.text_end],
                attachments: extra.map_or(&[], |extra| &extra.attachments),
                latest: extra.and_then(|extra| extra.latest.as_ref()),
            },
        }
    }

    /// The bytes of its messages.
    pub(crate) fn used(&self) -> usize {
        let rooms = self.rooms.len() * size_of::<Arc<str>>();
        self.len() * (size_of::<Recipients>() + size_of::<Record>()) + self.text.len() + rooms + self.shared_bytes
    }

    /// The bytes that it takes in memory.
    pub(crate) fn size(&self) -> usize {
        let recipients = self.recipients.capacity() * size_of::<Recipients>();
        let records = self.records.capacity() * size_of::<Record>();
        let extras = self.extras.capacity() * size_of::<(usize, Extra)>() + self.shared_bytes;
        let lists =
            recipients + records + self.text.capacity() + self.rooms.capacity() * size_of::<Arc<str>>() + extras;
        size_of::<Self>() + lists + 5 * ALLOCATION
    }

    /// Frees most of the memory that is not used. Some is left, so that another block of about the
    /// same length fits.
    pub(crate) fn shrink(&mut self) {
        fn shrink<T>(list: &mut Vec<T>) {
            let kept = list.len() + list.len() / 8;
            if list.capacity() > kept + kept / 8 {
                list.shrink_to(kept);
            }
        }
        shrink(&mut self.recipients);
        shrink(&mut self.records);
        shrink(&mut self.text);
        shrink(&mut self.rooms);
        shrink(&mut self.extras);
    }

    /// Takes the buffers for a new block. What may have bytes of the application stays here.
    pub(crate) fn take_buffers(&mut self) -> Self {
        let extras = std::mem::take(&mut self.extras);
        let mut buffers = std::mem::replace(self, Self { extras, ..Self::default() });
        buffers.shared_bytes = 0;
        buffers.recipients.clear();
        buffers.records.clear();
        buffers.text.clear();
        buffers.rooms.clear();
        buffers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::message::IntoMessage;

    fn event(number: usize) -> Packet {
        ("news", number).into_packet().expect("it serializes")
    }

    #[test]
    fn a_message_has_its_own_text_rooms_and_extras() {
        let mut block = Block::default();
        block.push(Target::Audience(&Audience::new(["a", "b"], ["c"])), &event(1));
        block.push(Target::Session(7), &Packet::binary(vec![1, 2].into()));
        let latest = event(2).with_latest(Some("key".to_owned()));
        block.push(Target::Audience(&Audience::everyone()), &latest);
        let mut copy = Block::default();
        block.entries(1).for_each(|entry| copy.push_copy(&entry));
        assert_eq!((block.len(), copy.len()), (3, 2));

        let entries: Vec<_> = block.entries(0).collect();
        let includes = |at: usize, session, room: &str| entries[at].includes(session, |other| other == room);
        assert!(includes(0, 1, "b") && !includes(0, 1, "c") && !includes(0, 1, "d"));
        assert!(includes(1, 7, "") && !includes(1, 1, "a"));
        assert!(includes(2, 1, ""));
        assert!(!entries[0].includes(1, |room| room != "b"), "it is in a room that is left out");
        let shown = |block: &Block, from| block.entries(from).map(|entry| entry.packet.packet()).collect::<Vec<_>>();
        let all = shown(&block, 0);
        let [first, second, third] = &all[..] else { panic!("{all:?}") };
        assert_eq!((first.args().json(), third.args().json()), ("1", "2"));
        assert_eq!(second.raw_message(), Some(Err(&Bytes::from(vec![1, 2]))));
        assert_eq!((first.latest(), third.latest()), (None, Some("key")));
        for from in [shown(&block, 1), shown(&copy, 0)] {
            assert_eq!(format!("{from:?}"), format!("{:?}", [second, third]));
        }
        assert!(block.entries(3).next().is_none());
        let numbers = |session, from| block.entries_for(session, from).map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!((numbers(7, 0), numbers(1, 0), numbers(1, 1)), (vec![0, 1, 2], vec![0, 2], vec![2]));
    }

    #[test]
    fn a_sender_is_left_out() {
        let included = |recipients: Recipients| [5, 6, 7].map(|session| recipients.may_include(session));
        assert_eq!(included(Recipients::rooms(Some(6))), [true, false, true]);
        assert_eq!(included(Recipients::rooms(None)), [true; 3]);
        assert_eq!(included(Recipients::session(6)), [false, true, false]);
        assert!(Recipients::rooms(None).may_include(0) && !Recipients::rooms(Some(0)).may_include(0));
    }

    #[test]
    fn buffers_are_used_again() {
        let mut block = Block::default();
        let audience = Audience::new(["a"], ["b"]);
        let fill =
            |block: &mut Block| (0..100).for_each(|number| block.push(Target::Audience(&audience), &event(number)));
        fill(&mut block);
        block.shrink();
        let size = block.size();
        assert!(size < 2 * block.used(), "{size}");
        let mut next = block.take_buffers();
        assert!(next.is_empty() && next.used() == 0 && block.is_empty());
        assert!(next.size() > 100 * size_of::<Record>(), "it has the buffers");
        fill(&mut next);
        next.shrink();
        assert_eq!(next.len(), 100);
        let texts: Vec<_> = next.entries(98).map(|entry| entry.packet.packet().args().json().to_owned()).collect();
        assert_eq!(texts, ["98", "99"]);
    }
}
