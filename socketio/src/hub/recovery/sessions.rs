//! [`Sessions`]: the sessions of one namespace that clients can resume, by their tokens.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::RecoveryFailure;
use super::session::Past;
use crate::hub::Hub;
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::revoking::Revoked;
use crate::hub::socket::attributes::SocketAttributes;
use crate::hub::socket::reliable::queue::Unresumed;
use crate::hub::socket::{Expires, Socket, SocketId};

/// The number of entries from which on those of resumed sessions are looked for.
const MANY: usize = 64;

#[derive(Debug)]
pub(crate) struct Sessions {
    by_token: HashMap<Arc<str>, Held>,
    /// The tokens of sessions that are cut off, by the ids of their sockets.
    by_id: HashMap<SocketId, Arc<str>>,
    /// When sessions expire, in this order. A session that was resumed meanwhile has another `cut`.
    expiring: VecDeque<(Instant, Arc<str>, u64)>,
    /// The length of `expiring` at which entries of resumed sessions are dropped.
    full_at: usize,
    /// The number of sessions that are cut off.
    held: usize,
    /// The number of times that a session was cut off.
    cuts: u64,
    last_number: u64,
    max_sessions: usize,
    max_disconnection: Duration,
}

#[derive(Debug)]
enum Held {
    /// The client is connected, or was when this server last heard of it.
    Live(Socket),
    CutOff(Box<CutOff>),
    /// The client came back too late, or will. The number is that of the cut.
    Expired(u64),
}

/// A session whose client is cut off.
#[derive(Debug)]
pub(crate) struct CutOff {
    pub(crate) id: SocketId,
    pub(crate) rooms: Vec<Arc<str>>,
    pub(crate) attributes: SocketAttributes,
    pub(crate) past: Past,
    /// When the client's proof of identity runs out.
    pub(crate) expires: Option<Expires>,
    /// The events that are repeated until the client has acked them.
    pub(crate) reliable: Option<Unresumed>,
    /// The socket, while the events of its end run.
    pub(crate) ending: Option<Socket>,
    _lease: Option<Lease>,
    cut: u64,
    /// When it expires.
    until: Option<Instant>,
}

/// Keeps a dynamic namespace, as a socket does.
#[derive(Debug)]
pub(crate) struct Lease {
    hub: Hub,
    namespace: Arc<NamespaceInner>,
}

