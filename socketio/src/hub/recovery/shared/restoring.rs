//! A client resumes its session, which any server of the cluster may have stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use tokio::time::timeout;

use super::handover::Taken;
use super::saved::SavedSession;
use super::{LoggedEvent, MAX_WAIT, Resumed, Shared};
use crate::cluster::ReadError;
use crate::connection_handle::outbox::Outbox;
use crate::hub::aliases::Command;
use crate::hub::recovery::history::ByRoom;
use crate::hub::recovery::namespace::RecoveryOf;
use crate::hub::recovery::resuming::Claim;
use crate::hub::recovery::session::{Past, new_number};
use crate::hub::recovery::{RecoveryFailure, RecoveryState};
use crate::hub::socket::Socket;
use crate::hub::socket::attributes::SocketAttributes;
use crate::hub::socket::reliable::queue::{ReliableQueue, Resent};
use crate::session::end::End;
use crate::wire::frame::EncodedFrame;
use crate::wire::offset::Offset;
use crate::wire::packet::Frames;
use crate::wire::policy::Policy;

/// What a client has missed.
#[derive(Default)]
struct Missed {
    frames: Outbox,
    /// The number of messages.
    count: usize,
    /// The last of them.
    last: Option<Offset>,
}

impl Missed {
    fn add(&mut self, frame: &EncodedFrame, policy: Policy) {
        let has_replaced = match policy {
            Policy::Latest(id) => self.frames.append_latest(frame, id),
            Policy::Wait | Policy::Volatile => {
                self.frames.append(frame);
                false
            }
        };
        self.count += usize::from(!has_replaced);
    }
}

impl Shared {
    /// Lets a socket resume the session that its client claims, or begin a new one. The socket is
    /// registered, and no message of the log has reached it.
    pub(crate) async fn restore(&self, recovery: &Arc<RecoveryOf>, socket: &Socket, claim: &Claim<'_>) {
        recovery.cut_old_connection(claim);
        if let Err(reason) = self.try_restore(recovery, socket, claim).await {
            recovery.begin_anew(socket, RecoveryState::Failed(reason));
        }
        socket.hub().counters().recovery(socket.recovery());
        tracing::debug!(socket = %socket.shown_id(), state = ?socket.recovery(), "a client comes back");
    }

    async fn try_restore(
        &self,
        recovery: &Arc<RecoveryOf>,
        socket: &Socket,
        claim: &Claim<'_>,
    ) -> Result<(), RecoveryFailure> {
        let received = claim.offset()?;
        let gaps = self.gaps.load(Ordering::Relaxed);
        let Taken { stored, saved, end } = self.take_last(recovery, claim.token()).await?;
        // What the task has not used when its client is gone is stored again.
        let mut unused = Unused { shared: self, socket, token: claim.token(), stored: Some(&stored) };
        let is_over = saved.expiry().is_some_and(|at| at <= SystemTime::now());
        if is_over || self.revoked.includes(&saved.attributes(), saved.stored_at()) {
            return Err(RecoveryFailure::Unauthorized);
        }
        let past = saved.past();
        let wanted = Wanted { gaps, ..Wanted::of(&saved, past.as_ref(), received, end)? };
        let mut missed = Missed::default();
        self.read_missed(recovery, socket, &wanted, wanted.read_after, end, &mut missed).await?;

        let token = claim.next_token(!socket.peer().encoding.has_namespaces());
        let (replayed, resent) = recovery.take_over(socket, token, &wanted, &missed, end)?;
        unused.stored = None;
        if self.read_missed(recovery, socket, &wanted, end, replayed, &mut missed).await.is_err() {
            // The socket has the session already. Its client may try again.
            socket.peer().handle.post(Command::End(End::log_unavailable()));
            return Ok(());
        }
        for packet in resent.iter().flat_map(Resent::packets) {
            let peer = socket.peer();
            packet.with_frame(&peer.encoding, socket.namespace(), |frame| missed.frames.append(frame));
        }
        recovery.replay_shared(socket, saved.attributes(), missed);
        if let Some(at) = saved.expiry() {
            socket.expires_at(at);
        }
        if socket.is_gone() {
            // It may have been resumed elsewhere already.
            return Ok(());
        }
        let _late = timeout(MAX_WAIT, self.log.end_elsewhere(&saved.sid)).await;
        Ok(())
    }

