//! Selections: whom a message goes to, and how.

use serde::Serialize;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

use crate::event::error::PayloadError;
use crate::event::message::{IntoMessage, Request};
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::socket::answer::FromAnswer;
use crate::hub::socket::answers::AckStream;
use crate::hub::socket::remote::RemoteSocket;
use crate::hub::socket::{Socket, SocketId};

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// No socket has this id.
    #[error("no socket has the id `{0}`")]
    NotFound(String),
    /// The socket takes no more messages: it is closing or gone.
    #[error("the socket is closed")]
    Closed,
    /// The client takes its messages too slowly, and its outbox is full.
    #[error("the outbox is full")]
    Overflow,
    /// The payload does not serialize.
    #[error("the payload does not serialize: {0}")]
    Encode(#[from] serde_json::Error),
    /// No event can have this name: it is empty, or reserved by the framework.
    #[error("no event can be named `{0}`")]
    InvalidName(String),
}

impl EmitError {
    /// What is to be handled as an event can't be decoded.
    pub(crate) fn undecodable(error: PayloadError) -> Self {
        Self::Encode(serde::ser::Error::custom(error.message))
    }
}

/// Whom a message goes to: everyone in the rooms, or without rooms everyone in the namespace, some left out.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    rooms: SmallVec<[Arc<str>; 2]>,
    except_rooms: SmallVec<[Arc<str>; 2]>,
    except: Option<Socket>,
    local: bool,
}

impl Audience {
    pub(crate) fn except(socket: Option<&Socket>) -> Self {
        Self { except: socket.cloned(), ..Self::default() }
    }

    /// The rooms; empty for the whole namespace.
    pub fn rooms(&self) -> &[Arc<str>] {
        &self.rooms
    }

    /// The rooms whose members are left out.
    pub fn except_rooms(&self) -> &[Arc<str>] {
        &self.except_rooms
    }

    /// The socket that is left out: the sender, usually.
    pub fn except_id(&self) -> Option<SocketId> {
        self.except.as_ref().map(Socket::id)
    }

    pub(crate) fn except_socket(&self) -> Option<&Socket> {
        self.except.as_ref()
    }

    /// Whether only sockets of this server are meant.
    pub fn is_local(&self) -> bool {
        self.local
    }
}

/// Some of a namespace's sockets, to be narrowed down further and emitted to.
///
/// ```
/// # fn example(hub: &socketio::Hub, socket: &socketio::Socket) -> Result<(), socketio::EmitError> {
/// hub.to("lobby").to("hall").except("muted").emit(("news", "the doors are open"))?;
/// socket.to("lobby").volatile().emit(("cursor", 3, 4))?; // all of the room but the sender
/// socket.within("lobby").emit(("joined", socket.id()))?; // the sender too
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a selection does nothing until something is emitted to it"]
pub struct Selection<'a> {
    namespace: &'a NamespaceInner,
    /// The one socket that is meant, as long as no room is named.
    own: Option<&'a Socket>,
    audience: Audience,
    volatile: bool,
    timeout: Option<Duration>,
}

impl<'a> Selection<'a> {
    /// Everyone, or everyone but one.
    pub(crate) fn all(namespace: &'a NamespaceInner, except: Option<&Socket>) -> Self {
        Self { namespace, own: None, audience: Audience::except(except), volatile: false, timeout: None }
    }

    /// One socket alone.
    pub(crate) fn own(socket: &'a Socket) -> Self {
        Self { own: Some(socket), ..Self::all(socket.namespace_inner(), None) }
    }

    /// Turns the one socket that was meant into everyone but that one.
    fn others(mut self) -> Self {
        if let Some(own) = self.own.take() {
            self.audience.except = Some(own.clone());
        }
        self
    }

    /// Adds the members of a room. A socket in several of the rooms is reached once; one that selects is left out.
    pub fn to(self, room: impl AsRef<str>) -> Self {
        let mut others = self.others();
        others.audience.rooms.push(room.as_ref().into());
        others
    }

    /// Adds the members of a room, the socket that selects included.
    pub fn within(mut self, room: impl AsRef<str>) -> Self {
        self.own = None;
        self.audience.except = None;
        self.audience.rooms.push(room.as_ref().into());
        self
    }

    /// Leaves the members of a room out.
    pub fn except(self, room: impl AsRef<str>) -> Self {
        let mut others = self.others();
        others.audience.except_rooms.push(room.as_ref().into());
        others
    }

