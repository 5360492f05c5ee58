//! The session of a [`Socket`] that its client can resume.

use http::Extensions;
use std::sync::Arc;

#[cfg(feature = "cluster")]
use super::SocketId;
#[cfg(feature = "cluster")]
use super::attributes::SocketAttributes;
use super::notices::Notice;
use super::reliable::queue::Resent;
use super::{Identity, Socket};
#[cfg(feature = "cluster")]
use crate::connection_handle::outbox::Outbox;
use crate::hub::Hub;
use crate::hub::aliases::{Command, Peer};
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::recovery::RecoveryState;
use crate::hub::recovery::namespace::{Order, RecoveryOf};
use crate::hub::recovery::resuming::{Beginning, Claim, wait_for_end};
use crate::hub::recovery::session::Session;
use crate::session::disconnect::Disconnect;
use crate::session::end::End;
use crate::wire::encoding::SessionEvent;
use crate::wire::frame::EncodedFrame;
use crate::wire::shown::Shown;

/// Recovery.
impl Socket {
    /// Whether the client has resumed an earlier session: it has the id, the rooms and the
    /// attributes of the socket before, and receives what was emitted in the meantime.
    ///
    /// ```
    /// use socketio::{EmitError, Socket, event};
    ///
    /// #[event(connect)]
    /// fn joined(socket: &Socket) -> Result<(), EmitError> {
    ///     if socket.recovered() {
    ///         return Ok(());
    ///     }
    ///     socket.emit(("welcome", "you are new here"))
    /// }
    /// ```
    pub fn recovered(&self) -> bool {
        matches!(self.recovery(), RecoveryState::Restored { .. })
    }

    /// Whether the client has resumed an earlier session, how many messages it had missed, or why
    /// it could not. See [recovery](crate::guide::recovery).
    pub fn recovery(&self) -> RecoveryState {
        self.session().map_or(RecoveryState::New, Session::state)
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        self.0.session.as_deref()
    }

    /// The client has connected again. This connection ends, and its session is kept.
    pub(crate) fn cut_off(&self) {
        tracing::debug!(socket = %self.shown_id(), "the client has connected again");
        self.tell_disconnect(&Disconnect::cut().into_engine());
        self.depart(true);
        self.peer().handle.post(Command::End(End::replaced()));
    }

    /// What the client is told when it is connected, and how it can resume.
    pub(super) fn greeting(&self, id: &str) -> Option<EncodedFrame> {
        let (encoding, session) = (&self.peer().encoding, self.session());
        let token = session.map(|session| &**session.token());
        encoding.connect(self.namespace(), id, token).or_else(|| {
            let expires = self.namespace_inner().recovery()?.max_disconnection().as_secs();
            encoding.session(&SessionEvent { token: token?, recovered: self.recovered(), expires })
        })
    }

    /// Whether both sockets are the same, or one has resumed the session of the other.
    pub(crate) fn has_same_client(&self, other: &Self) -> bool {
        self == other || self.session().zip(other.session()).is_some_and(|(own, other)| own.number() == other.number())
    }

