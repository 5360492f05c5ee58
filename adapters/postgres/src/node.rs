//! [`Node`]: a task that keeps the connections to the server, and publishing.

use parking_lot::{Mutex, RwLock};
use socketio::cluster::{Inbox, PublishBatch, PublishError};
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::attachments::Attachments;
use crate::backoff::Backoff;
use crate::channels::Channels;
use crate::listener::{Delivery, Listener};
use crate::session::{COMMAND_TIMEOUT, Form, NO_REPLY, Session, clean_up};
use crate::target::Target;
use crate::wanted::Wanted;

/// A connection that lasted so long was a good one.
const LASTING: Duration = Duration::from_secs(1);
const NOTHING_ARRIVES: &str = "what was published did not arrive";

/// The connections, and the task that makes them.
pub(crate) struct Node {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    wanted: Wanted,
    /// The connection for commands, while connected.
    session: Mutex<Option<Arc<Session>>>,
    /// The id of this server in the cluster.
    server: RwLock<Arc<str>>,
    /// Ends the connections.
    distrusted: Notify,
    /// Ends the task.
    stopping: CancellationToken,
}

impl Node {
    pub(crate) fn new() -> Self {
        let shared = Shared {
            wanted: Wanted::default(),
            session: Mutex::new(None),
            server: RwLock::new("".into()),
            distrusted: Notify::new(),
            stopping: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared), task: Mutex::new(None) }
    }

    pub(crate) fn start(&self, target: Target, attachments: Arc<Attachments>, inbox: Inbox) {
        let shared = Arc::clone(&self.shared);
        let supervisor = Supervisor { shared, target, attachments, inbox, is_silent: false };
        let mut task = self.task.lock();
        if task.is_none() {
            *task = Some(tokio::spawn(supervisor.run()));
        }
    }

    pub(crate) fn wanted(&self) -> &Wanted {
        &self.shared.wanted
    }

    pub(crate) fn set_server(&self, server: &str) {
        *self.shared.server.write() = server.into();
    }

    pub(crate) fn reconnect(&self) {
        self.shared.distrusted.notify_waiters();
    }

    pub(crate) async fn publish(
        &self,
        batch: &PublishBatch,
        channels: &Channels,
        attachments: &Attachments,
        threshold: usize,
    ) -> Result<(), PublishError> {
        let session = self.shared.session.lock().clone();
        let Some(session) = session else {
            return Err(PublishError { unpublished: batch.len(), reason: "not connected".into() });
        };
        let server = Arc::clone(&self.shared.server.read());
        session.publish(batch, Form { channels, attachments, threshold, server: &server }).await
    }

    /// Ends the connections and the task.
    pub(crate) async fn stop(&self) {
        let task = self.task.lock().take();
        self.shared.stopping.cancel();
        if let Some(mut task) = task
            && timeout(COMMAND_TIMEOUT, &mut task).await.is_err()
        {
            task.abort();
            _ = task.await;
        }
        self.shared.session.lock().take();
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
struct Supervisor {
    shared: Arc<Shared>,
    target: Target,
    attachments: Arc<Attachments>,
    inbox: Inbox,
    /// That there is no connection was logged.
    is_silent: bool,
}

/// How a connection ended.
enum Ended {
    /// It was not made.
    Unconnected(String),
    Lost {
        since: Instant,
        reason: String,
    },
    /// The engine is stopped.
    Stopped,
}

impl Supervisor {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let shared = Arc::clone(&self.shared);
        while !shared.stopping.is_cancelled() {
            let ended = self.connection().await;
            self.shared.session.lock().take();
            self.shared.wanted.lost();
            let reason = match ended {
                Ended::Stopped => return,
                Ended::Unconnected(reason) => {
                    if self.is_silent {
                        tracing::debug!(server = ?self.target, %reason, "PostgreSQL could not be connected");
                    } else {
                        self.is_silent = true;
                        tracing::warn!(server = ?self.target, %reason, "PostgreSQL could not be connected; trying on");
                    }
                    self.inbox.disconnected(reason);
                    self.pause(backoff.next()).await;
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
            tracing::warn!(server = ?self.target, %reason, "the connection to PostgreSQL was lost");
            self.inbox.disconnected(reason);
            // The first attempt after a loss follows at once: mostly the server has restarted. If
            // connections are lost as soon as they are made it waits too.
            if !backoff.is_new() {
                self.pause(backoff.next()).await;
            }
        }
    }

    async fn pause(&self, time: Duration) {
        _ = timeout(time, self.shared.stopping.cancelled()).await;
    }

    /// Connects, and returns when a connection failed.
    async fn connection(&mut self) -> Ended {
        let shared = Arc::clone(&self.shared);
        let delivery = Delivery {
            wanted: &shared.wanted,
            attachments: &self.attachments,
            inbox: &self.inbox,
            server: &shared.server,
        };
        let opened = async {
            let session = Session::connect(&self.target).await?;
            let listener = Listener::connect(&self.target, &delivery).await?;
            Ok::<_, String>((session, listener))
        };
        let opened = tokio::select! {
            opened = opened => opened,
            () = shared.stopping.cancelled() => return Ended::Stopped,
        };
        let ((session, mut carrier), mut listener) = match opened {
            Ok(opened) => opened,
            Err(reason) => return Ended::Unconnected(reason),
        };
        let session = Arc::new(session);
        // Who waits for subscriptions can publish afterwards.
        *shared.session.lock() = Some(Arc::clone(&session));
        shared.wanted.restored();
        if mem::take(&mut self.is_silent) {
            tracing::info!(server = ?self.target, "PostgreSQL is connected again");
        } else {
            tracing::debug!(server = ?self.target, "PostgreSQL is connected");
        }
        let since = Instant::now();
        let distrusted = shared.distrusted.notified();
        self.inbox.connected();
        let reason = tokio::select! {
            reason = listener.run(&delivery) => reason,
            () = distrusted => NOTHING_ARRIVES.to_owned(),
            ended = &mut carrier => ended.unwrap_or_else(|error| error.to_string()),
            () = session.distrusted() => NO_REPLY.to_owned(),
            never = self.keep_clean() => match never {},
            () = shared.stopping.cancelled() => {
                shared.session.lock().take();
                drop(session);
                _ = timeout(COMMAND_TIMEOUT / 2, async { tokio::join!(listener.end(), carrier) }).await;
                return Ended::Stopped;
            }
        };
        Ended::Lost { since, reason }
    }

    /// Deletes old attachments now and then.
    async fn keep_clean(&self) -> Infallible {
        loop {
            sleep(self.attachments.cleanup_interval()).await;
            if self.attachments.is_known() {
                clean_up(&self.target, &self.attachments).await;
            }
        }
    }
}
