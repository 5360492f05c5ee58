//! [`Model`]: who must receive what, by the log of the servers.

use socketio::cluster::Offset;
use socketio::{RecoveryState, Socket};
use std::collections::{BTreeMap, HashMap};

use super::client::{Received, Segment};

pub(crate) const ROOMS: [&str; 3] = ["red", "green", "blue"];

/// Whether somebody belongs to an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Belongs {
    No,
    /// It depends on what happens first.
    Maybe,
    Yes,
}

/// The recipients of an emit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    /// Names of rooms, and ids of sockets.
    pub(crate) rooms: Vec<String>,
    pub(crate) except: Vec<String>,
    /// The id of the only session that gets it.
    pub(crate) session: Option<String>,
}

/// An emit.
#[derive(Debug)]
pub(crate) struct Emit {
    pub(crate) audience: Audience,
    /// The sessions on the server that get it at once, because the log could not be reached.
    /// `None`: it was published to the log.
    pub(crate) unlogged_for: Option<Vec<String>>,
}

/// A session, as its servers know it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) socket: Socket,
    /// The number of the server.
    pub(crate) server: usize,
    /// The last connection that has resumed it.
    attempt: usize,
    /// It has received all messages after this one. Those before it may have come earlier. `None`:
    /// its server has not begun to read the log.
    certain_after: Option<Offset>,
    /// For each room, after which offsets the session belongs to it, and since when it does not.
    rooms: BTreeMap<&'static str, Vec<(Offset, Belongs)>>,
    /// Messages after the first and up to the second offset were removed before the session's server
    /// has read them.
    removed: Vec<(Offset, Offset)>,
    /// Changes of rooms after this offset may not have been stored.
    unsaved_after: Option<Offset>,
}

/// The sessions by the ids of their sockets, and the emits by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) emits: Vec<Emit>,
    /// For each connection that a server has accepted, the id of its socket, and whether it has
    /// resumed its session.
    pub(crate) accepted: HashMap<usize, (String, bool)>,
    /// The numbers of the emits in the log.
    pub(crate) log: BTreeMap<Offset, u64>,
    pub(crate) errors: Vec<String>,
    /// How often a session was restored with other rooms, which had not been stored.
    pub(crate) forgotten: usize,
}

impl Session {
    fn belongs(&self, sid: &str, room: &str, offset: Offset) -> Belongs {
        if room == sid {
            return Belongs::Yes;
        }
        let changes = self.rooms.get(room).map(Vec::as_slice).unwrap_or_default();
        changes.iter().rev().find(|(after, _)| *after < offset).map_or(Belongs::No, |(_, belongs)| *belongs)
    }

    fn is_for(&self, sid: &str, audience: &Audience, offset: Offset) -> Belongs {
        let of = |rooms: &[String]| rooms.iter().map(|room| self.belongs(sid, room, offset)).max();
        let included = match &audience.session {
            Some(only) if only == sid => Belongs::Yes,
            Some(_) => Belongs::No,
            None => of(&audience.rooms).unwrap_or(Belongs::Yes),
        };
        match of(&audience.except).unwrap_or(Belongs::No) {
            Belongs::No => included,
            Belongs::Maybe => included.min(Belongs::Maybe),
            Belongs::Yes => Belongs::No,
        }
    }

    pub(crate) fn room_changed(&mut self, room: &'static str, after: Offset, joined: bool) {
        let belongs = if joined { Belongs::Yes } else { Belongs::No };
        self.rooms.entry(room).or_default().push((after, belongs));
    }

    /// A change of rooms after this offset may not be stored.
    pub(crate) fn unsaved(&mut self, after: Offset) {
        self.unsaved_after = Some(self.unsaved_after.map_or(after, |old| old.min(after)));
    }

    pub(crate) fn saved(&mut self) {
        self.unsaved_after = None;
    }

    /// It was restored with the rooms that were stored. Returns whether they are other ones than
    /// those that it was in.
    fn restored(&mut self, now: Offset) -> Result<bool, String> {
        let (unsaved_after, mut has_forgotten) = (self.unsaved_after.take(), false);
        for room in ROOMS {
            let is_in = self.socket.is_in(room);
            let changes = self.rooms.entry(room).or_default();
            let was_in = changes.last().is_some_and(|(_, belongs)| *belongs == Belongs::Yes);
            let unsaved = unsaved_after.and_then(|unsaved| changes.iter().position(|(after, _)| *after >= unsaved));
            if let Some(unsaved) = unsaved {
                changes.truncate(unsaved + 1);
                changes[unsaved].1 = Belongs::Maybe;
                changes.push((now, if is_in { Belongs::Yes } else { Belongs::No }));
                has_forgotten |= is_in != was_in;
            } else if is_in != was_in {
                return Err(format!("a session was restored, and is in {room}: {is_in}. It was: {was_in}"));
            }
        }
        Ok(has_forgotten)
    }
}

