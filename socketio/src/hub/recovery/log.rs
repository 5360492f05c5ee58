//! [`Log`]: what was emitted in a namespace, numbered and bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::session::Session;
use crate::hub::adapter::{Audience, Packet};
use crate::wire::kept::{ALLOCATION, KeptPacket};
use crate::wire::offset::Offset;

/// The messages of a namespace. Their numbers have no gaps.
#[derive(Debug)]
pub(crate) struct Log {
    entries: VecDeque<Arc<Entry>>,
    /// The first part of all offsets.
    epoch: u64,
    /// The number of the first entry, or of the next message if there is none.
    first: u64,
    bytes: usize,
    bounds: LogBounds,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LogBounds {
    pub(crate) age: Duration,
    pub(crate) bytes: usize,
    pub(crate) packets: usize,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Entry {
    at: Instant,
    pub(crate) target: Target,
    pub(crate) packet: KeptPacket,
}

/// The recipients of a message.
#[derive(Debug)]
pub(crate) enum Target {
    /// The session with this number.
    Session(u64),
    /// The members of the rooms, or everyone, without the members of other rooms, and without the
    /// session of the sender.
    Rooms { rooms: Box<[Arc<str>]>, except_rooms: Box<[Arc<str>]>, except: Option<u64> },
}

impl Target {
    pub(crate) fn of(audience: &Audience) -> Self {
        Self::Rooms {
            rooms: audience.rooms().into(),
            except_rooms: audience.except_rooms().into(),
            except: audience.except_socket().and_then(|socket| socket.session()).map(Session::number),
        }
    }

    /// Whether a session is among the recipients. `is_in`: whether it was in a room.
    pub(crate) fn includes(&self, session: u64, is_in: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Session(number) => *number == session,
            Self::Rooms { rooms, except_rooms, except } => {
                *except != Some(session)
                    && (rooms.is_empty() || rooms.iter().any(|room| is_in(room)))
                    && !except_rooms.iter().any(|room| is_in(room))
            }
        }
    }

    fn size(&self) -> usize {
        let Self::Rooms { rooms, except_rooms, .. } = self else { return 0 };
        // The names are shared with the members of the rooms, or they are counted as if they were.
        let list = |rooms: &[Arc<str>]| match rooms.len() {
            0 => 0,
            rooms => rooms * size_of::<Arc<str>>() + ALLOCATION,
        };
        list(rooms) + list(except_rooms)
    }
}

impl Entry {
    fn size(&self) -> usize {
        // With the counters of the `Arc`, and its place in the log.
        size_of::<Self>() + 3 * size_of::<usize>() + ALLOCATION + self.target.size() + self.packet.size()
    }
}

impl Log {
    pub(crate) fn new(bounds: LogBounds) -> Self {
        Self { entries: VecDeque::new(), epoch: new_epoch(), first: 1, bytes: 0, bounds }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    fn at(&self, number: u64) -> Offset {
        Offset { epoch: self.epoch, number }
    }

    /// The offset of the last message, which may have been dropped since.
    pub(crate) fn last(&self) -> Offset {
        self.at(self.first + self.entries.len() as u64 - 1)
    }

    /// The offset of the oldest message that is kept, or of the next one.
    pub(crate) fn oldest(&self) -> Offset {
        self.at(self.first)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends a message, and drops old ones. The caller drops these where it holds no lock,
    /// because they may have bytes of the application.
    pub(crate) fn append(&mut self, target: Target, packet: &Packet, now: Instant, dropped: &mut Dropped) -> Offset {
        let entry = Entry { at: now, target, packet: KeptPacket::of(packet) };
        self.bytes += entry.size();
        self.entries.push_back(Arc::new(entry));
        let offset = self.last();
        self.trim(now, dropped);
        offset
    }

    /// Drops old messages until the log is within its bounds.
    pub(crate) fn trim(&mut self, now: Instant, dropped: &mut Dropped) {
        while let Some(oldest) = self.entries.front() {
            let is_old = now.saturating_duration_since(oldest.at) > self.bounds.age;
            if !is_old && self.bytes <= self.bounds.bytes && self.entries.len() <= self.bounds.packets {
                return;
            }
            let Some(oldest) = self.entries.pop_front() else { return };
            self.first += 1;
            self.bytes -= oldest.size();
            dropped.0.push(oldest);
        }
        self.entries.shrink_to(MIN_CAPACITY);
    }

    /// The messages after an offset of this log.
    pub(crate) fn after(&self, offset: Offset) -> impl Iterator<Item = (Offset, &Arc<Entry>)> {
        let number = offset.number.saturating_add(1);
        let skipped = number.saturating_sub(self.first) as usize;
        let numbers = number.max(self.first)..;
        numbers.map(|number| self.at(number)).zip(self.entries.iter().skip(skipped))
    }
}

/// A number that no other log has. It begins with the time, so that people can tell logs apart.
fn new_epoch() -> u64 {
    let mut random = [0; 2];
    getrandom::fill(&mut random).expect("the system provides random bytes");
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    time * 100_000 + u64::from(u16::from_le_bytes(random))
}

/// An empty log keeps room for so many messages.
const MIN_CAPACITY: usize = 64;

/// Messages that a log has dropped. Mostly there is one.
#[derive(Default)]
pub(crate) struct Dropped(smallvec::SmallVec<[Arc<Entry>; 2]>);
