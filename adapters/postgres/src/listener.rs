//! [`Listener`]: a connection that listens to channels, and delivers what is notified.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::FuturesOrdered;
use parking_lot::RwLock;
use socketio::cluster::{GapReason, Inbox, Topic};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, sleep_until};
use tokio_postgres::{AsyncMessage, Client};

use crate::attachments::Attachments;
use crate::channels::quoted;
use crate::header::Header;
use crate::pending::{Deliver, Pending};
use crate::session::{COMMAND_TIMEOUT, NO_REPLY, note};
use crate::target::{CLOSED, Link, Target, text};
use crate::wanted::{Change, Wanted};

/// The server gives up an attachment that takes longer, since all messages wait for it.
const SETTINGS: &str = "SET statement_timeout = 1000;";
/// How many channels are listened to with one command.
const TOGETHER: usize = 512;
/// How many notifications are delivered at once.
const BURST: usize = 256;

/// A connection that listens. It never opens transactions, which would keep the server's queue of
/// notifications from being emptied.
pub(crate) struct Listener {
    client: Arc<Client>,
    link: Link,
    received: Vec<AsyncMessage>,
    pending: Pending,
    change: Option<BoxFuture<'static, Result<Vec<Change>, String>>>,
    fetches: FuturesOrdered<BoxFuture<'static, Fetched>>,
    /// When the reply to a command must be there.
    deadline: Option<Instant>,
}

/// The number of an attachment, and what was read.
struct Fetched {
    number: u64,
    body: Result<Option<Bytes>, String>,
}

/// What a listener needs from its engine.
pub(crate) struct Delivery<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) attachments: &'a Arc<Attachments>,
    pub(crate) inbox: &'a Inbox,
    /// The id of this server, whose own attachments are not fetched.
    pub(crate) server: &'a RwLock<Arc<str>>,
}

impl Deliver for &Inbox {
    fn deliver(&mut self, namespace: &str, body: Bytes) {
        Inbox::deliver(self, Topic::Main { namespace }, body);
    }

    fn lost(&mut self, attachments: u64) {
        self.gap(GapReason::Attachment { messages: attachments });
    }
}

impl Listener {
    /// Connects, and listens to all channels that are wanted now.
    pub(crate) async fn connect(target: &Target, delivery: &Delivery<'_>) -> Result<Self, String> {
        let (client, link) = target.connect(SETTINGS).await?;
        let mut listener = Self {
            client: Arc::new(client),
            link,
            received: Vec::new(),
            pending: Pending::default(),
            change: None,
            fetches: FuturesOrdered::new(),
            deadline: None,
        };
        delivery.wanted.restart();
        loop {
            listener.start_change(delivery);
            if listener.change.is_none() {
                return Ok(listener);
            }
            while listener.change.is_some() {
                listener.step(delivery).await?;
            }
        }
    }

    /// Delivers what arrives. Returns why the connection has ended.
    pub(crate) async fn run(&mut self, delivery: &Delivery<'_>) -> String {
        loop {
            if let Err(reason) = self.step(delivery).await {
                return reason;
            }
        }
    }

    /// Says goodbye to the server.
    pub(crate) async fn end(self) {
        let Self { client, mut link, change, fetches, .. } = self;
        drop((client, change, fetches));
        while let Some(Ok(_)) = poll_fn(|context| link.poll_message(context)).await {}
    }

