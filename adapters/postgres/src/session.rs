//! [`Session`]: a connection for commands, and how messages are published on it.

use socketio::cluster::{PublishBatch, PublishError};
use std::borrow::Cow;
use std::future::poll_fn;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{AsyncMessage, Client, Statement};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::attachments::Attachments;
use crate::channels::Channels;
use crate::header::Header;
use crate::outgoing::{Body, Part, parts};
use crate::target::{CLOSED, Link, Target, text};

/// A deadline for the reply to a command.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(4);
pub(crate) const NO_REPLY: &str = "no reply in time";
/// So many bytes more may take a second more.
const BYTES_PER_SECOND: usize = 8 << 20;
/// A crash of the server loses notifications, and may lose attachments too, so that commits do not
/// wait for the disk. What nobody waits for any more ends by itself.
const SETTINGS: &str = "SET synchronous_commit = off; SET lock_timeout = 1000; SET statement_timeout = 15000;";
/// The rows of `unnest` have the order of its arrays.
const NOTIFY: &str = "SELECT count(pg_notify(message.channel, message.payload)) \
                      FROM unnest($1::text[], $2::text[]) AS message(channel, payload)";

/// A connection for commands.
pub(crate) struct Session {
    client: Client,
    notify: Statement,
    /// A reply did not come in time.
    distrusted: CancellationToken,
}

/// The task that carries the bytes of a connection. Its result is why the connection has ended.
pub(crate) type Carrier = AbortOnDropHandle<String>;

/// What a publisher knows besides the messages.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    pub(crate) channels: &'a Channels,
    pub(crate) attachments: &'a Attachments,
    /// The longest text that is notified, in bytes.
    pub(crate) threshold: usize,
    /// The id of this server.
    pub(crate) server: &'a str,
}

impl Session {
    pub(crate) async fn connect(target: &Target) -> Result<(Self, Carrier), String> {
        let (client, link) = target.connect(SETTINGS).await?;
        let carrier = carried(link);
        let notify = match timeout(COMMAND_TIMEOUT, client.prepare(NOTIFY)).await {
            Ok(prepared) => prepared.map_err(|error| text(&error))?,
            Err(_) => return Err(NO_REPLY.into()),
        };
        Ok((Self { client, notify, distrusted: CancellationToken::new() }, carrier))
    }

    /// Completes when the connection must be given up.
    pub(crate) async fn distrusted(&self) {
        self.distrusted.cancelled().await;
    }

    /// Publishes a batch, in order.
    pub(crate) async fn publish(&self, batch: &PublishBatch, form: Form<'_>) -> Result<(), PublishError> {
        let seconds = u32::try_from(batch.byte_len() / BYTES_PER_SECOND).unwrap_or(u32::MAX);
        let deadline = Instant::now() + COMMAND_TIMEOUT + Duration::from_secs(1).saturating_mul(seconds);
        let mut lost = Lost::default();
        for part in parts(batch, form.channels, form.threshold) {
            if self.distrusted.is_cancelled() || self.client.is_closed() {
                lost.add(part.messages.len(), || CLOSED.to_owned());
            } else if timeout_at(deadline, self.publish_part(&part, form, &mut lost)).await.is_err() {
                // All of them: it is unknown which were published.
                lost.add(part.messages.len(), || NO_REPLY.to_owned());
                self.distrusted.cancel();
            }
        }
        lost.into_result()
    }

    /// Publishes what goes into one transaction.
    async fn publish_part(&self, part: &Part<'_>, form: Form<'_>, lost: &mut Lost) {
        let attached = part.messages.iter().filter_map(|message| match &message.body {
            Body::Attachment(bytes) => Some(&**bytes),
            Body::Text(_) => None,
        });
        let attached: Vec<&[u8]> = attached.collect();
        let stored = match &*attached {
            [] => Ok(Vec::new()),
            _ => form.attachments.store(&self.client, &attached).await,
        };
        let mut ids = stored.as_deref().unwrap_or_default().iter();
        let (mut channels, mut payloads) = (Vec::new(), Vec::new());
        for message in &part.messages {
            let payload = match &message.body {
                Body::Text(text) => Cow::Borrowed(&**text),
                Body::Attachment(bytes) => match ids.next() {
                    Some(id) => Cow::Owned(Header::write(*id, form.server, message.to, bytes)),
                    None => continue,
                },
            };
            channels.push(&*part.channels[message.channel]);
            payloads.push(payload);
        }
        let notified = match &*payloads {
            [] => Ok(()),
            _ => self.client.query(&self.notify, &[&channels, &payloads]).await.map(drop),
        };
        // It counts at the end, since all are counted if this takes too long.
        if let Err(error) = notified {
            lost.add(payloads.len(), || text(&error));
        }
        if let Err(reason) = stored {
            lost.add(attached.len(), || reason);
        }
    }
}

/// Messages that were not published, and why the first was not.
#[derive(Default)]
struct Lost {
    messages: usize,
    reason: Option<String>,
}

impl Lost {
    fn add(&mut self, messages: usize, reason: impl FnOnce() -> String) {
        self.messages += messages;
        self.reason.get_or_insert_with(reason);
    }

    fn into_result(self) -> Result<(), PublishError> {
        match self.reason {
            None => Ok(()),
            Some(reason) => Err(PublishError { unpublished: self.messages, reason }),
        }
    }
}

/// Deletes old attachments, on a connection that lasts no longer. Another one would keep messages
/// waiting.
pub(crate) async fn clean_up(target: &Target, attachments: &Attachments) {
    let cleaned = async {
        match target.connect(SETTINGS).await {
            Ok((client, link)) => {
                let carrier = carried(link);
                attachments.clean_up(&client).await;
                drop(client);
                _ = carrier.await;
            }
            Err(reason) => tracing::debug!(reason, "no connection to delete old attachments"),
        }
    };
    _ = timeout(attachments.cleanup_interval().max(COMMAND_TIMEOUT), cleaned).await;
}

/// Starts to carry the bytes of a connection.
fn carried(mut link: Link) -> Carrier {
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            match poll_fn(|context| link.poll_message(context)).await {
                Some(Ok(message)) => note(&message),
                Some(Err(error)) => return text(&error),
                None => return CLOSED.to_owned(),
            }
        }
    }))
}

/// Logs what the server warns of, such as a queue of notifications that fills up.
pub(crate) fn note(message: &AsyncMessage) {
    if let AsyncMessage::Notice(notice) = message
        && notice.severity() == "WARNING"
    {
        let (detail, hint) = (notice.detail(), notice.hint());
        tracing::warn!(detail, hint, "PostgreSQL warns: {}", notice.message());
    }
}
