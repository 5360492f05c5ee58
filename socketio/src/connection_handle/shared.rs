//! [`Shared`]: what the handles of all connections of a hub share.

use super::OverflowPolicy;
use super::sharded::ShardedCounters;
use crate::session::limits::Bounds;

/// The settings of a hub's outboxes, and the counters that change with each message.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) bounds: Bounds,
    pub(super) policy: OverflowPolicy,
    pub(crate) counters: ShardedCounters,
}

impl Shared {
    pub(crate) fn new(bounds: Bounds, policy: OverflowPolicy) -> Self {
        Self { bounds, policy, counters: ShardedCounters::default() }
    }
}
