//! [`Log`]: what was emitted in a namespace, numbered and bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::session::Session;
use crate::hub::adapter::{Audience, Packet};
use crate::wire::kept::{ALLOCATION, KeptPacket};

/// The messages of a namespace. Their numbers have no gaps.
#[derive(Debug)]
pub(crate) struct Log {
    entries: VecDeque<Arc<Entry>>,
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
        Self { entries: VecDeque::new(), first: 1, bytes: 0, bounds }
    }

    /// The number that the next message gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The number of the oldest message that is kept, or of the next one.
    pub(crate) fn oldest(&self) -> u64 {
        self.first
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends a message, and drops old ones. The caller drops these where it holds no lock,
    /// because they may have bytes of the application.
    pub(crate) fn append(&mut self, target: Target, packet: &Packet, now: Instant, dropped: &mut Dropped) -> u64 {
        let entry = Entry { at: now, target, packet: KeptPacket::of(packet) };
        let number = self.next();
        self.bytes += entry.size();
        self.entries.push_back(Arc::new(entry));
        self.trim(now, dropped);
        number
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

    /// The messages from `number` on.
    pub(crate) fn from(&self, number: u64) -> impl Iterator<Item = (u64, &Arc<Entry>)> {
        let skipped = number.saturating_sub(self.first) as usize;
        (number.max(self.first)..).zip(self.entries.iter().skip(skipped))
    }
}

/// An empty log keeps room for so many messages.
const MIN_CAPACITY: usize = 64;

/// Messages that a log has dropped. Mostly there is one.
#[derive(Default)]
pub(crate) struct Dropped(smallvec::SmallVec<[Arc<Entry>; 2]>);
