//! [`Consumer`]: the task that delivers the messages of a subscription.

use async_nats::Subscriber;
use futures_util::StreamExt;
use socketio::cluster::{Inbox, Topic};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How many messages are delivered together at most.
const TOGETHER: usize = 64;

/// A topic that is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    namespace: Arc<str>,
    /// The server of a topic of replies.
    server: Option<Arc<str>>,
}

impl Wanted {
    /// `None` for topics that this engine does not have.
    pub(crate) fn of(topic: Topic<'_>) -> Option<Self> {
        match topic {
            Topic::Main { namespace } => Some(Self { namespace: namespace.into(), server: None }),
            Topic::Reply { namespace, server } => {
                Some(Self { namespace: namespace.into(), server: Some(server.into()) })
            }
            _ => None,
        }
    }

    pub(crate) fn topic(&self) -> Topic<'_> {
        let namespace = &*self.namespace;
        match &self.server {
            Some(server) => Topic::Reply { namespace, server },
            None => Topic::Main { namespace },
        }
    }
}

/// Delivers until it is dropped or ended.
#[derive(Debug)]
pub(crate) struct Consumer {
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<Subscriber>,
}

impl Consumer {
    pub(crate) fn start(subscriber: Subscriber, wanted: Wanted, inbox: Inbox) -> Self {
        let (end, ended) = oneshot::channel();
        Self { end: Some(end), task: tokio::spawn(deliver(subscriber, wanted, inbox, ended)) }
    }

    /// Ends the delivery, and then the subscription.
    pub(crate) async fn end(mut self) {
        self.end.take();
        // Whoever subscribes again must not get what is delivered here.
        if let Ok(mut subscriber) = (&mut self.task).await {
            // It fails if the connection is lost, which ends the subscription too.
            _ = subscriber.unsubscribe().await;
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn deliver(subscriber: Subscriber, wanted: Wanted, inbox: Inbox, mut ended: oneshot::Receiver<()>) -> Subscriber {
    let mut messages = subscriber.ready_chunks(TOGETHER);
    loop {
        tokio::select! {
            biased;
            _ = &mut ended => break,
            chunk = messages.next() => {
                let Some(chunk) = chunk else { break };
                let mut chunk = chunk.into_iter();
                inbox.deliver_together(|| {
                    for message in &mut chunk {
                        inbox.deliver(wanted.topic(), message.payload);
                    }
                });
            }
        }
    }
    messages.into_inner()
}
