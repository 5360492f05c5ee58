//! [`FetchedStats`]: how many sockets and rooms a namespace has on all servers.
//!
//! The other servers are asked by an event between servers, so that servers of any kind can answer.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::NamespaceStats;
use crate::event::message::IntoMessage;
use crate::hub::adapter::{BoxFuture, LocalAdapter, RequestError, ServerId, ServerReplies};
use crate::hub::namespace::Namespace;
use crate::hub::server_events::ServerEvent;

/// The event with which a server asks the others.
const STATS: &str = "socketio:stats";

/// What a namespace has on all servers, from [`Namespace::fetch_stats`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchedStats {
    /// The sums of this server and of all others that answered in time. A room that has members on
    /// two servers counts twice: [`fetch_rooms`](Namespace::fetch_rooms) has each name once.
    pub total: NamespaceStats,
    /// What this server has.
    pub here: NamespaceStats,
    /// What each of the other servers has that answered in time, in the order of their ids.
    pub others: Vec<ServerStats>,
    /// The number of servers that did not answer in time, or with something else.
    pub silent: usize,
}

/// What a namespace has on another server: part of [`FetchedStats`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// The id of the server, if the adapter provides it.
    pub server: Option<ServerId>,
    /// What it has.
    pub stats: NamespaceStats,
}

/// The answer of another server. It may leave out what it does not count.
#[derive(Serialize, Deserialize)]
struct Answer {
    sockets: usize,
    #[serde(default)]
    connecting: usize,
    #[serde(default)]
    rooms: usize,
}

impl FetchedStats {
    fn of(here: NamespaceStats, ServerReplies { replies, mut silent }: ServerReplies) -> Self {
        let mut others = Vec::new();
        for reply in replies {
            match reply.answer.decode() {
                Ok(Answer { sockets, connecting, rooms }) => {
                    let stats = NamespaceStats { sockets, connecting, rooms };
                    others.push(ServerStats { server: reply.server, stats });
                }
                Err(_) => silent += 1,
            }
        }
        others.sort_by(|one, other| one.server.cmp(&other.server));
        let total = others.iter().fold(here, |total, other| total.plus(other.stats));
        Self { total, here, others, silent }
    }
}

impl NamespaceStats {
    /// Other servers may answer with any numbers.
    fn plus(self, other: Self) -> Self {
        Self {
            sockets: self.sockets.saturating_add(other.sockets),
            connecting: self.connecting.saturating_add(other.connecting),
            rooms: self.rooms.saturating_add(other.rooms),
        }
    }
}

impl Namespace {
    /// Counts the sockets and rooms on all servers that the [adapter](crate::adapter::Adapter)
    /// connects. Each server is sent one small question, and counts without looking at its sockets.
    /// It waits for the other servers as long as the hub's
    /// [`ack_timeout`](crate::HubBuilder::ack_timeout).
    ///
    /// Servers on Node.js only answer if they have a
    /// [listener](crate::guide::operations#who-is-connected) for it. Without one they count as
    /// silent, so that it waits for them until the time is up. For the namespace `/`, it is
    /// `hub.root().fetch_stats()`.
    ///
    /// ```
    /// # async fn example(hub: &socketio::Hub) -> Result<(), socketio::RequestError> {
    /// let fetched = hub.of("/chat").fetch_stats().await?;
    /// println!("{} sockets, {} of them here", fetched.total.sockets, fetched.here.sockets);
    /// for other in &fetched.others {
    ///     println!("{:?} has {}", other.server, other.stats.sockets);
    /// }
    /// if fetched.silent > 0 {
    ///     println!("{} servers did not answer", fetched.silent);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The other servers can't be asked.
    pub fn fetch_stats(&self) -> impl Future<Output = Result<FetchedStats, RequestError>> + Send + use<> {
        let namespace = Arc::clone(self.namespace_inner());
        let here = namespace.local().stats();
        let others: BoxFuture<'static, _> = match (STATS,).into_packet() {
            Ok(event) => namespace.server_request(&event, namespace.ack_timeout()),
            Err(error) => Box::pin(std::future::ready(Err(RequestError::NotSent(error.to_string())))),
        };
        async move { Ok(FetchedStats::of(here, others.await?)) }
    }
}

impl LocalAdapter {
    pub(crate) fn stats(&self) -> NamespaceStats {
        let (sockets, rooms) = (self.registry().len(), self.registry().rooms().count());
        NamespaceStats { sockets, connecting: self.registry().registered().saturating_sub(sockets), rooms }
    }

    /// Tells another server what is here, if it asks. Returns `false` if it is something else.
    pub(crate) fn tell_stats_for(&self, event: &ServerEvent<'_>) -> bool {
        if event.name() != STATS {
            return false;
        }
        if let Some(ack) = event.ack() {
            let NamespaceStats { sockets, connecting, rooms } = self.stats();
            // Numbers always serialize.
            let _ = ack.send(Answer { sockets, connecting, rooms });
        }
        true
    }
}
