//! The server's part of the chat, without its contract and its pages. The example `cluster` shares
//! it.

pub(crate) mod error;
pub(crate) mod names;
pub(crate) mod people;
pub(crate) mod rooms;

use socketio::{Fetched, HubBuilder, RequestError};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use names::Name;

/// How long the other servers of a cluster may take to say who is there.
const LISTING_TIMEOUT: Duration = Duration::from_secs(2);

/// Adds the chat's handlers and states to a hub. If the hub is in a cluster, people on all its
/// servers chat with each other.
pub(crate) fn add(builder: HubBuilder) -> HubBuilder {
    builder
        .state(people::People::default())
        .events(people::EVENTS)
        .events(rooms::Rooms::default())
        // Those of the chat, one of the own id, and one for direct messages.
        .max_rooms(22)
}

/// The names of sockets on any server. The servers that did not answer are left out.
fn names(fetched: Result<Fetched, RequestError>) -> BTreeSet<Name> {
    let sockets = fetched.map(|fetched| fetched.sockets).unwrap_or_default();
    sockets.iter().filter_map(Name::of).collect()
}

/// Milliseconds since 1970-01-01 UTC, like JavaScript's `Date.now()`.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
