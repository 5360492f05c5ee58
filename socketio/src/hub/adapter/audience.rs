//! [`Audience`]: the sockets that receive a message.

use smallvec::SmallVec;
use std::sync::Arc;

use crate::hub::socket::{Socket, SocketId};

/// The sockets of a namespace that receive a message or a change.
///
/// They are the members of [`rooms`](Self::rooms), or all sockets if there are no rooms. Members of
/// [`except_rooms`](Self::except_rooms) and the [sender](Self::except_id) are left out. A socket in
/// several of the rooms counts once. Each socket is a member of the room with its own id.
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
    /// The sender. It is stored as a socket and not as an id, because ids can change.
    pub(crate) except: Option<Socket>,
    pub(crate) local: bool,
}

impl Audience {
    /// Creates an audience of the members of `rooms`, or of all sockets if there are none, without
    /// the members of `except_rooms`. To leave out one socket, pass the room with its id.
    ///
    /// Adapters use it for audiences that other servers sent. To copy an audience together with its
    /// sender:
    ///
    /// ```
    /// use socketio::Audience;
    /// use std::sync::Arc;
    ///
    /// fn received(sent: &Audience) -> Audience {
    ///     let sender = sent.except_id().map(Arc::<str>::from);
    ///     let except_rooms = sent.except_rooms().iter().cloned().chain(sender);
    ///     Audience::new(sent.rooms().iter().cloned(), except_rooms)
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

    /// Limits the audience to the sockets of this server.
    #[must_use]
    pub fn local(self) -> Self {
        Self { local: true, ..self }
    }

    /// All sockets except the sender, if there is one.
    pub(crate) fn except(sender: Option<&Socket>) -> Self {
        Self { except: sender.cloned(), ..Self::default() }
    }

    /// The selected rooms. Empty if the whole namespace is selected.
    pub fn rooms(&self) -> &[Arc<str>] {
        &self.rooms
    }

    /// The rooms whose members are excluded.
    pub fn except_rooms(&self) -> &[Arc<str>] {
        &self.except_rooms
    }

    /// The id of the sender, which is left out. It is a socket of this server. `None` if there is
    /// no sender.
    pub fn except_id(&self) -> Option<SocketId> {
        self.except.as_ref().map(Socket::id)
    }

    pub(crate) fn except_socket(&self) -> Option<&Socket> {
        self.except.as_ref()
    }

    /// Returns `true` if only sockets of this server are selected. The message must then not be
    /// sent to other servers.
    pub fn is_local(&self) -> bool {
        self.local
    }
}