impl Lease {
    pub(crate) fn of(socket: &Socket) -> Option<Self> {
        let (hub, namespace) = (socket.hub(), socket.namespace_inner());
        namespace.is_dynamic().then(|| {
            hub.acquire(namespace);
            Self { hub: hub.clone(), namespace: Arc::clone(namespace) }
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.hub.release(&self.namespace);
    }
}

/// Sessions that were dropped. The caller holds no lock when it drops them, because a lease may
/// remove its namespace.
#[derive(Default)]
pub(crate) struct DroppedSessions(Vec<Held>);

impl CutOff {
    pub(crate) fn new(id: SocketId, rooms: Vec<Arc<str>>, past: Past, socket: &Socket) -> Self {
        let attributes = socket.attributes();
        let ending = Some(socket.clone());
        let (reliable, expires) = (socket.cut_reliable(), socket.expires());
        let _lease = Lease::of(socket);
        Self { id, rooms, attributes, past, expires, reliable, ending, _lease, cut: 0, until: None }
    }
}

impl Sessions {
    pub(crate) fn new(max_sessions: usize, max_disconnection: Duration) -> Self {
        Self {
            by_token: HashMap::new(),
            by_id: HashMap::new(),
            expiring: VecDeque::new(),
            full_at: 0,
            held: 0,
            cuts: 0,
            last_number: 0,
            max_sessions,
            max_disconnection,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_token.is_empty()
    }

    /// The number of a new session.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(crate) fn add(&mut self, token: Arc<str>, socket: Socket) {
        self.by_token.insert(token, Held::Live(socket));
    }

    /// The socket of a session whose client is connected.
    pub(crate) fn live(&self, token: &str) -> Option<&Socket> {
        match self.by_token.get(token) {
            Some(Held::Live(socket)) => Some(socket),
            _ => None,
        }
    }

    /// The sockets of all clients that are connected.
    #[cfg(feature = "cluster")]
    pub(crate) fn live_sockets(&self) -> Vec<Socket> {
        let live = |held: &Held| if let Held::Live(socket) = held { Some(socket.clone()) } else { None };
        self.by_token.values().filter_map(live).collect()
    }

    pub(crate) fn cut_off(&self, token: &str) -> Option<&CutOff> {
        match self.by_token.get(token) {
            Some(Held::CutOff(session)) => Some(session),
            _ => None,
        }
    }

    pub(crate) fn cut_off_mut(&mut self, token: &str) -> Option<&mut CutOff> {
        match self.by_token.get_mut(token) {
            Some(Held::CutOff(session)) => Some(session),
            _ => None,
        }
    }

    /// The token of the cut off session whose socket had this id.
    pub(crate) fn token_of(&self, id: &str) -> Option<Arc<str>> {
        self.by_id.get(id).cloned()
    }

    /// The cut off session whose socket had this id.
    pub(crate) fn with_id(&self, id: &str) -> Option<&CutOff> {
        self.by_id.get(id).and_then(|token| self.cut_off(token))
    }

    /// Ends a session that can't be resumed.
    pub(crate) fn remove(&mut self, token: &str, socket: &Socket) {
        if self.live(token) == Some(socket) {
            self.by_token.remove(token);
        }
    }

    /// Keeps the session of a socket whose connection was cut.
    pub(crate) fn keep(&mut self, token: &Arc<str>, mut session: CutOff, now: Instant, dropped: &mut DroppedSessions) {
        self.cuts += 1;
        let until = now + self.max_disconnection;
        (session.cut, session.until) = (self.cuts, Some(until));
        self.by_id.insert(session.id.clone(), Arc::clone(token));
        self.by_token.insert(Arc::clone(token), Held::CutOff(Box::new(session)));
        self.held += 1;
        self.forget_resumed();
        self.expiring.push_back((until, Arc::clone(token), self.cuts));
        while self.held > self.max_sessions {
            let Some((_, token, cut)) = self.expiring.pop_front() else { return };
            self.drop_session(&token, cut, false, dropped);
        }
    }

    /// Drops the entries of sessions that were resumed, if there may be as many as others. Those
    /// that have expired are not more than `max_sessions`, because all of them were held at once.
    fn forget_resumed(&mut self) {
        if self.expiring.len() < self.full_at.max(MANY) {
            return;
        }
        let by_token = &self.by_token;
        self.expiring.retain(|(_, token, cut)| match by_token.get(token) {
            Some(Held::CutOff(session)) => session.cut == *cut,
            Some(Held::Expired(expired)) => expired == cut,
            _ => false,
        });
        self.full_at = self.expiring.len() * 2;
    }

    /// Drops a session if it was not resumed since this cut.
    fn drop_session(&mut self, token: &Arc<str>, cut: u64, remember: bool, dropped: &mut DroppedSessions) {
        match self.by_token.get(token) {
            Some(Held::CutOff(session)) if session.cut == cut => {
                if self.by_id.get(&session.id) == Some(token) {
                    self.by_id.remove(&session.id);
                }
                self.held -= 1;
                let replaced = match remember {
                    true => self.by_token.insert(Arc::clone(token), Held::Expired(cut)),
                    false => self.by_token.remove(token),
                };
                dropped.0.extend(replaced);
            }
            Some(Held::Expired(expired)) if *expired == cut && !remember => {
                self.by_token.remove(token);
            }
            _ => {}
        }
    }

    /// Drops what has expired. Tokens are remembered as long again, to tell why they fail.
    pub(crate) fn expire(&mut self, now: Instant, dropped: &mut DroppedSessions) {
        while self.expiring.front().is_some_and(|(until, ..)| *until + self.max_disconnection <= now) {
            let Some((_, token, cut)) = self.expiring.pop_front() else { return };
            self.drop_session(&token, cut, false, dropped);
        }
        let expired = self.expiring.iter().take_while(|(until, ..)| *until <= now);
        for (_, token, cut) in expired.cloned().collect::<Vec<_>>() {
            self.drop_session(&token, cut, true, dropped);
        }
        if self.by_token.capacity() > 64 && self.by_token.len() < self.by_token.capacity() / 8 {
            self.by_token.shrink_to(self.by_token.len() * 2);
            self.by_id.shrink_to(self.by_id.len() * 2);
        }
    }

    /// Drops the sessions that are cut off and have an attribute. Returns their number.
    pub(crate) fn revoke(&mut self, revoked: &Revoked, dropped: &mut DroppedSessions) -> usize {
        let tokens = self.by_token.iter().filter_map(|(token, held)| match held {
            Held::CutOff(session) if revoked.includes(&session.attributes) => Some((Arc::clone(token), session.cut)),
            _ => None,
        });
        let tokens: Vec<_> = tokens.collect();
        tokens.iter().for_each(|(token, cut)| self.drop_session(token, *cut, false, dropped));
        tokens.len()
    }

    /// Drops all sessions that are cut off.
    pub(crate) fn clear(&mut self, dropped: &mut DroppedSessions) {
        for (_, token, cut) in std::mem::take(&mut self.expiring) {
            self.drop_session(&token, cut, false, dropped);
        }
    }

    /// Looks at the session of a client that wants to resume it. There is one winner: it
    /// [takes](Self::take) the session under the same lock.
    pub(crate) fn find(&self, token: &str, now: Instant) -> Result<&CutOff, RecoveryFailure> {
        match self.by_token.get(token) {
            None => Err(RecoveryFailure::Unknown),
            Some(Held::Expired(_)) => Err(RecoveryFailure::Expired),
            Some(Held::Live(_)) => Err(RecoveryFailure::Taken),
            Some(Held::CutOff(session)) if session.until.is_some_and(|until| until <= now) => {
                Err(RecoveryFailure::Expired)
            }
            Some(Held::CutOff(session)) if session.expires.is_some_and(|expires| expires.is_over(now)) => {
                Err(RecoveryFailure::Unauthorized)
            }
            Some(Held::CutOff(session)) => Ok(session),
        }
    }

    pub(crate) fn take(&mut self, token: &str) -> Option<CutOff> {
        self.cut_off(token)?;
        let Some((token, Held::CutOff(session))) = self.by_token.remove_entry(token) else { return None };
        if self.by_id.get(&session.id) == Some(&token) {
            self.by_id.remove(&session.id);
        }
        self.held -= 1;
        Some(*session)
    }

    /// The last event of a socket has run. Later changes of its attributes are not kept.
    pub(crate) fn ended(&mut self, token: &str, socket: &Socket, attributes: SocketAttributes) -> Option<Socket> {
        match self.by_token.get_mut(token) {
            Some(Held::CutOff(session)) if session.ending.as_ref() == Some(socket) => {
                session.attributes = attributes;
                session.ending.take()
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(60);

    fn cut(sessions: &mut Sessions, token: &str, now: Instant) {
        let session = CutOff {
            id: SocketId::from(token),
            rooms: Vec::new(),
            attributes: SocketAttributes::default(),
            past: Past::default(),
            expires: None,
            reliable: None,
            ending: None,
            _lease: None,
            cut: 0,
            until: None,
        };
        sessions.keep(&token.into(), session, now, &mut DroppedSessions::default());
    }

    #[test]
    fn sessions_that_were_resumed_evict_no_others() {
        let (mut sessions, now) = (Sessions::new(2, TIME), Instant::now());
        cut(&mut sessions, "first", now);
        for _ in 0..10 {
            cut(&mut sessions, "busy", now);
            assert!(sessions.take("busy").is_some());
        }
        assert!(sessions.find("first", now).is_ok());
        cut(&mut sessions, "second", now);
        cut(&mut sessions, "third", now);
        assert_eq!(sessions.find("first", now).err(), Some(RecoveryFailure::Unknown));
        assert!(sessions.find("second", now).is_ok() && sessions.find("third", now).is_ok());
    }

    #[test]
    fn sessions_that_have_expired_evict_no_others() {
        let (mut sessions, now) = (Sessions::new(2, TIME), Instant::now());
        cut(&mut sessions, "old", now);
        cut(&mut sessions, "first", now + TIME / 2);
        sessions.expire(now + TIME, &mut DroppedSessions::default());
        cut(&mut sessions, "second", now + TIME);
        assert_eq!(sessions.find("old", now + TIME).err(), Some(RecoveryFailure::Expired));
        assert!(sessions.find("first", now + TIME).is_ok());
    }

    #[test]
    fn entries_of_resumed_sessions_take_bounded_memory() {
        let (mut sessions, now) = (Sessions::new(1_000, TIME), Instant::now());
        cut(&mut sessions, "first", now);
        for _ in 0..10_000 {
            cut(&mut sessions, "busy", now);
            assert!(sessions.take("busy").is_some());
        }
        cut(&mut sessions, "busy", now + TIME / 2);
        assert!(sessions.expiring.len() <= MANY, "{}", sessions.expiring.len());
        // Earlier cuts do not shorten the time for which the token is remembered.
        sessions.expire(now + TIME * 3 / 2, &mut DroppedSessions::default());
        sessions.expire(now + TIME * 2, &mut DroppedSessions::default());
        assert_eq!(sessions.find("busy", now + TIME * 2).err(), Some(RecoveryFailure::Expired));
        sessions.expire(now + TIME * 3, &mut DroppedSessions::default());
        assert!(sessions.is_empty() && sessions.expiring.is_empty());
        assert_eq!(sessions.held, 0);
    }
}
