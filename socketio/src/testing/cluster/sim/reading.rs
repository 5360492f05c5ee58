//! How engines read the [`Log`](super::log::Log) of the network.

use bytes::Bytes;
use tokio::time::Instant;

use super::event::{EventKind, MemberId};
use super::network::Network;
use crate::cluster::{Dialect, Offset};

impl Network {
    /// Adds an entry to the log, and sends it to the engines that read it.
    pub(super) fn append(&mut self, namespace: &str, server: &str, kind: u8, data: &Bytes, now: Instant) {
        self.stats.logged += 1;
        let entry = self.log.append(namespace, server, kind, data.clone(), now);
        for id in 0..self.members.len() {
            if self.members[id].is_reading {
                self.send_down(id, None, EventKind::Entry(entry.clone()), now);
            }
        }
    }

    /// An engine that has connected goes on after the last entry that it has delivered. Its first
    /// connection begins at the end of the log.
    pub(super) fn begin_reading(&mut self, id: MemberId, now: Instant) {
        let member = &mut self.members[id];
        if member.traits.dialect != Dialect::Streams {
            return;
        }
        member.is_reading = true;
        let mut position = *member.position.get_or_insert(self.log.last());
        let complete_after = self.log.complete_after();
        if position < complete_after {
            position = complete_after;
            self.send_down(id, None, EventKind::Gap { position }, now);
        }
        let entries: Vec<_> = self.log.after(position).cloned().collect();
        for entry in entries {
            self.send_down(id, None, EventKind::Entry(entry), now);
        }
    }

    /// An engine has delivered all entries up to an offset.
    pub(super) fn advance(&mut self, id: MemberId, position: Offset) {
        let old = self.members[id].position.get_or_insert_default();
        *old = position.max(*old);
    }
}
