//! [`Node`]: what the engines do with one server: a task that keeps connections to it, publishing,
//! and counting.

use parking_lot::Mutex;
use socketio::cluster::{GapReason, Inbox, PublishBatch, PublishError, Topic};
use std::future::pending;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::channels::{Channels, Form};
use crate::commands::{Commands, Outcome};
use crate::log::{Log, LogReader};
use crate::resp::{self, Reply};
use crate::server::Server;
use crate::stream::Found;
use crate::subscriber::{Delivery, Subscriber};
use crate::tls::Tls;
use crate::wanted::Wanted;

/// A connection that lasted so long was a good one.
const LASTING: Duration = Duration::from_secs(1);
/// How often a node of a cluster is probed. The hub probes only the node of one channel.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// About how many bytes a command has besides the message.
const COMMAND_LENGTH: usize = 80;
const NOTHING_ARRIVES: &str = "what was published did not arrive";

/// The connections to one server, and the task that makes them.
pub(crate) struct Node {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    wanted: Wanted,
    /// The connection for commands, while connected.
    commands: Mutex<Option<Arc<Commands>>>,
    /// Ends the connections.
    distrusted: Notify,
    /// Wakes the task that waits for its probe.
    probed: Notify,
}

/// What a node needs from its engine.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) tls: Tls,
    pub(crate) channels: Arc<Channels>,
    pub(crate) inbox: Inbox,
    /// The stream that all servers read, if the engine has one.
    pub(crate) log: Option<Log>,
}

/// Who is told about the connections to a node.
pub(crate) trait Report: Send + Sync + 'static {
    /// All subscriptions are in effect.
    fn connected(&self);

    /// The connections were lost, or could not be made.
    fn disconnected(&self, reason: String);

    /// The node of a cluster said that a slot is not its own. Returns `false` if there is no
    /// cluster, so that it is an error.
    fn moved(&self) -> bool;
}

impl Report for Inbox {
    fn connected(&self) {
        Self::connected(self);
    }

    fn disconnected(&self, reason: String) {
        Self::disconnected(self, reason);
    }

    fn moved(&self) -> bool {
        false
    }
}

impl Node {
    pub(crate) fn new() -> Self {
        let shared = Shared {
            wanted: Wanted::default(),
            commands: Mutex::new(None),
            distrusted: Notify::new(),
            probed: Notify::new(),
        };
        Self { shared: Arc::new(shared), task: Mutex::new(None) }
    }