    /// Only the sockets of this server.
    pub fn local(self) -> Self {
        let mut others = self.others();
        others.audience.local = true;
        others
    }

    /// What is emitted is dropped for clients that can't take it now, because earlier messages still wait.
    pub fn volatile(self) -> Self {
        Self { volatile: true, ..self }
    }

    /// How long [`emit_with_ack`](Self::emit_with_ack) and [`request`](Self::request) wait. Default: the hub's
    /// [`ack_timeout`](crate::HubBuilder::ack_timeout).
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Emits to all that are selected and connected to this server, and waits until each of them has answered, the time is over
    /// or it has gone. The message is sent to all of them at once, not only when the future is polled.
    ///
    /// ```
    /// # async fn example(hub: &socketio::Hub) -> Result<(), socketio::AckError> {
    /// let answers = hub.to("jury").emit_with_ack::<u8>(("points?",)).await?;
    /// for (id, points) in &answers.answers {
    ///     println!("{id}: {points}");
    /// }
    /// println!("{} did not answer", answers.missing.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The payload does not serialize, or it is no event.
    pub fn emit_with_ack<T: FromAnswer>(self, message: impl IntoMessage) -> AckStream<T> {
        let packet = match message.into_packet() {
            Ok(packet) if packet.name().is_none() => Err(EmitError::InvalidName(String::new())),
            Ok(packet) => Ok(packet.with_volatile(self.volatile)),
            Err(error) => Err(error),
        };
        let timeout = self.timeout;
        AckStream::ask(&self.sockets(), packet, timeout)
    }

    /// Asks all that are selected and connected to this server, and waits for the answers that belong to the question:
    /// [`emit_with_ack`](Self::emit_with_ack) for payload types that say what they are answered with. See [`AckStream`].
    ///
    /// # Errors
    ///
    /// Those of [`emit_with_ack`](Self::emit_with_ack).
    pub fn request<Q>(self, question: &Q) -> AckStream<Q::Answer>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.emit_with_ack(question)
    }

    /// Lets the selected sockets join rooms. Those that can't, because they are in too many or just leaving, do not.
    pub fn sockets_join<I>(self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let sockets = self.sockets();
        for room in rooms {
            for socket in &sockets {
                if let Err(error) = socket.join(&room) {
                    tracing::debug!(socket = %socket.id(), %error, "a socket did not join a room");
                }
            }
        }
    }

    /// Lets the selected sockets leave rooms.
    pub fn sockets_leave<I>(self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let sockets = self.sockets();
        for room in rooms {
            sockets.iter().for_each(|socket| socket.leave(&room));
        }
    }

    /// [Disconnects](Socket::disconnect) the selected sockets from their namespace.
    pub fn disconnect_sockets(self) {
        self.sockets().iter().for_each(Socket::disconnect);
    }

    /// [Closes](Socket::close) the connections of the selected sockets.
    pub fn close_sockets(self) {
        self.sockets().iter().for_each(Socket::close);
    }

    /// What is known of the selected sockets. Where an adapter connects several servers this is meant to know those of all; the
    /// local one knows those of this.
    pub fn fetch_sockets(self) -> impl Future<Output = Vec<RemoteSocket>> + Send + use<> {
        let fetched = self.sockets().iter().map(RemoteSocket::of).collect();
        std::future::ready(fetched)
    }

    /// Emits to all that are selected.
    ///
    /// # Errors
    ///
    /// The payload does not serialize. That a client's outbox overflows or that nobody is selected is none, except when
    /// one single socket is meant.
    pub fn emit(self, message: impl IntoMessage) -> Result<(), EmitError> {
        let packet = message.into_packet()?.with_volatile(self.volatile);
        match self.own {
            Some(socket) => self.namespace.adapter().emit_to_socket(&packet, socket),
            None => {
                self.namespace.adapter().emit(&packet, &self.audience);
                Ok(())
            }
        }
    }

    /// The selected sockets of this server that are connected.
    pub fn sockets(self) -> Vec<Socket> {
        if let Some(socket) = self.own {
            return vec![socket.clone()];
        }
        let mut sockets = Vec::new();
        self.namespace.registry().for_each(&self.audience, |socket| {
            if socket.is_connected() {
                sockets.push(socket.clone());
            }
        });
        sockets
    }
}
