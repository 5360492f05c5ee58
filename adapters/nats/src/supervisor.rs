//! [`Supervisor`]: the task that connects for ever, and keeps the subscriptions.

use async_nats::Client;
use parking_lot::Mutex;
use socketio::cluster::{GapReason, Inbox};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::address::Address;
use crate::backoff::Backoff;
use crate::connection::{Connection, Settings};
use crate::consumer::{Consumer, Wanted};
use crate::echo::Echo;
use crate::publisher::Publisher;
use crate::subjects::Subjects;

/// How long the server may take to confirm all subscriptions of a new connection, and to read a
/// command.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is reported that messages are dropped.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How old an error may be that seems to be the cause of the end of a connection.
const ERROR_AGE: Duration = Duration::from_secs(3);
/// The most servers of a NATS cluster that are remembered.
const MAX_DISCOVERED: usize = 64;

/// What the engine asks of the supervisor.
#[derive(Debug)]
pub(crate) enum Command {
    Subscribe(Wanted),
    Unsubscribe(Wanted),
    Reconnect,
    Stop(oneshot::Sender<()>),
}

/// What the engine shares with its supervisor.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The number of changes of subscriptions that were asked for. It changes together with the
    /// queue of commands.
    pub(crate) asked: Mutex<u64>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    /// How many changes of subscriptions are in effect. `None` while it is disconnected.
    pub(crate) confirmed: watch::Sender<Option<u64>>,
    /// The publisher of the current connection.
    pub(crate) publisher: Mutex<Option<Arc<Publisher>>>,
}

pub(crate) struct Supervisor {
    pub(crate) addresses: Vec<Address>,
    pub(crate) settings: Settings,
    pub(crate) subjects: Arc<Subjects>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) inbox: Inbox,
    /// The topics that the hub wants, with the tasks that deliver their messages.
    pub(crate) wanted: BTreeMap<Wanted, Option<Consumer>>,
    /// How many changes of subscriptions were taken from the queue.
    pub(crate) taken: u64,
}

/// Why a connection ends, or an attempt to connect.
enum End {
    Failed(String),
    Stopped(oneshot::Sender<()>),
}

impl From<String> for End {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// What a connection has confirmed.
struct Progress {
    /// The echo of the last change, and those that have not arrived, with the changes before them.
    asked: u64,
    waiting: VecDeque<(u64, u64)>,
    is_up: bool,
    /// The dropped messages that were reported.
    reported: u64,
}

impl Supervisor {
    /// Connects until it is stopped.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut discovered = Vec::new();
        let mut next = usize::try_from(getrandom::u32().unwrap_or_default()).unwrap_or_default();
        let mut was_reported = false;
        loop {
            let known = self.addresses.len() + discovered.len();
            let address = self.addresses.iter().chain(&discovered).nth(next % known).cloned();
            next = next.wrapping_add(1);
            let Some(address) = address else { return };
            let end = match self.open(&address).await {
                Ok(connection) => {
                    self.remember(&connection, &address, &mut discovered);
                    let events = Arc::clone(&connection.events);
                    let (end, was_up) = self.serve(connection).await;
                    self.lose();
                    if was_up {
                        (backoff, was_reported) = (Backoff::default(), false);
                    }
                    match (end, events.take_error(ERROR_AGE)) {
                        (End::Failed(reason), Some(error)) => End::Failed(format!("{reason}: {error}")),
                        (end, _) => end,
                    }
                }
                Err(end) => end,
            };
            let reason = match end {
                End::Failed(reason) => reason,
                End::Stopped(done) => {
                    _ = done.send(());
                    return;
                }
            };
            match was_reported {
                false => tracing::warn!(%reason, "NATS is not reached"),
                true => tracing::debug!(%reason, "NATS is still not reached"),
            }
            was_reported = true;
            self.inbox.disconnected(reason);
            let wait = sleep(backoff.next());
            if let Err(End::Stopped(done)) = self.during(wait).await {
                _ = done.send(());
                return;
            }
        }
    }

    async fn open(&mut self, address: &Address) -> Result<Connection, End> {
        let id = getrandom::u64().map_err(|error| error.to_string())?;
        let (settings, echo) = (self.settings.clone(), self.subjects.echo(id));
        let opened = self.during(Connection::open(address, &settings, echo)).await?;
        Ok(opened?)
    }

    /// Waits for something while there is no connection.
    async fn during<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, End> {
        let mut wait = pin!(wait);
        loop {
            tokio::select! {
                biased;
                done = &mut wait => return Ok(done),
                command = self.commands.recv() => match command {
                    Some(Command::Subscribe(wanted)) => {
                        self.taken += 1;
                        self.wanted.insert(wanted, None);
                    }
                    Some(Command::Unsubscribe(wanted)) => {
                        self.taken += 1;
                        self.wanted.remove(&wanted);
                    }
                    // It is connecting.
                    Some(Command::Reconnect) => {}
                    Some(Command::Stop(done)) => return Err(End::Stopped(done)),
                    // The engine aborts this task when it ends.
                    None => std::future::pending().await,
                },
            }
        }
    }

    /// Remembers the other servers of the NATS cluster.
    fn remember(&self, connection: &Connection, address: &Address, discovered: &mut Vec<Address>) {
        for text in connection.discovered() {
            if let Some(new) = Address::discovered(&text, address.is_tls())
                && discovered.len() < MAX_DISCOVERED
                && !self.addresses.contains(&new)
                && !discovered.contains(&new)
            {
                tracing::debug!(server = %new, "NATS has another server");
                discovered.push(new);
            }
        }
    }

