//! A client that comes back resumes its session: the socket gets the id, the rooms and the
//! attributes of the old one, and the messages that were missed.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::block::{Block, Entry};
use super::namespace::{Order, RecoveryOf, now};
use super::session::{Session, new_number, new_token};
use super::sessions::CutOff;
use super::{RecoveryFailure, RecoveryState};
use crate::connection_handle::outbox::Outbox;
use crate::hub::aliases::Peer;
use crate::hub::namespace::registry::Registry;
use crate::hub::socket::Socket;
use crate::wire::encoding::Encoding;
use crate::wire::offset::Offset;
use crate::wire::packet::Frames;

/// How long a client that comes back waits for the events of its old socket's end.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// What a client sends to resume its session.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Claim<'a> {
    #[serde(borrow, default, rename = "pid", alias = "token")]
    token: Option<Text<'a>>,
    #[serde(borrow, default)]
    offset: Option<Text<'a>>,
}

/// A string, or any other value.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Other(#[allow(dead_code, reason = "`untagged` needs a value")] IgnoredAny),
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            // No token and no offset is empty.
            Self::Other(_) => "",
        }
    }
}

impl<'a> Claim<'a> {
    /// Reads the auth payload of a Socket.IO client. `None`: it does not try to resume.
    pub(crate) fn of_auth(auth: &'a str) -> Option<Self> {
        // Most clients have nothing to resume.
        if !auth.contains("\"pid\"") {
            return None;
        }
        serde_json::from_str(auth).ok().filter(|claim: &Self| claim.token.is_some())
    }

    /// Reads the first message of a plain client. `None`: it is another message.
    pub(crate) fn of_message(text: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(borrow)]
            resume: Claim<'a>,
        }
        serde_json::from_str(text).ok().map(|Message { resume }| resume)
    }

    pub(super) fn token(&self) -> &str {
        self.token.as_ref().map_or("", Text::as_str)
    }

    /// The last message that the client has received, as it says.
    pub(super) fn offset(&self) -> Result<Option<Offset>, RecoveryFailure> {
        let offset = self.offset.as_ref().map(|offset| Offset::parse(offset.as_str()));
        offset.map(|offset| offset.ok_or(RecoveryFailure::Unknown)).transpose()
    }

    /// The token of the session that the client has resumed. Socket.IO clients only accept the one
    /// that they know.
    pub(super) fn next_token(&self, is_plain: bool) -> Arc<str> {
        if is_plain { new_token() } else { self.token().into() }
    }

    pub(crate) fn to_owned(&self) -> Claim<'static> {
        let owned =
            |text: &Option<Text<'_>>| text.as_ref().map(|text| Text::Text(Cow::Owned(text.as_str().to_owned())));
        Claim { token: owned(&self.token), offset: owned(&self.offset) }
    }
}

/// How a socket begins.
pub(crate) enum Beginning {
    /// The cluster has to be asked.
    Undecided(Session),
    New(Session),
    Resumed {
        session: Session,
        past: Box<Resumed>,
    },
}

/// What a socket that resumes a session gets from the one before.
pub(crate) struct Resumed {
    pub(crate) kept: CutOff,
    missed: Missed,
}

/// A copy of the messages that a client has missed, with their offsets.
#[derive(Default)]
struct Missed {
    offsets: Vec<Offset>,
    messages: Block,
}

