//! [`Room`]: who is in a room; and the listing of rooms.

use std::fmt;

use super::{FetchedPage, FetchedRooms, Listed, Page, Selecting};
use crate::hub::adapter::RequestError;
use crate::hub::namespace::Namespace;
use crate::hub::socket::Socket;

/// A room of a namespace, as a listing has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomEntry {
    /// The room's name.
    pub name: String,
    /// The number of members on this server, including those whose `connect` handler still runs.
    pub members: usize,
}

/// A room of a namespace, from [`Namespace::room`]. It has the members on this server;
/// [`fetch_members`](Self::fetch_members) has those on all servers.
///
/// ```
/// use socketio::{Hub, Page};
///
/// # let hub = Hub::builder().build()?;
/// let lobby = hub.room("lobby");
/// println!("{} has {} members", lobby.name(), lobby.len());
/// for socket in lobby.members(&Page::new()).entries {
///     println!("{}", socket.id());
/// }
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Room<'a> {
    namespace: &'a Namespace,
    name: String,
}

impl<'a> Room<'a> {
    fn new(namespace: &'a Namespace, name: &str) -> Self {
        Self { namespace, name: name.to_owned() }
    }

    /// The room's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of connected members on this server. It looks at each member.
    pub fn len(&self) -> usize {
        self.namespace.to(&self.name).count()
    }

    /// Returns `true` if no member is connected to this server.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `true` if the socket is a connected member.
    pub fn contains(&self, socket: &Socket) -> bool {
        socket.is_connected() && self.namespace.namespace_inner().registry().is_in(socket, &self.name)
    }

    /// The connected members on this server, in the order of their ids.
    pub fn members(&self, page: &Page) -> Listed<Socket> {
        self.namespace.to(&self.name).list(page)
    }

    /// The members on all servers, in the order of their ids. See
    /// [`Selection::fetch_page`](crate::Selection::fetch_page).
    ///
    /// # Errors
    ///
    /// The other servers can't be asked.
    pub fn fetch_members(&self, page: &Page) -> impl Future<Output = Result<FetchedPage, RequestError>> + Send + use<> {
        self.namespace.to(&self.name).fetch_page(page)
    }
}

impl fmt::Debug for Room<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Room").field("namespace", &self.namespace.path()).field("name", &self.name).finish()
    }
}

/// Who and what is there. Unless a method says otherwise, on this server.
impl Namespace {
    /// The room with this name, to see who is in it. It need not exist.
    pub fn room(&self, name: impl AsRef<str>) -> Room<'_> {
        Room::new(self, name.as_ref())
    }

    /// The rooms that sockets have joined, in the order of their names. The rooms of their own ids
    /// are not listed: [`list`](crate::Selection::list) has those.
    ///
    /// It looks at all rooms. No lock is held longer than for a sixteenth of them.
    pub fn rooms(&self, page: &Page) -> Listed<RoomEntry> {
        let mut selecting = Selecting::new(page);
        self.namespace_inner().registry().rooms().for_each(|name, members| {
            selecting.offer(name.clone(), || RoomEntry { name: name.to_string(), members });
        });
        selecting.finish()
    }

    /// The names of the rooms on all servers, in order, page by page. Each socket is also in a room
    /// with its own id. It is [`all_rooms`](Self::all_rooms) for many rooms: each server of this
    /// crate looks at all its names, and only sends those of the page. Servers on Node.js send all
    /// names over `Redis`, and descriptions of all sockets over other engines.
    ///
    /// # Errors
    ///
    /// The other servers can't be asked.
    pub fn fetch_rooms(&self, page: &Page) -> impl Future<Output = Result<FetchedRooms, RequestError>> + Send + use<> {
        let namespace = self.namespace_inner();
        let (asked, page) = (namespace.adapter().fetch_rooms(page, namespace.ack_timeout()), page.clone());
        async move { Ok(FetchedRooms::of(asked.await?, &page)) }
    }
}