    pub(crate) fn start(&self, server: Server, context: Context, report: impl Report) {
        let shared = Arc::clone(&self.shared);
        let supervisor = Supervisor { shared, server, context, report, last: None, is_silent: false };
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

    /// Publishes a batch. `write` appends the command for a message.
    pub(crate) async fn publish(
        &self,
        batch: &PublishBatch,
        write: impl Fn(&mut Vec<u8>, &Topic<'_>, &[u8]),
    ) -> Result<(), PublishError> {
        match &*self.publish_some(batch.byte_len(), batch.iter(), write).await? {
            [] => Ok(()),
            moved => {
                Err(PublishError { unpublished: moved.len(), reason: "the server belongs to a Redis Cluster".into() })
            }
        }
    }

    /// Publishes some messages of a batch. Returns the indexes of those that belong to another node
    /// of the cluster.
    ///
    /// # Errors
    ///
    /// Others were not published.
    pub(crate) async fn publish_some<'a>(
        &self,
        byte_length: usize,
        messages: impl ExactSizeIterator<Item = (Topic<'a>, &'a [u8])>,
        write: impl Fn(&mut Vec<u8>, &Topic<'_>, &[u8]),
    ) -> Result<Vec<usize>, PublishError> {
        let length = messages.len();
        if length == 0 {
            return Ok(Vec::new());
        }
        let write_all = |bytes: &mut Vec<u8>| {
            bytes.reserve(byte_length + length * COMMAND_LENGTH);
            for (topic, body) in messages {
                write(bytes, &topic, body);
            }
        };
        let outcome = self.send(length, write_all).await;
        let outcome = outcome.map_err(|reason| PublishError { unpublished: length, reason })?;
        match outcome.error {
            Some(reason) if outcome.succeeded + outcome.moved.len() < length => {
                Err(PublishError { unpublished: length - outcome.succeeded, reason })
            }
            _ => Ok(outcome.moved),
        }
    }

    /// The number of subscribers of a channel.
    pub(crate) async fn subscribers(&self, channels: &Channels, topic: Topic<'_>) -> Result<usize, String> {
        let count: &[u8] = match channels.form {
            Form::Classic | Form::Streams => b"NUMSUB",
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
        self.shared.commands.lock().take();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut() {
            task.abort();
        }
    }
}

/// Keeps the connections. It never gives up.
struct Supervisor<R> {
    shared: Arc<Shared>,
    server: Server,
    context: Context,
    report: R,
    last: Option<Last>,
    /// That there is no connection was logged.
    is_silent: bool,
}

/// The last connection.
struct Last {
    /// The server's process.
    process: Option<String>,
    /// The server closed it in the middle of a message.
    was_cut: bool,
}

/// How a connection ended.
enum Ended {
    /// It was not made.
    Unconnected(String),
    Lost {
        since: Instant,
        reason: String,
    },
}

impl<R: Report> Supervisor<R> {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let ended = self.connection().await;
            self.shared.commands.lock().take();
            self.shared.wanted.lost();
            let reason = match ended {
                Ended::Unconnected(reason) => {
                    if self.is_silent {
                        tracing::debug!(server = ?self.server, %reason, "Redis could not be connected");
                    } else {
                        self.is_silent = true;
                        tracing::warn!(server = ?self.server, %reason, "Redis could not be connected; trying on");
                    }
                    self.report.disconnected(reason);
                    sleep(backoff.next()).await;
                    continue;
                }
                Ended::Lost { since, reason } => {
                    if since.elapsed() > LASTING {
                        backoff = Backoff::default();
                    }
                    reason
                }
            };
            self.is_silent = true;
            tracing::warn!(server = ?self.server, %reason, "the connection to Redis was lost");
            self.report.disconnected(reason);
            // The first attempt after a loss follows at once: mostly the server has restarted. If
            // connections are lost as soon as they are made it waits too.
            if !backoff.is_new() {
                sleep(backoff.next()).await;
            }
        }
    }

    /// Connects, and returns when the connection failed.
    async fn connection(&mut self) -> Ended {
        let Context { tls, channels, inbox, log } = &self.context;
        let mut place = None;
        let opened = async {
            let mut found = self.server.find(tls).await?;
            place = Some(found.place.clone());
            let mut stream = found.connect(tls).await?;
            self.server.check(&mut stream).await?;
            // It may be forbidden, and is only needed to tell why a connection was lost.
            let process = stream.ask(&[b"INFO", b"server"], process_id).await.ok();
            let commands = Arc::new(Commands::new(stream));
            let stream = found.connect(tls).await?;
            let delivery = Delivery {
                wanted: &self.shared.wanted,
                channels,
                inbox,
                probed: &self.shared.probed,
                report: &self.report,
            };
            let mut subscriber = Subscriber::new(stream, delivery);
            subscriber.restore().await?;
            let reading = match log {
                Some(log) => Some(Reading::open(log, &mut found, tls).await?),
                None => None,
            };
            Ok::<_, String>((commands, subscriber, process, reading))
        };
        let opened = opened.await;
        let at = |reason| match &place {
            Some(place) => format!("{place}: {reason}"),
            None => reason,
        };
        let (commands, mut subscriber, process, mut reading) = match opened {
            Ok(opened) => opened,
            Err(reason) => return Ended::Unconnected(at(reason)),
        };
        // Who waits for subscriptions can publish afterwards.
        *self.shared.commands.lock() = Some(Arc::clone(&commands));
        self.shared.wanted.restored();
        if mem::take(&mut self.is_silent) {
            tracing::info!(server = ?self.server, "Redis is connected again");
        } else {
            tracing::debug!(server = ?self.server, "Redis is connected");
        }
        let since = Instant::now();
        let distrusted = self.shared.distrusted.notified();
        self.report.connected();
        // The same process has closed a connection on which it had more to send: this server was
        // too slow.
        if self.last.as_ref().is_some_and(|last| last.was_cut && last.process.is_some() && last.process == process) {
            inbox.gap(GapReason::Slow);
        }
        if let Some(gap) = reading.as_mut().and_then(|reading| reading.gap.take()) {
            inbox.gap(gap);
        }
        let reason = tokio::select! {
            reason = subscriber.run() => reason,
            reason = read_log(reading.as_mut(), inbox) => reason,
            () = distrusted => NOTHING_ARRIVES.to_owned(),
            () = commands.closed().cancelled() => "the connection for commands was lost".to_owned(),
            () = self.probe(&commands) => NOTHING_ARRIVES.to_owned(),
        };
        let was_cut = subscriber.was_cut();
        self.last = Some(Last { process, was_cut });
        Ended::Lost { since, reason: at(reason) }
    }

    /// Publishes a probe now and then. Returns when one did not arrive.
    async fn probe(&self, commands: &Commands) {
        loop {
            sleep(PROBE_INTERVAL).await;
            let Some(channel) = self.shared.wanted.probe() else { continue };
            let arrived = self.shared.probed.notified();
            let outcome = commands.send(1, |bytes| resp::command(bytes, &[b"SPUBLISH", channel.as_bytes(), b""])).await;
            match outcome.error {
                // It has another channel when the slots are known.
                Some(error) => _ = is_moved(&error) && self.report.moved(),
                None if timeout(PROBE_TIMEOUT, arrived).await.is_err() => return,
                None => {}
            }
        }
    }
}

/// The reader of the log of an engine that has one.
struct Reading<'a> {
    log: &'a Log,
    reader: LogReader,
    /// Why entries may have been lost before the connection was made.
    gap: Option<GapReason>,
}

impl<'a> Reading<'a> {
    async fn open(log: &'a Log, found: &mut Found, tls: &Tls) -> Result<Self, String> {
        let (reader, gap) = LogReader::open(log, found, tls).await?;
        log.set_server(Some((found.clone(), tls.clone())));
        Ok(Self { log, reader, gap })
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.log.set_server(None);
    }
}

/// Delivers entries of the log. Returns why that failed.
async fn read_log(reading: Option<&mut Reading<'_>>, inbox: &Inbox) -> String {
    let Some(Reading { log, reader, .. }) = reading else { return pending().await };
    tokio::select! {
        reason = reader.run(inbox) => reason,
        () = log.keep_up() => String::new(),
    }
}

/// The id of the server's process in the reply of `INFO`.
fn process_id(reply: &Reply<'_>) -> Option<String> {
    reply.text()?.lines().find_map(|line| line.strip_prefix("run_id:")).map(String::from)
}

/// Whether an error says that another node has the slot.
pub(crate) fn is_moved(error: &str) -> bool {
    ["MOVED ", "ASK ", "TRYAGAIN ", "CLUSTERDOWN "].iter().any(|kind| error.starts_with(kind))
}