    /// The connection is lost.
    fn lose(&mut self) {
        *self.shared.publisher.lock() = None;
        self.shared.confirmed.send_replace(None);
        self.wanted.values_mut().for_each(|consumer| *consumer = None);
    }

    /// Subscribes to everything, and serves the connection until it ends. Returns whether it was
    /// up.
    async fn serve(&mut self, connection: Connection) -> (End, bool) {
        let mut progress = Progress { asked: 0, waiting: VecDeque::new(), is_up: false, reported: 0 };
        let end = match self.serve_until_it_ends(connection, &mut progress).await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        (end, progress.is_up)
    }

    async fn serve_until_it_ends(
        &mut self,
        connection: Connection,
        progress: &mut Progress,
    ) -> Result<std::convert::Infallible, End> {
        let Connection { client, echo, mut echoes, events } = connection;
        let (published, arrived) = watch::channel(0);
        let publisher = Arc::new(Publisher { client, echo, asked: AtomicU64::new(0), arrived });
        for wanted in self.wanted.keys().cloned().collect::<Vec<_>>() {
            self.subscribe(&publisher.client, wanted).await?;
        }
        self.ask(&publisher, progress).await?;
        let mut deadline = pin!(sleep(PATIENCE));
        let mut report = pin!(sleep_until(Instant::now()));
        loop {
            let is_late = !progress.is_up;
            let has_dropped = events.dropped.load(Ordering::Relaxed) > progress.reported;
            tokio::select! {
                message = futures_util::StreamExt::next(&mut echoes) => match message {
                    None => return Err("the connection was lost".to_owned().into()),
                    Some(message) => match Echo::read(&message.payload) {
                        Some(Echo::Published(number)) => _ = published.send_replace(number),
                        Some(Echo::Subscribed(number)) => self.confirm(number, &publisher, progress),
                        None => self.inbox.malformed(&message.payload),
                    },
                },
                command = self.commands.recv() => {
                    let mut command = command;
                    let mut has_changed = false;
                    // Those that wait are carried out together.
                    while let Some(next) = command {
                        has_changed |= self.carry_out(&publisher.client, next).await?;
                        command = self.commands.try_recv().ok();
                    }
                    if has_changed {
                        self.ask(&publisher, progress).await?;
                    }
                }
                () = events.changed.notified() => {
                    if events.is_lame.swap(false, Ordering::Relaxed) {
                        tracing::info!("the server of NATS is about to end, and will close the connection");
                    }
                    if let Some(error) = events.new_error() {
                        tracing::warn!(error, "NATS reports an error");
                    }
                }
                () = &mut report, if has_dropped => {
                    progress.reported = events.dropped.load(Ordering::Relaxed);
                    self.inbox.gap(GapReason::Slow);
                    report.as_mut().reset(Instant::now() + REPORT_INTERVAL);
                }
                () = &mut deadline, if is_late => {
                    return Err("the server does not confirm the subscriptions".to_owned().into());
                }
            }
        }
    }

    /// Carries out a command. Returns whether it changed the subscriptions.
    async fn carry_out(&mut self, client: &Client, command: Command) -> Result<bool, End> {
        match command {
            Command::Subscribe(wanted) => {
                self.taken += 1;
                self.subscribe(client, wanted).await?;
            }
            Command::Unsubscribe(wanted) => {
                self.taken += 1;
                if let Some(Some(consumer)) = self.wanted.remove(&wanted) {
                    in_time(consumer.end()).await?;
                }
            }
            Command::Reconnect => return Err("the engine connects anew".to_owned().into()),
            Command::Stop(done) => return Err(End::Stopped(done)),
        }
        Ok(true)
    }

    async fn subscribe(&mut self, client: &Client, wanted: Wanted) -> Result<(), End> {
        let Some(subject) = self.subjects.subject(wanted.topic()) else { return Ok(()) };
        let subscriber = in_time(client.subscribe(subject)).await?.map_err(|error| error.to_string())?;
        let consumer = Consumer::start(subscriber, wanted.clone(), self.inbox.clone());
        self.wanted.insert(wanted, Some(consumer));
        Ok(())
    }

    /// Asks for an echo behind all changes so far.
    async fn ask(&self, publisher: &Publisher, progress: &mut Progress) -> Result<(), End> {
        progress.asked += 1;
        progress.waiting.push_back((progress.asked, self.taken));
        let echo = Echo::Subscribed(progress.asked).bytes();
        in_time(publisher.client.publish(publisher.echo.clone(), echo)).await?.map_err(|error| error.to_string())?;
        Ok(())
    }

    /// An echo arrived.
    fn confirm(&self, number: u64, publisher: &Arc<Publisher>, progress: &mut Progress) {
        while let Some((asked, changes)) = progress.waiting.front().copied()
            && asked <= number
        {
            progress.waiting.pop_front();
            // Publishing works when whoever waits for the subscriptions goes on.
            if !progress.is_up {
                progress.is_up = true;
                *self.shared.publisher.lock() = Some(Arc::clone(publisher));
                tracing::info!("NATS is reached");
                self.inbox.connected();
            }
            self.shared.confirmed.send_replace(Some(changes));
        }
    }
}

/// The client waits while its connection accepts nothing.
async fn in_time<T>(wait: impl Future<Output = T>) -> Result<T, End> {
    timeout(PATIENCE, wait).await.map_err(|_| End::Failed("the server does not read".to_owned()))
}
