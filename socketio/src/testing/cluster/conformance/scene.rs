//! [`Scene`]: builds the servers of a case, and waits for what happens.

use futures_util::{Stream, StreamExt};
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

use super::case::CaseResult;
use super::harness::{Faults, Harness};
use crate::cluster::{ClusterEvent, ClusterStats, Dialect, Engine, EngineTraits};
use crate::testing::Client;
use crate::testing::cluster::SimNet;
use crate::{Cluster, Hub, HubBuilder, IntoMessage, Socket};

/// How long a case waits for what must happen. An engine may have to connect again meanwhile.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at that nothing reports.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What a case has.
pub(super) struct Scene<'a> {
    harness: &'a dyn Harness,
}

impl<'a> Scene<'a> {
    pub(super) fn new(harness: &'a dyn Harness) -> Self {
        Self { harness }
    }

    /// A hub that has not connected.
    pub(super) fn hub(&self, name: &str, configure: impl FnOnce(HubBuilder) -> HubBuilder) -> CaseResult<Server> {
        let engine = self.harness.engine(name);
        let traits = engine.traits();
        let hub = configure(Hub::builder()).cluster(engine).build()?;
        let cluster = hub.cluster().ok_or("the hub has no cluster")?;
        Ok(Server { hub, cluster, traits })
    }

    /// A hub that reaches the cluster.
    pub(super) async fn server_with(
        &self,
        name: &str,
        configure: impl FnOnce(HubBuilder) -> HubBuilder + Send,
    ) -> CaseResult<Server> {
        let server = self.hub(name, configure)?;
        server.hub.ready(PATIENCE).await?;
        Ok(server)
    }

    pub(super) async fn server(&self, name: &str) -> CaseResult<Server> {
        self.server_with(name, |builder| builder).await
    }

    /// The servers `a` and `b`.
    pub(super) async fn pair(&self) -> CaseResult<(Server, Server)> {
        Ok((self.server("a").await?, self.server("b").await?))
    }

    pub(super) fn engine(&self, name: &str) -> Box<dyn Engine> {
        self.harness.engine(name)
    }

    pub(super) fn faults(&self) -> CaseResult<&'a dyn Faults> {
        self.harness.faults().ok_or_else(|| "the harness has no faults".into())
    }

    pub(super) fn simulation(&self) -> CaseResult<&'a SimNet> {
        self.faults()?.simulation().ok_or_else(|| "the network is not simulated".into())
    }
}

/// A hub of the cluster.
pub(super) struct Server {
    pub(super) hub: Hub,
    pub(super) cluster: Cluster,
    pub(super) traits: EngineTraits,
}

impl Deref for Server {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}

impl Server {
    /// Whether events are entries of a log, in which none is lost.
    pub(super) fn has_log(&self) -> bool {
        self.traits.dialect == Dialect::Streams
    }

    /// A Socket.IO client.
    pub(super) async fn client(&self) -> CaseResult<Client> {
        Ok(self.hub.test_client().patience(PATIENCE).connect().await?)
    }

    pub(super) async fn plain_client(&self) -> CaseResult<Client> {
        Ok(self.hub.test_client().plain().patience(PATIENCE).connect().await?)
    }

    /// A Socket.IO client and a plain one.
    pub(super) async fn clients(&self) -> CaseResult<[Client; 2]> {
        Ok([self.client().await?, self.plain_client().await?])
    }

    pub(super) fn socket(&self, client: &Client) -> CaseResult<Socket> {
        self.hub.socket(client.id()).ok_or_else(|| "the client has no socket".into())
    }

    pub(super) fn join<'c>(&self, clients: impl IntoIterator<Item = &'c Client>, rooms: &[&str]) -> CaseResult {
        for client in clients {
            for room in rooms {
                self.socket(client)?.join(room)?;
            }
        }
        Ok(())
    }

    pub(super) fn stats(&self) -> ClusterStats {
        self.cluster.stats()
    }

    /// Waits until what this server asked for is in effect.
    pub(super) async fn flushed(&self) -> CaseResult {
        match timeout(PATIENCE, self.cluster.flushed()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(format!("the server is not flushed, its health is {:?}", self.cluster.health()).into()),
        }
    }
}

/// Waits until what these servers asked for is in effect.
pub(super) async fn flushed(servers: &[&Server]) -> CaseResult {
    for server in servers {
        server.flushed().await?;
    }
    Ok(())
}

/// Each of these clients receives this message next.
pub(super) fn expect_each<'c, M: IntoMessage + Copy + Send>(
    clients: impl IntoIterator<Item = &'c mut Client>,
    message: M,
) -> impl Future<Output = CaseResult> {
    let clients: Vec<_> = clients.into_iter().collect();
    async move {
        for client in clients {
            client.expect_exact(message).await?;
        }
        Ok(())
    }
}

/// Waits until the condition holds.
pub(super) async fn eventually(what: &str, condition: impl Fn() -> bool) -> CaseResult {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= until {
            return Err(format!("it does not happen that {what}").into());
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Waits until the answer of a question to the cluster is right.
pub(super) async fn eventually_answers<T, F>(
    what: &str,
    ask: impl Fn() -> F,
    is_right: impl Fn(&T) -> bool,
) -> CaseResult
where
    T: std::fmt::Debug,
    F: Future<Output = T>,
{
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if is_right(&answer) {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(format!("it does not happen that {what}: {answer:?}").into());
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// The events of a server from now on.
pub(super) struct Events(Pin<Box<dyn Stream<Item = ClusterEvent> + Send>>);

impl Events {
    pub(super) fn of(server: &Server) -> Self {
        Self(Box::pin(server.cluster.events()))
    }

    /// Waits for an event. Others before it are skipped.
    pub(super) async fn wait_for(
        &mut self,
        what: &str,
        mut is_it: impl FnMut(&ClusterEvent) -> bool,
    ) -> CaseResult<ClusterEvent> {
        let mut skipped = Vec::new();
        let found = timeout(PATIENCE, async {
            while let Some(event) = self.0.next().await {
                if is_it(&event) {
                    return Some(event);
                }
                skipped.push(event);
            }
            None
        });
        match found.await {
            Ok(Some(event)) => Ok(event),
            Ok(None) | Err(_) => Err(format!("there is no event `{what}` among {skipped:?}").into()),
        }
    }
}