impl Missed {
    fn of(missed: &[(Offset, Entry<'_>)]) -> Self {
        let mut messages = Block::default();
        missed.iter().for_each(|(_, entry)| messages.push_copy(entry));
        Self { offsets: missed.iter().map(|(offset, _)| *offset).collect(), messages }
    }

    fn iter(&self) -> impl Iterator<Item = (Offset, Entry<'_>)> {
        self.offsets.iter().copied().zip(self.messages.entries(0))
    }
}

impl RecoveryOf {
    /// Ends the socket of a session that a client resumes although it is connected. That happens if
    /// the client has noticed earlier than this server that its connection is dead, or was cut off
    /// again before it was accepted.
    pub(crate) fn cut_old_connection(&self, claim: &Claim<'_>) {
        if let Some(old) = self.live(claim.token()).filter(|old| !old.is_gone()) {
            old.cut_off();
        }
    }

    /// Begins the session of a new socket. The caller holds the order until the socket is
    /// registered.
    pub(crate) fn begin(
        &self,
        order: &Order<'_>,
        claim: Option<&Claim<'_>>,
        registry: &Registry,
        encoding: &Encoding,
    ) -> Beginning {
        if self.shared().is_some() {
            return match claim {
                Some(_) => Beginning::Undecided(Session::undecided()),
                None => {
                    Beginning::New(Session::new(new_number(), RecoveryState::New, order.last().unwrap_or_default()))
                }
            };
        }
        let state = match claim.map(|claim| self.resume(order, claim, registry, encoding)) {
            None => RecoveryState::New,
            Some(Ok(beginning)) => return beginning,
            Some(Err(reason)) => RecoveryState::Failed(reason),
        };
        let begun = order.with(|state| (state.sessions.next_number(), state.log.last()));
        let (number, start) = begun.unwrap_or_default();
        Beginning::New(Session::new(number, state, start))
    }

    fn resume(
        &self,
        order: &Order<'_>,
        claim: &Claim<'_>,
        registry: &Registry,
        encoding: &Encoding,
    ) -> Result<Beginning, RecoveryFailure> {
        let is_plain = !encoding.has_namespaces();
        let received = claim.offset()?;
        let resumed = order.with(|state| {
            if received.is_some_and(|received| received.epoch != state.log.epoch()) {
                return Err(RecoveryFailure::Epoch);
            }
            let session = state.sessions.find(claim.token(), now())?;
            if received.is_some_and(|received| received > state.log.last()) {
                return Err(RecoveryFailure::Unknown);
            }
            if registry.get(&session.id).is_some() {
                return Err(RecoveryFailure::Taken);
            }
            let after = session.past.missed_after(received);
            if after.next() < state.log.oldest() || after.next() < session.past.history.known_from() {
                return Err(RecoveryFailure::Trimmed);
            }
            let missed = missed_by(session, state.log.after(after, session.past.number));
            // Raw messages of plain clients have no place for an offset.
            let missed = latest(missed.filter(|(_, entry)| !is_plain || entry.packet.is_event()).collect());
            let bytes: usize = missed.iter().map(|(_, entry)| entry.packet.size()).sum();
            if missed.len() > self.outbox.messages || bytes > self.outbox.bytes {
                return Err(RecoveryFailure::Trimmed);
            }
            let (missed, last) = (Missed::of(&missed), state.log.last());
            let kept = state.sessions.take(claim.token()).ok_or(RecoveryFailure::Unknown)?;
            Ok((kept, missed, last))
        });
        let (mut kept, missed, last) = resumed.unwrap_or(Err(RecoveryFailure::Taken))?;
        let sent = missed.offsets.last().map_or_else(|| kept.past.received(received), |offset| *offset);
        let state = RecoveryState::Restored { missed: missed.offsets.len() };
        let session = Session::undecided();
        session.resume(claim.next_token(is_plain), std::mem::take(&mut kept.past), sent, last);
        session.decide(state);
        Ok(Beginning::Resumed { session, past: Box::new(Resumed { kept, missed }) })
    }

    /// Encodes the messages that a client has missed.
    pub(crate) fn replay(&self, past: &Resumed, peer: &Peer, namespace: &str) -> Outbox {
        let mut outbox = Outbox::default();
        for (offset, entry) in past.missed.iter() {
            let packet = entry.packet.packet();
            let frames = Frames::at(offset);
            frames.with(&packet, &peer.encoding, namespace, |frame| outbox.append(frame));
        }
        outbox
    }

    /// Adds the session of a socket that is registered.
    pub(crate) fn add(self: &Arc<Self>, order: &Order<'_>, session: &Session, socket: &Socket) {
        order.with(|state| state.sessions.add(Arc::clone(session.token()), socket.clone()));
        self.keep_swept();
    }
}

/// The messages that a session should have received.
fn missed_by<'a>(
    session: &CutOff,
    messages: impl Iterator<Item = (Offset, Entry<'a>)>,
) -> impl Iterator<Item = (Offset, Entry<'a>)> {
    let changes = session.past.history.by_room();
    let is_in_now = |room: &str| *session.id == *room || session.rooms.iter().any(|joined| **joined == *room);
    messages.filter(move |(offset, entry)| {
        entry.includes(session.past.number, |room| changes.was_in(room, *offset, || is_in_now(room)))
    })
}

/// The messages without those that a later one replaces.
fn latest(mut missed: Vec<(Offset, Entry<'_>)>) -> Vec<(Offset, Entry<'_>)> {
    let mut seen = HashSet::new();
    missed.reverse();
    missed.retain(|(_, entry)| entry.packet.latest_id().is_none_or(|id| seen.insert(id)));
    missed.reverse();
    missed
}

/// Waits until the events of the old socket's end have run, but not for long.
pub(crate) async fn wait_for_end(old: &Socket) {
    if let Some(session) = old.session() {
        let _late = tokio::time::timeout(MAX_WAIT, session.ended()).await;
    }
}
