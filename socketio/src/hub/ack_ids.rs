//! [`AckIds`]: the ids of requests to clients.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::wire::delivery_id::DeliveryId;

/// The number of random bits of a hub's first id. It makes the ids at most 8 digits long, until the
/// hub has sent many millions of requests.
const RANDOM_BITS: u32 = 24;

/// The ids of a hub's requests. No two requests of a hub have the same id.
///
/// A client may answer a request after it has lost the connection and opened another. The answer
/// then has an id that no request of the new connection has, so that it counts for none. The first
/// id is random. Thereby this also holds for a client that reconnects to another server, or to the
/// same one after a restart.
///
/// Clients in JavaScript read ids as numbers, which are exact below 2^53.
///
/// It has a cache line of its own, because all threads read what is beside it.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct AckIds {
    first: u64,
    next: AtomicU64,
    /// The hub's part of the ids of reliable events.
    hub: u64,
}

impl Default for AckIds {
    fn default() -> Self {
        let (mut random, mut hub) = ([0; 4], [0; 8]);
        // Without random bytes, only the ids of several servers can be equal.
        let _ = getrandom::fill(&mut random);
        let _ = getrandom::fill(&mut hub);
        let first = u64::from(u32::from_be_bytes(random) >> (u32::BITS - RANDOM_BITS));
        Self { first, next: AtomicU64::new(first), hub: u64::from_be_bytes(hub) }
    }
}

impl AckIds {
    /// Returns the id for a new request.
    pub(crate) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The id of the reliable event that has the id `number` as a request.
    pub(crate) fn delivery(&self, number: u64) -> DeliveryId {
        DeliveryId { hub: self.hub, number }
    }

    /// Returns `true` if a request has or had this id.
    pub(crate) fn contains(&self, id: u64) -> bool {
        (self.first..self.next.load(Ordering::Relaxed)).contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_short_and_differ_between_hubs() {
        let (ids, others) = (AckIds::default(), AckIds::default());
        assert!(!ids.contains(ids.first));
        let id = ids.next();
        assert!(ids.contains(id) && !ids.contains(id + 1) && ids.next() == id + 1);
        assert!(id < 1 << RANDOM_BITS);
        assert!((0..8).map(|_| AckIds::default().first).any(|first| first != others.first));
    }
}