    /// Reads what the client has missed after one offset up to another.
    async fn read_missed(
        &self,
        recovery: &RecoveryOf,
        socket: &Socket,
        wanted: &Wanted<'_>,
        mut after: Offset,
        to: Offset,
        missed: &mut Missed,
    ) -> Result<(), RecoveryFailure> {
        let peer = socket.peer();
        let bounds = recovery.outbox;
        while after < to {
            let page = match timeout(MAX_WAIT, self.log.read(after, to)).await {
                Ok(Ok(page)) => page,
                Ok(Err(ReadError::Trimmed)) => return Err(RecoveryFailure::Trimmed),
                Ok(Err(ReadError::Unavailable(_))) | Err(_) => return Err(RecoveryFailure::Unavailable),
            };
            // A server that has not noticed yet that the session was resumed elsewhere may have
            // stored an older copy of it.
            let is_newer =
                |other: &Resumed| other.id == wanted.saved.sid && wanted.saved.server() != Some(&other.server);
            if wanted.past.is_some() && page.resumed.iter().any(is_newer) {
                return Err(RecoveryFailure::Unknown);
            }
            for event in page.events.iter().filter(|event| wanted.includes(event)) {
                // Raw messages of plain clients have no place for an offset.
                if event.packet.name().is_none() && !peer.encoding.has_namespaces() {
                    continue;
                }
                let frames = Frames::at(event.offset);
                let policy = event.packet.policy(socket.namespace());
                frames.with(&event.packet, &peer.encoding, socket.namespace(), |frame| missed.add(frame, policy));
                missed.last = Some(event.offset);
                if missed.count > bounds.messages || missed.frames.load().bytes > bounds.bytes as u64 {
                    return Err(RecoveryFailure::Trimmed);
                }
            }
            if page.up_to <= after {
                return Err(RecoveryFailure::Trimmed);
            }
            after = page.up_to;
        }
        Ok(())
    }
}

/// What a client that resumes its session is to get.
struct Wanted<'a> {
    saved: &'a SavedSession,
    /// `None` if a server on Node.js has stored the session.
    past: Option<(&'a Past, ByRoom<'a>)>,
    /// It can only have missed messages after this one.
    after: Offset,
    /// What came after this one tells whether the session was resumed elsewhere since.
    read_after: Offset,
    /// How often this server had missed entries of the log before the session was taken.
    gaps: u64,
}

impl<'a> Wanted<'a> {
    fn of(
        saved: &'a SavedSession,
        past: Option<&'a Past>,
        received: Option<Offset>,
        end: Offset,
    ) -> Result<Self, RecoveryFailure> {
        if received.is_some_and(|received| received > end) {
            return Err(RecoveryFailure::Epoch);
        }
        let Some(past) = past else {
            // It is not known where the session began.
            let after = received.ok_or(RecoveryFailure::Unknown)?;
            return Ok(Self { saved, past: None, after, read_after: after, gaps: 0 });
        };
        if past.start == Offset::default() {
            // Its server had read nothing of the log.
            return Err(RecoveryFailure::Unknown);
        }
        let after = past.missed_after(received);
        if past.settled > end {
            return Err(RecoveryFailure::Epoch);
        }
        if past.received(received) < past.unlogged || after.next() < past.history.known_from() {
            return Err(RecoveryFailure::Trimmed);
        }
        let read_after = after.min(past.settled);
        Ok(Self { saved, past: Some((past, past.history.by_room())), after, read_after, gaps: 0 })
    }

