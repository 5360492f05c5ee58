//! [`Drain`]: how a hub moves its clients to other servers before it shuts down.
//!
//! The connections are told one after the other, in the time that the settings give. Each goes the
//! way of a [shutdown](Hub::shutdown), but still handles what its client has sent.

use futures_util::future::select;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

use super::Hub;
use super::connections::{Draining, Pace, Phase, handlers_until};
use crate::session::end::End;

/// The shortest pause between two groups of clients. More clients make larger groups.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// How [`Hub::drain`] moves clients to other servers.
///
/// ```
/// use socketio::Drain;
/// use std::time::Duration;
///
/// let drain = Drain::new().over(Duration::from_secs(60)).grace(Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it only has settings; `Hub::drain` takes it"]
pub struct Drain {
    accept_for: Duration,
    over: Duration,
    grace: Duration,
    retry_after: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            accept_for: Duration::ZERO,
            over: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            retry_after: Duration::from_secs(5),
        }
    }
}

impl Drain {
    /// The defaults. With them, a drain ends after about 25 seconds at the latest, or 35 in a
    /// cluster.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long new clients are still accepted, and nobody is moved, while [`ready`](Hub::health)
    /// has the status 503 already. Give a load balancer that asks for `ready`, or that is told by
    /// an orchestrator, the time that it needs to send no more clients. Without it, clients that
    /// still come get the status 503, which they see unless the load balancer asks another server
    /// then. Default: 0 s.
    pub fn accept_for(self, time: Duration) -> Self {
        Self { accept_for: time, ..self }
    }

    /// The time in which all clients are told to connect elsewhere, evenly spread. The other
    /// servers get that many handshakes at most. With 0 s all are told at once. Default: 10 s.
    pub fn over(self, time: Duration) -> Self {
        Self { over: time, ..self }
    }

    /// How long a client may stay once it is its turn, if its handlers run, events of it wait or it
    /// owes answers. Then its handlers are dropped. Default: 10 s.
    pub fn grace(self, time: Duration) -> Self {
        Self { grace: time, ..self }
    }

    /// What refused clients read in the header `Retry-After`, in whole seconds, rounded up.
    /// Default: 5 s.
    pub fn retry_after(self, time: Duration) -> Self {
        Self { retry_after: time, ..self }
    }
}

impl Hub {
    /// Moves all clients to other servers, and waits until they are gone. [Shut
    /// down](Self::shutdown) the hub then. In a cluster it also waits until everything is published
    /// that was emitted before, at most for the [`grace`](Drain::grace).
    ///
    /// New clients get the status 503 with `Retry-After`, and so does whoever asks for
    /// [`ready`](Self::health). The clients that are here are served until it is their turn. Then a
    /// connection closes in the first moment in which no handler of it runs, no event of it waits,
    /// and its client owes no answers. Acks and messages that are queued go out before. After the
    /// [`grace`](Drain::grace), handlers are dropped as in a shutdown.
    ///
    /// Socket.IO clients reconnect by themselves, because they get no packet that says that this
    /// server wants them to leave. Plain WebSockets are closed with the code 1012, `Service
    /// Restart`. Handlers see the reason [`Shutdown`](crate::DisconnectReason::Shutdown). With
    /// [recovery](crate::guide::recovery#redis-streams) over Redis Streams the clients resume their
    /// sessions at another server.
    ///
    /// It can't be undone. If the future is dropped, the hub goes on refusing clients, and those
    /// that were not told stay. A [`shutdown`](Self::shutdown) may begin at any time, and is not
    /// delayed. See the guide's page about [operations](crate::guide::operations).
    ///
    /// ```
    /// # async fn example(hub: socketio::Hub) {
    /// use socketio::Drain;
    /// use std::time::Duration;
    ///
    /// # async fn told_to_stop() {}
    /// told_to_stop().await;
    /// hub.drain(Drain::new().over(Duration::from_secs(20))).await;
    /// hub.shutdown(Duration::from_secs(5)).await;
    /// # }
    /// ```
    pub async fn drain(&self, drain: Drain) {
        let connections = self.connections();
        let mut draining =
            Draining { refuses: drain.accept_for.is_zero(), retry_after: drain.retry_after, grace: None };
        connections.drain(draining);
        tracing::info!(connections = connections.len(), "draining");
        if !drain.accept_for.is_zero() {
            let accepted = tokio::time::sleep(drain.accept_for);
            select(pin!(accepted), pin!(connections.ending())).await;
        }
        draining = Draining { refuses: true, grace: Some(drain.grace), ..draining };
        let peers = connections.drain(draining);
        let told =
            connections.end_all(&peers, pace(peers.len(), drain.over), || End::drain(handlers_until(drain.grace)));
        select(pin!(told), pin!(connections.ending())).await;
        drop(peers);
        connections.emptied().await;
        // What was acked must have reached the other servers, which the next clients connect to.
        let adapters = self.core().factory.adapters.as_ref();
        if let Some(flushed) = adapters.and_then(|adapters| adapters.flushed.as_ref()) {
            let _ = timeout(drain.grace, select(flushed(), pin!(connections.ending()))).await;
        }
    }

    /// Whether the hub [drains](Self::drain) or [shuts down](Self::shutdown).
    pub fn is_draining(&self) -> bool {
        self.connections().phase() != Phase::Serving
    }
}

/// Spreads `clients` over a time.
fn pace(clients: usize, over: Duration) -> Pace {
    let most_groups = usize::try_from(over.as_millis() / SHORTEST_PAUSE.as_millis()).unwrap_or(usize::MAX).max(1);
    let group = clients.div_ceil(most_groups).max(1);
    let groups = u32::try_from(clients.div_ceil(group)).unwrap_or(u32::MAX).max(1);
    Pace { group, pause: over / groups }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clients_are_spread_over_the_time(clients in 0..2_000_000_usize, over in 0..100_000_u64) {
            let over = Duration::from_millis(over);
            let Pace { group, pause } = pace(clients, over);
            let groups = clients.div_ceil(group);
            prop_assert!(groups == 0 || pause * u32::try_from(groups).expect("few groups") <= over);
            prop_assert!(groups < 2 || pause >= SHORTEST_PAUSE);
            // As many groups as there can be, so that they are small.
            prop_assert!(group == 1 || clients.div_ceil(group - 1) > usize::try_from(over.as_millis() / 10).expect("few"));
        }
    }

    #[test]
    fn any_time_is_accepted() {
        let Pace { group, pause } = pace(3, Duration::MAX);
        assert_eq!((group, pause), (1, Duration::MAX / 3));
        assert_eq!(pace(1_000, Duration::ZERO).group, 1_000);
    }
}