    /// Holds the order of the namespace if the client can resume.
    pub(super) fn order(&self) -> Option<Order<'_>> {
        self.session()?;
        self.namespace_inner().recovery().map(|recovery| recovery.order())
    }

    /// Creates and registers a socket whose client can resume, or does.
    pub(super) fn register_resumable(
        recovery: &Arc<RecoveryOf>,
        hub: Hub,
        namespace: Arc<NamespaceInner>,
        peer: Arc<Peer>,
        extensions: Extensions,
        identity: Identity<'_>,
        claim: Option<&Claim<'_>>,
    ) -> Self {
        let has_shared = recovery.shared().is_some();
        if let Some(claim) = claim.filter(|_| !has_shared) {
            recovery.cut_old_connection(claim);
        }
        let order = recovery.order();
        let registry = Arc::clone(&namespace);
        let registry = registry.registry();
        let (session, mut past) = match recovery.begin(&order, claim, registry, &peer.encoding) {
            Beginning::Undecided(session) => (session, None),
            Beginning::New(session) => (session, None),
            Beginning::Resumed { session, past } => (session, Some(past)),
        };
        let id = past.as_ref().map_or_else(|| identity.id(&hub), |past| past.kept.id.clone());
        let socket = Self::new(hub, namespace, peer, extensions, &identity, id, Some(Box::new(session)));
        socket.begin_notices();
        let mut id = socket.id();
        while !registry.add(id.clone(), &socket) {
            id = identity.id(socket.hub());
            *socket.0.id.write() = id.clone();
        }
        if let Some(past) = &past {
            let mut rooms = socket.0.rooms.lock();
            for room in &past.kept.rooms {
                let room = registry.rooms().join(room, &socket);
                rooms.insert(Arc::clone(&room));
                socket.note(|| Notice::Joined(room));
            }
        }
        // What is emitted from now on is held back, and follows these events.
        let resent =
            past.as_mut().and_then(|past| past.kept.reliable.take()).map(|reliable| socket.resume_reliable(reliable));
        let undecided = claim.filter(|_| has_shared);
        if let Some(session) = socket.session().filter(|_| undecided.is_none()) {
            recovery.add(&order, session, &socket);
        }
        drop(order);
        if let Some(claim) = undecided {
            socket.with_side(|side| side.claim = Some(Box::new(claim.to_owned())));
        }
        if let Some(mut past) = past {
            let mut replay = recovery.replay(&past, socket.peer(), socket.namespace());
            for packet in resent.iter().flat_map(Resent::packets) {
                packet.with_frame(&socket.peer().encoding, socket.namespace(), |frame| replay.append(frame));
            }
            socket.with_side(|side| {
                side.attributes = past.kept.attributes.clone();
                side.replay = Some(Box::new(replay));
                side.previous = past.kept.ending.take();
            });
            if let Some(expires) = past.kept.expires {
                socket.set_expires(expires);
            }
        }
        match socket.recovery() {
            RecoveryState::New => {}
            state => {
                socket.hub().counters().recovery(state);
                tracing::debug!(socket = %Shown(&id), ?state, "a client comes back");
            }
        }
        socket.tell_added(id);
        socket
    }

    /// Takes what the client claims, if the cluster has to be asked about it.
    pub(crate) fn take_claim(&self) -> Option<Box<Claim<'static>>> {
        self.session()?;
        self.0.side.lock().as_mut()?.claim.take()
    }

    /// The id and the rooms, without the room with the id.
    #[cfg(feature = "cluster")]
    pub(crate) fn id_and_rooms(&self) -> (SocketId, Vec<Arc<str>>) {
        let rooms = self.0.rooms.lock().iter().cloned().collect();
        (self.id(), rooms)
    }

    /// Gives the id and the rooms of a session to a socket that has not been accepted. The caller
    /// holds the order of the namespace, and calls [`tell_adapter`](Self::tell_adapter) afterwards.
    /// Returns `false` if the id is taken, or the socket is gone.
    #[cfg(feature = "cluster")]
    pub(crate) fn take_over<'a>(&self, id: &str, rooms: impl Iterator<Item = &'a str>) -> bool {
        let registry = self.namespace_inner().registry();
        let mut current = self.0.id.write();
        let id = SocketId::from(id);
        if self.is_gone() || !registry.rename(self, &current, &id) {
            return false;
        }
        let from = std::mem::replace(&mut *current, id.clone());
        self.note(|| Notice::Renamed { from, to: id });
        drop(current);
        let mut joined = self.0.rooms.lock();
        for room in rooms {
            if joined.contains(room) {
                continue;
            }
            let room = registry.rooms().join(room, self);
            joined.insert(Arc::clone(&room));
            self.note(|| Notice::Joined(room));
        }
        true
    }

    /// Sets what a resumed socket has from the one before, and what its client has missed.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_replay(&self, attributes: SocketAttributes, replay: Outbox) {
        self.with_side(|side| {
            side.attributes = attributes;
            side.replay = Some(Box::new(replay));
        });
    }

    /// What is kept of the socket has changed.
    pub(crate) fn tell_changed(&self) {
        let Some(recovery) = self.session().and_then(|_| self.namespace_inner().recovery()) else { return };
        if let Some(shared) = recovery.shared() {
            shared.changed(recovery, self);
        }
    }

    /// Takes the socket whose session this one has resumed, if the events of its end still run.
    pub(crate) fn take_previous(&self) -> Option<Self> {
        self.session()?;
        self.0.side.lock().as_mut()?.previous.take()
    }

    /// Waits for the events of the end of the socket whose session this one has resumed, which may
    /// change its attributes.
    pub(crate) async fn follow(&self, previous: &Self) {
        wait_for_end(previous).await;
        let attributes = previous.attributes();
        self.with_side(|side| side.attributes = attributes);
    }

    /// The last event of the socket has run.
    pub(crate) fn tell_ended(&self) {
        if let (Some(session), Some(recovery)) = (self.session(), self.namespace_inner().recovery()) {
            recovery.ended(self, session);
        }
    }
}