impl Model {
    /// A server has accepted a connection, having read the log up to `position`.
    pub(crate) fn accepted(&mut self, socket: &Socket, server: usize, attempt: usize, position: Option<Offset>) {
        let sid = socket.id().to_string();
        let recovered = matches!(socket.recovery(), RecoveryState::Restored { .. });
        self.accepted.insert(attempt, (sid.clone(), recovered));
        match (self.sessions.get_mut(&sid), recovered) {
            // The client has left this connection, and resumed its session with a later one. If it
            // was stored eagerly, both have it. Which one is stored in the end is a matter of luck.
            (Some(session), true) if attempt < session.attempt => session.unsaved(Offset::default()),
            (Some(session), true) => {
                (session.socket, session.server, session.attempt) = (socket.clone(), server, attempt);
                session.removed.clear();
                match session.restored(position.unwrap_or_default()) {
                    Ok(has_forgotten) => self.forgotten += usize::from(has_forgotten),
                    Err(error) => self.errors.push(error),
                }
            }
            (None, false) => {
                let (rooms, removed, unsaved_after) = (BTreeMap::new(), Vec::new(), None);
                let socket = socket.clone();
                let session =
                    Session { socket, server, attempt, certain_after: position, rooms, removed, unsaved_after };
                self.sessions.insert(sid, session);
            }
            (session, recovered) => {
                let is_known = session.is_some();
                self.errors.push(format!("the session {sid} is known: {is_known}, and restored: {recovered}"));
            }
        }
    }

    /// A server has begun to read the log.
    pub(crate) fn begins(&mut self, server: usize, position: Offset) {
        for session in self.sessions.values_mut().filter(|session| session.server == server) {
            session.certain_after.get_or_insert(position);
        }
    }

    /// Messages were removed from the log before a server has read them. Its clients miss them, and
    /// are told when they want to resume.
    pub(crate) fn removed(&mut self, server: usize, after: Offset, to: Offset) {
        for session in self.sessions.values_mut().filter(|session| session.server == server) {
            session.removed.push((after, to));
        }
    }

    /// What is missing or wrong in what a client has received in a session. It was told if there is
    /// more that it has missed, unless `is_complete`.
    pub(crate) fn check(&self, segment: &Segment, is_complete: bool) -> Result<(), String> {
        let Segment { sid, opened_at, received, .. } = segment;
        let Some(session) = self.sessions.get(sid) else { return Err(format!("the session {sid} is unknown")) };
        let mut numbers: Vec<_> = received.iter().map(|received| received.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.len() != received.len() {
            return Err("a message came twice".to_owned());
        }
        let mut logged =
            received.iter().filter_map(|Received { number, offset }| Some((*number, (*offset)?))).peekable();
        let last = logged.clone().last().map(|(_, offset)| offset);
        for (offset, number) in &self.log {
            if let Some((_, received)) = logged.next_if(|(next, _)| next == number) {
                if received != *offset {
                    return Err(format!("{number} came with the offset {received}, and not {offset}"));
                }
                if self.is_for(session, sid, *number, *offset) == Belongs::No || offset <= opened_at {
                    return Err(format!("{number} at {offset} was not for it"));
                }
                continue;
            }
            if !is_complete && last.is_none_or(|last| last < *offset) {
                break;
            }
            if self.is_for(session, sid, *number, *offset) == Belongs::Yes {
                return Err(format!("{number} at {offset} is missing"));
            }
        }
        match logged.next() {
            Some((number, offset)) => {
                Err(format!("{number} at {offset} came in the wrong order, or is not in the log"))
            }
            None => self.check_unlogged(received),
        }
    }

    fn is_for(&self, session: &Session, sid: &str, number: u64, offset: Offset) -> Belongs {
        let Some(emit) = usize::try_from(number).ok().and_then(|number| self.emits.get(number)) else {
            return Belongs::No;
        };
        let belongs = session.is_for(sid, &emit.audience, offset);
        let is_removed = session.removed.iter().any(|(after, to)| *after < offset && offset <= *to);
        let is_certain = !is_removed && session.certain_after.is_some_and(|after| after < offset);
        if is_certain { belongs } else { belongs.min(Belongs::Maybe) }
    }

    /// A message without an offset is one that could not be logged.
    fn check_unlogged(&self, received: &[Received]) -> Result<(), String> {
        let is_wrong = |received: &&Received| {
            let emit = usize::try_from(received.number).ok().and_then(|number| self.emits.get(number));
            received.offset.is_none() && emit.is_none_or(|emit| emit.unlogged_for.is_none())
        };
        match received.iter().find(is_wrong) {
            Some(received) => Err(format!("{} was logged, but came without an offset", received.number)),
            None => Ok(()),
        }
    }

    /// The first of the earliest messages that was not logged, was delivered to the session, and is
    /// not among those that its client has received.
    pub(crate) fn missing_unlogged(&self, segment: &Segment, earliest: usize) -> Option<usize> {
        let is_missing = |(number, emit): &(usize, &Emit)| {
            emit.unlogged_for.as_ref().is_some_and(|sessions| sessions.contains(&segment.sid))
                && !segment.received.iter().any(|received| received.number == *number as u64)
        };
        self.emits.iter().enumerate().take(earliest).find(is_missing).map(|(number, _)| number)
    }
}
