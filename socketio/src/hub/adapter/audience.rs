//! [`Audience`]: the sockets that a message goes to.

use smallvec::SmallVec;
use std::sync::Arc;

use crate::hub::socket::{Socket, SocketId};

/// The sockets of a namespace that a message or a change is meant for.
///
/// They are the members of [`rooms`](Self::rooms), or all sockets if there are no rooms, without
/// the members of [`except_rooms`](Self::except_rooms) and without the [sender](Self::except_id). A
/// socket in several of the rooms counts once. Each socket is in the room of its own id.
///
/// ```
/// use socketio::Audience;
///
/// let audience = Audience::new(["lobby", "hall"], ["muted"]);
/// assert_eq!(audience.rooms().len(), 2);
/// assert_eq!(&*audience.except_rooms()[0], "muted");
/// assert!(!audience.is_local());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Audience {
    pub(crate) rooms: SmallVec<[Arc<str>; 2]>,
    pub(crate) except_rooms: SmallVec<[Arc<str>; 2]>,
    /// The sender. It is compared by identity, because its id may change.
    pub(crate) except: Option<Socket>,
    pub(crate) local: bool,
}

impl Audience {
    /// The members of `rooms`, or all sockets if there are none, without the members of
    /// `except_rooms`. To exclude a socket, name the room of its id.
    ///
    /// An adapter builds one from the message of another server. This converts an audience to the
    /// form that is sent:
    ///
    /// ```
    /// use socketio::Audience;
    /// use std::sync::Arc;
    ///
    /// fn received(sent: &Audience) -> Audience {
    ///     let sender = sent.except_id().map(Arc::<str>::from);
    ///     Audience::new(sent.rooms().iter().cloned(), sent.except_rooms().iter().cloned().chain(sender))
    /// }
    /// # assert_eq!(received(&Audience::new(["a"], ["b"])).except_rooms().len(), 1);
    /// ```
    pub fn new<R, E>(rooms: R, except_rooms: E) -> Self
    where
        R: IntoIterator<Item: Into<Arc<str>>>,
        E: IntoIterator<Item: Into<Arc<str>>>,
    {
        let rooms = rooms.into_iter().map(Into::into).collect();
        let except_rooms = except_rooms.into_iter().map(Into::into).collect();
        Self { rooms, except_rooms, except: None, local: false }
    }

    /// All sockets of the namespace.
    pub fn everyone() -> Self {
        Self::default()
    }

    /// The same audience among the sockets of this server alone.
    #[must_use]
    pub fn local(self) -> Self {
        Self { local: true, ..self }
    }

    /// Everyone, or everyone but the sender.
    pub(crate) fn except(sender: Option<&Socket>) -> Self {
        Self { except: sender.cloned(), ..Self::default() }
    }

    /// The rooms. Empty: all sockets of the namespace.
    pub fn rooms(&self) -> &[Arc<str>] {
        &self.rooms
    }

    /// The rooms whose members are excluded.
    pub fn except_rooms(&self) -> &[Arc<str>] {
        &self.except_rooms
    }

    /// The id of the sender, which is excluded. It is a socket of this server. `None`: the hub
    /// sends.
    pub fn except_id(&self) -> Option<SocketId> {
        self.except.as_ref().map(Socket::id)
    }

    pub(crate) fn except_socket(&self) -> Option<&Socket> {
        self.except.as_ref()
    }

    /// Whether only sockets of this server are meant. Nothing is to be sent to other servers then.
    pub fn is_local(&self) -> bool {
        self.local
    }
}
