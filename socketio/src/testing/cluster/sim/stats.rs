//! [`SimStats`]: what a [`SimNet`](super::SimNet) counts.

/// What a [`SimNet`](super::SimNet) has counted.
///
/// No copy of a message vanishes:
/// `routed + duplicated == delivered + dropped + lost + waiting`. Entries of the log are counted
/// apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimStats {
    /// Messages that reached the network, from engines and by
    /// [`inject`](super::SimNet::inject).
    pub published: u64,
    /// Messages that did not reach the network, because the connection ended or the publishing was
    /// made to fail.
    pub unpublished: u64,
    /// Messages that became entries of the log.
    pub logged: u64,
    /// Entries of the log that engines delivered to their hubs.
    pub read: u64,
    /// Copies of messages, one for each engine that subscribed to the topic. A message that nobody
    /// subscribed to has none.
    pub routed: u64,
    /// Copies that were added by [`duplicate`](super::SimNet::duplicate).
    pub duplicated: u64,
    /// Copies that engines delivered to their hubs.
    pub delivered: u64,
    /// Copies that were dropped by [`drop_messages`](super::SimNet::drop_messages) or
    /// [`partition`](super::SimNet::partition).
    pub dropped: u64,
    /// Copies that were lost with a connection.
    pub lost: u64,
    /// Copies on their way, now.
    pub waiting: u64,
}

impl SimStats {
    /// Returns `true` if each copy is accounted for. See [`SimStats`].
    pub fn is_balanced(&self) -> bool {
        self.routed + self.duplicated == self.delivered + self.dropped + self.lost + self.waiting
    }
}
