//! The metrics of a hub's cluster.

use super::{Metric, Snapshot, Visit, counter};
use crate::cluster::ClusterStats;

/// Declares the metric of each figure of [`ClusterStats`].
macro_rules! figures {
    ($($name:ident: $unit:literal, $description:literal;)*) => {
        pub(super) const METRICS: &[Metric] = &[
            counter("socketio.cluster.up", "{server}", "1 while the other servers are reached", |it, visit| {
                it.cluster.iter().for_each(|(is_up, _)| visit("", u64::from(*is_up)));
            })
            .up_and_down(),
            counter(
                "socketio.cluster.pending_requests",
                "{request}",
                "Requests to other servers that wait for answers",
                |it, visit| read(it, visit, |stats| stats.pending_requests),
            )
            .up_and_down(),
            $(counter(concat!("socketio.cluster.", stringify!($name)), $unit, $description, |it, visit| {
                read(it, visit, |stats| stats.$name);
            }),)*
        ];
    };
}

fn read(snapshot: &Snapshot, visit: Visit<'_>, figure: fn(&ClusterStats) -> u64) {
    snapshot.cluster.iter().for_each(|(_, stats)| visit("", figure(stats)));
}

figures! {
    queued: "{message}", "Messages queued for other servers";
    published: "{message}", "Messages that the engine published";
    dropped: "{message}", "Messages that were not queued for other servers";
    unpublished: "{message}", "Queued messages whose publishing failed";
    unlogged: "{message}", "Events that are not in the engine's log";
    received: "{message}", "Messages of other servers and emitters";
    delivered: "{message}", "Received events with an audience on this server";
    skipped: "{message}", "Received events without an audience on this server";
    own: "{message}", "Messages of this server that came back";
    missed: "{message}", "Messages that are missing in the sequences of other servers";
    malformed: "{message}", "Received messages that were not understood";
    oversized: "{message}", "Received messages that were too large";
    silent: "{server}", "Servers that did not answer a request in time";
    reconnects: "{connection}", "How often the engine was connected again";
    gaps: "{gap}", "How often messages of other servers may have been lost";
}
