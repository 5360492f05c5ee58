//! [`SimEngine`]: the engine of one server in a [`SimNet`](super::SimNet).

use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::super::OwnedTopic;
use super::driver::Shared;
use super::event::{Command, MemberId};
use super::member::Link;
use super::network::Network;
use crate::cluster::{
    BoxFuture, Counts, Dialect, Engine, EngineTraits, EventLog, Inbox, PublishBatch, PublishError, Topic,
};

/// How long the engine waits for the network's answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The engine of one server in a [`SimNet`](super::SimNet), from
/// [`SimNet::engine`](super::SimNet::engine).
pub struct SimEngine {
    pub(super) shared: Arc<Shared>,
    traits: EngineTraits,
    id: MemberId,
    name: Box<str>,
}

impl SimEngine {
    pub(super) fn new(shared: Arc<Shared>, name: &str, traits: EngineTraits) -> Self {
        let id = shared.network.lock().add_member(name, traits);
        Self { shared, traits, id, name: name.into() }
    }

    fn change_subscription(&self, topic: Topic<'_>, is_wanted: bool) {
        let id = self.id;
        self.shared.change(|network, now| {
            let member = &mut network.members[id];
            member.asked += 1;
            let (topic, number) = (OwnedTopic::from(topic), member.asked);
            match is_wanted {
                true => member.wanted.insert(topic.clone()),
                false => member.wanted.remove(&topic),
            };
            if member.link != Link::Down {
                let command = match is_wanted {
                    true => Command::Subscribe { topic, number },
                    false => Command::Unsubscribe { topic, number },
                };
                network.send(id, command, now);
            }
        });
    }

    /// Sends a command, whose answer the receiver gets. `None` if the engine is not connected.
    fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<oneshot::Receiver<T>> {
        let id = self.id;
        self.shared.change(|network, now| {
            if network.members[id].link != Link::Up {
                return None;
            }
            let (sender, receiver) = oneshot::channel();
            network.send(id, command(sender), now);
            Some(receiver)
        })
    }

    /// Sends a command, and waits for its answer.
    pub(super) async fn answer<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, &'static str> {
        let answer = self.ask(command).ok_or("not connected")?;
        match timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(|_| "the connection was lost"),
            Err(_) => Err("the network did not answer"),
        }
    }

    fn leave(&self, network: &mut Network) {
        let member = &mut network.members[self.id];
        member.wanted.clear();
        member.inbox = None;
        network.disconnect(self.id);
    }
}

impl Engine for SimEngine {
    fn traits(&self) -> EngineTraits {
        self.traits
    }

    fn start(&self, inbox: Inbox) {
        self.shared.drive();
        self.shared.change(|network, now| {
            network.members[self.id].inbox = Some(inbox);
            network.attempt_now(self.id, now);
        });
    }

    fn subscribe(&self, topic: Topic<'_>) {
        self.change_subscription(topic, true);
    }

    fn unsubscribe(&self, topic: Topic<'_>) {
        self.change_subscription(topic, false);
    }

    fn subscribed(&self) -> BoxFuture<'_, ()> {
        let asked = self.shared.network.lock().members[self.id].asked;
        Box::pin(async move {
            loop {
                let changed = self.shared.changed.notified();
                let is_done = {
                    let member = &self.shared.network.lock().members[self.id];
                    member.link == Link::Up && member.confirmed >= asked
                };
                if is_done {
                    return;
                }
                changed.await;
            }
        })
    }

    fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
        let failed = |reason: &str| PublishError { unpublished: batch.len(), reason: reason.to_owned() };
        Box::pin(async move {
            let owned = |(topic, body): (Topic<'_>, &[u8])| (topic.into(), Bytes::copy_from_slice(body));
            let messages = batch.iter().map(owned).collect();
            let result = self.answer(|answer| Command::Publish { messages, answer });
            result.await.unwrap_or_else(|error| Err(failed(error)))
        })
    }

    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
        Box::pin(async move {
            if self.traits.counts == Counts::Heartbeats {
                return Err("the servers are counted by heartbeats".to_owned());
            }
            let count = self.answer(|answer| Command::Count { namespace: namespace.to_owned(), answer });
            count.await.map_err(ToOwned::to_owned)
        })
    }

    fn reconnect(&self) {
        self.shared.change(|network, now| network.cut(self.id, "the engine connects anew", now));
    }

    fn log(&self) -> Option<&dyn EventLog> {
        (self.traits.dialect == Dialect::Streams).then_some(self)
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        self.shared.change(|network, _: Instant| self.leave(network));
        Box::pin(std::future::ready(()))
    }
}

impl fmt::Debug for SimEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("SimEngine");
        debug.field("name", &self.name).field("seed", &self.shared.seed).finish_non_exhaustive()
    }
}

impl Drop for SimEngine {
    fn drop(&mut self) {
        // The task needs not know, so a drop outside of the runtime is fine.
        self.leave(&mut self.shared.network.lock());
    }
}
