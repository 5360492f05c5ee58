//! [`Single`]: what the engines do with one server: a task that keeps connections to it, publishing
//! and counting.

use parking_lot::Mutex;
use socketio::cluster::{Inbox, PublishBatch, PublishError, Topic};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::channels::{Channels, Form};
use crate::commands::{Commands, Outcome};
use crate::resp;
use crate::server::Server;
use crate::subscriber::Subscriber;
use crate::tls::Tls;
use crate::wanted::Wanted;

/// A connection that lasted so long was a good one.
const LASTING: Duration = Duration::from_secs(1);

/// The connections to one server, and the task that makes them.
pub(crate) struct Single {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    wanted: Wanted,
    /// The connection for commands, while connected.
    commands: Mutex<Option<Arc<Commands>>>,
    /// Ends the connections.
    distrusted: Notify,
}

impl Single {
    pub(crate) fn new() -> Self {
        let shared = Shared { wanted: Wanted::default(), commands: Mutex::new(None), distrusted: Notify::new() };
        Self { shared: Arc::new(shared), task: Mutex::new(None) }
    }

    pub(crate) fn start(&self, server: Server, tls: Tls, channels: Channels, inbox: Inbox) {
        let supervisor = Supervisor { shared: Arc::clone(&self.shared), server, tls, channels, inbox };
        let mut task = self.task.lock();
        if task.is_none() {
            *task = Some(tokio::spawn(supervisor.run()));
        }
    }

    pub(crate) fn wanted(&self) -> &Wanted {
        &self.shared.wanted
    }

    pub(crate) fn reconnect(&self) {
        self.shared.distrusted.notify_waiters();
    }

    pub(crate) async fn publish(&self, channels: &Channels, batch: &PublishBatch) -> Result<(), PublishError> {
        if batch.is_empty() {
            return Ok(());
        }
        let outcome = self.send(batch.len(), |bytes| write_batch(bytes, channels, batch)).await;
        let outcome = outcome.map_err(|reason| PublishError { unpublished: batch.len(), reason })?;
        match outcome.error {
            None => Ok(()),
            Some(reason) => Err(PublishError { unpublished: batch.len() - outcome.succeeded, reason }),
        }
    }

    /// The number of subscribers of a channel.
    pub(crate) async fn subscribers(&self, channels: &Channels, topic: Topic<'_>) -> Result<usize, String> {
        let count: &[u8] = match channels.form {
            Form::Classic => b"NUMSUB",
            Form::Sharded => b"SHARDNUMSUB",
        };
        let channel = channels.channel(&topic);
        let outcome = self.send(1, |bytes| resp::command(bytes, &[b"PUBSUB", count, channel.as_bytes()])).await?;
        match (outcome.error, outcome.number) {
            (Some(error), _) => Err(error),
            (None, Some(number)) => Ok(usize::try_from(number).unwrap_or_default()),
            (None, None) => Err("the reply has no number".into()),
        }
    }

    async fn send(&self, commands: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<Outcome, String> {
        let connection = self.shared.commands.lock().clone();
        match connection {
            Some(connection) => Ok(connection.send(commands, write).await),
            None => Err("not connected".into()),
        }
    }

    /// Ends the task and the connections.
    pub(crate) async fn stop(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.abort();
            _ = task.await;
        }
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut() {
            task.abort();
        }
    }
}

/// Appends the commands that publish a batch.
fn write_batch(bytes: &mut Vec<u8>, channels: &Channels, batch: &PublishBatch) {
    let command: &[u8] = match channels.form {
        Form::Classic => b"*3\r\n$7\r\nPUBLISH\r\n",
        Form::Sharded => b"*3\r\n$8\r\nSPUBLISH\r\n",
    };
    bytes.reserve(batch.byte_len() + batch.len() * (64 + channels.prefix.len()));
    for (topic, body) in batch.iter() {
        bytes.extend_from_slice(command);
        write_channel(bytes, channels, &topic);
        resp::header(bytes, b'$', body.len());
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(b"\r\n");
    }
}

fn write_channel(bytes: &mut Vec<u8>, channels: &Channels, topic: &Topic<'_>) {
    let parts = channels.parts(topic);
    let end: &[u8] = if Channels::is_closed(topic) { b"#" } else { b"" };
    resp::header(bytes, b'$', parts.iter().map(|part| part.len()).sum::<usize>() + end.len());
    for part in parts {
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(end);
    bytes.extend_from_slice(b"\r\n");
}

/// Keeps the connections. It never gives up.
struct Supervisor {
    shared: Arc<Shared>,
    server: Server,
    tls: Tls,
    channels: Channels,
    inbox: Inbox,
}

impl Supervisor {
    async fn run(self) {
        let mut backoff = Backoff::default();
        let mut was_connected = false;
        loop {
            let (connected, reason) = self.connection(was_connected).await;
            self.shared.commands.lock().take();
            self.shared.wanted.lost();
            match connected {
                Some(_) => tracing::warn!(server = ?self.server, %reason, "the connection to Redis was lost"),
                None => tracing::debug!(server = ?self.server, %reason, "Redis could not be connected"),
            }
            was_connected |= connected.is_some();
            self.inbox.disconnected(reason);
            // The first attempt after a loss follows at once: mostly the server has restarted. If
            // connections are lost as soon as they are made it waits too.
            if connected.is_some_and(|since| since.elapsed() > LASTING) {
                backoff = Backoff::default();
            } else {
                sleep(backoff.next()).await;
            }
        }
    }

    /// Connects, and returns when the connection failed: since when there was one, and why.
    async fn connection(&self, was_connected: bool) -> (Option<Instant>, String) {
        let opened = async {
            let mut found = self.server.find(&self.tls).await?;
            let commands = Arc::new(Commands::new(found.connect(&self.tls).await?));
            let stream = found.connect(&self.tls).await?;
            let mut subscriber = Subscriber::new(stream, &self.shared.wanted, &self.channels, &self.inbox);
            subscriber.restore().await?;
            Ok::<_, String>((commands, subscriber))
        };
        let (commands, mut subscriber) = match opened.await {
            Ok(opened) => opened,
            Err(reason) => return (None, reason),
        };
        let closed = commands.closed().clone();
        *self.shared.commands.lock() = Some(commands);
        if was_connected {
            tracing::info!(server = ?self.server, "Redis is connected again");
        } else {
            tracing::debug!(server = ?self.server, "Redis is connected");
        }
        let since = Instant::now();
        let distrusted = self.shared.distrusted.notified();
        self.inbox.connected();
        let reason = tokio::select! {
            reason = subscriber.run() => reason,
            () = distrusted => "the connection did not carry messages".to_owned(),
            () = closed.cancelled() => "the connection for commands was lost".to_owned(),
        };
        (Some(since), reason)
    }
}