    fn includes(&self, event: &LoggedEvent) -> bool {
        let is_in_now = |room: &str| self.saved.rooms.iter().any(|joined| joined == room);
        let is_in = |room: &Arc<str>| match &self.past {
            Some((_, changes)) => changes.was_in(room, event.offset, || is_in_now(room)),
            None => is_in_now(room),
        };
        let audience = &event.audience;
        let is_only = |only: u64| self.past.as_ref().is_none_or(|(past, _)| past.number == only);
        event.offset > self.after
            && event.session.is_none_or(is_only)
            && (audience.rooms().is_empty() || audience.rooms().iter().any(is_in))
            && !audience.except_rooms().iter().any(is_in)
    }
}

/// A session that was taken from the cluster. If the client is cut off again before the socket has
/// it, it is stored again.
struct Unused<'a> {
    shared: &'a Shared,
    socket: &'a Socket,
    token: &'a str,
    stored: Option<&'a [u8]>,
}

impl Drop for Unused<'_> {
    fn drop(&mut self) {
        if let Some(stored) = self.stored.filter(|_| self.socket.is_gone()) {
            self.shared.log.save(self.token, stored);
        }
    }
}

impl RecoveryOf {
    /// Begins a new session for a socket that has none yet.
    pub(crate) fn begin_anew(self: &Arc<Self>, socket: &Socket, state: RecoveryState) {
        let Some(session) = socket.session() else { return };
        let order = self.order();
        session.begin(new_number(), state, order.last().unwrap_or_default());
        if !socket.is_gone() {
            self.add(&order, session, socket);
        }
    }

    /// Gives a session to a socket: its id, its rooms, its past and its reliable events. Returns up
    /// to where the client must get messages from the log, and the reliable events. Live messages
    /// after that are held back.
    fn take_over(
        self: &Arc<Self>,
        socket: &Socket,
        token: Arc<str>,
        wanted: &Wanted<'_>,
        missed: &Missed,
        end: Offset,
    ) -> Result<(Offset, Option<Resent>), RecoveryFailure> {
        let session = socket.session().ok_or(RecoveryFailure::Unknown)?;
        let saved = wanted.saved;
        let order = self.order();
        let last = order.last().ok_or(RecoveryFailure::Taken)?;
        if self.shared().is_none_or(|shared| shared.gaps.load(Ordering::Relaxed) != wanted.gaps) {
            return Err(RecoveryFailure::Trimmed);
        }
        let rooms = saved.rooms.iter().map(String::as_str).filter(|room| *room != saved.sid);
        if !socket.take_over(&saved.sid, rooms) {
            return Err(RecoveryFailure::Taken);
        }
        let replayed = end.max(last);
        let past = match &wanted.past {
            Some((past, _)) => (*past).clone(),
            None => Past { number: new_number(), start: wanted.after, sent: wanted.after, ..Past::default() },
        };
        let sent = missed.last.unwrap_or(past.sent);
        session.resume(token, past, sent, replayed);
        session.decide(RecoveryState::Restored { missed: missed.count });
        // What is emitted from now on is held back, and follows these events.
        let resent = (!saved.reliable().is_empty()).then(|| {
            let (kept, refused) = ReliableQueue::restored(socket.hub(), saved.reliable());
            if !refused.is_empty() {
                tracing::warn!(
                    socket = %socket.shown_id(),
                    events = refused.len(),
                    "reliable events could not be restored"
                );
            }
            socket.resume_reliable(kept)
        });
        self.add(&order, session, socket);
        drop(order);
        socket.tell_adapter();
        Ok((replayed, resent))
    }

    /// Lets a socket receive what its client has missed, when it is accepted.
    fn replay_shared(&self, socket: &Socket, attributes: SocketAttributes, missed: Missed) {
        let Some(session) = socket.session() else { return };
        let order = self.order();
        if let Some(last) = missed.last {
            session.sent_at_least(last);
        }
        session.decide(RecoveryState::Restored { missed: missed.count });
        drop(order);
        socket.set_replay(attributes, missed.frames);
    }
}