    /// Waits for what happens next.
    async fn step(&mut self, delivery: &Delivery<'_>) -> Result<(), String> {
        let deadline = self.deadline.unwrap_or_else(Instant::now);
        tokio::select! {
            ended = poll_fn(|context| poll_burst(&mut self.link, context, &mut self.received)) => {
                self.deliver(delivery);
                if let Some(reason) = ended {
                    return Err(reason);
                }
                // Who publishes without a pause must not keep others waiting.
                tokio::task::yield_now().await;
            }
            Some(changed) = OptionFuture::from(self.change.as_mut()) => {
                self.change = None;
                delivery.wanted.confirm(&changed?);
                self.deadline = None;
            }
            () = delivery.wanted.changed(), if self.change.is_none() => self.start_change(delivery),
            Some(fetched) = self.fetches.next() => {
                self.deadline = None;
                self.attach(fetched, delivery);
            }
            () = sleep_until(deadline), if self.deadline.is_some() => return Err(NO_REPLY.into()),
        }
        self.start_fetches(delivery);
        if self.change.is_some() || !self.fetches.is_empty() {
            self.deadline.get_or_insert_with(|| Instant::now() + COMMAND_TIMEOUT);
        }
        Ok(())
    }

    /// Begins to listen to channels, or to listen no more.
    fn start_change(&mut self, delivery: &Delivery<'_>) {
        let changes = delivery.wanted.take(TOGETHER);
        if changes.is_empty() {
            return;
        }
        let mut commands = String::new();
        for change in &changes {
            commands.push_str(if change.listens { "LISTEN " } else { "UNLISTEN " });
            commands.push_str(&quoted(&change.channel));
            commands.push(';');
        }
        let client = Arc::clone(&self.client);
        self.deadline.get_or_insert_with(|| Instant::now() + COMMAND_TIMEOUT);
        self.change = Some(Box::pin(async move {
            let changed = client.batch_execute(&commands).await;
            changed.map(|()| changes).map_err(|error| format!("listening failed: {}", text(&error)))
        }));
    }

    fn start_fetches(&mut self, delivery: &Delivery<'_>) {
        while let Some((number, id)) = self.pending.fetch(self.fetches.len()) {
            let (client, attachments) = (Arc::clone(&self.client), Arc::clone(delivery.attachments));
            self.fetches.push_back(Box::pin(async move {
                let body = attachments.fetch(&client, id).await;
                Fetched { number, body }
            }));
        }
    }

    fn attach(&mut self, fetched: Fetched, delivery: &Delivery<'_>) {
        let Fetched { number, body } = fetched;
        let body = body.unwrap_or_else(|reason| {
            tracing::debug!(reason, "an attachment could not be read");
            None
        });
        let mut inbox = delivery.inbox;
        delivery.inbox.deliver_together(|| self.pending.fetched(number, body.clone(), &mut inbox));
    }

    /// Delivers everything that was received.
    fn deliver(&mut self, delivery: &Delivery<'_>) {
        let Self { received, pending, .. } = self;
        let mut inbox = delivery.inbox;
        delivery.inbox.deliver_together(|| {
            for message in received.drain(..) {
                let AsyncMessage::Notification(notification) = &message else {
                    note(&message);
                    continue;
                };
                // It was left meanwhile if there is no namespace.
                let Some(namespace) = delivery.wanted.namespace(notification.channel()) else { continue };
                // Equal messages are told apart by space at their end.
                let payload = notification.payload().trim_end_matches([' ', '\n', '\t', '\r']);
                match Header::read(payload) {
                    None => pending.message(&namespace, payload.as_bytes(), &mut inbox),
                    Some(header) => {
                        let server = Arc::clone(&delivery.server.read());
                        let is_own = header.server.as_deref() == Some(&*server);
                        if !is_own && header.to.is_none_or(|to| to == *server) {
                            pending.attachment(&namespace, header.id);
                        }
                    }
                }
            }
        });
    }
}

/// Collects messages, until no more are there or there are many. `Some` is why the connection has
/// ended.
fn poll_burst(link: &mut Link, context: &mut Context<'_>, received: &mut Vec<AsyncMessage>) -> Poll<Option<String>> {
    while received.len() < BURST {
        match link.poll_message(context) {
            Poll::Ready(Some(Ok(message))) => received.push(message),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(text(&error))),
            Poll::Ready(None) => return Poll::Ready(Some(CLOSED.to_owned())),
            Poll::Pending if received.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(None)
}
