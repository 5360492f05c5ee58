//! [`NamespaceStats`]: how many sockets and rooms a namespace has.

use crate::hub::namespace::Namespace;

/// What a namespace has on one server: on this one from [`Namespace::stats`], and on others from
/// [`Namespace::fetch_stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamespaceStats {
    /// The connected sockets.
    pub sockets: usize,
    /// The sockets that are not accepted yet: their middleware or their `connect` handler runs.
    pub connecting: usize,
    /// The rooms that sockets have joined, without those of their own ids.
    pub rooms: usize,
}

impl Namespace {
    /// Counts the sockets and rooms of this server. It looks at none of them, so that it can be
    /// called often. [`fetch_stats`](Self::fetch_stats) counts those of all servers, and
    /// [`Hub::stats`](crate::Hub::stats) connections.
    ///
    /// ```
    /// # let hub = socketio::Hub::builder().build()?;
    /// let stats = hub.of("/chat").stats();
    /// println!("{} sockets in {} rooms", stats.sockets, stats.rooms);
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn stats(&self) -> NamespaceStats {
        self.namespace_inner().local().stats()
    }
}
