//! [`AdminCore`]: what all namespaces of a hub share for its admins.

use serde_json::json;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::credentials::Credentials;
use super::guesses::Guesses;
use super::reports::{Reports, all_sockets};
use super::sessions::Sessions;
use super::{Admin, commands, statistics};
use crate::event::listener::EventPayload;
use crate::hub::Hub;
use crate::hub::namespace::Namespace;
use crate::hub::socket::Socket;

/// How long a new admin waits for the sockets of other servers.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct AdminCore {
    /// `None`: everybody is let in.
    pub(super) credentials: Option<Credentials>,
    pub(super) sessions: Sessions,
    pub(super) guesses: Guesses,
    path: String,
    is_development: bool,
    is_read_only: bool,
    server_id: String,
    began: Instant,
    /// Whether statistics are sent.
    is_started: AtomicBool,
    /// The key of the ids of clients, which are hashes of secrets.
    client_key: RandomState,
}

impl AdminCore {
    pub(super) fn new(admin: Admin) -> Self {
        let Admin { credentials, path, is_development, is_read_only, server_id } = admin;
        if credentials.is_none() {
            tracing::warn!(namespace = path, "everybody may use the Admin UI, because it is `open_to_everyone`");
        }
        let default_id = || format!("{}#{}", statistics::host_name(), std::process::id());
        Self {
            credentials,
            sessions: Sessions::default(),
            guesses: Guesses::default(),
            path,
            is_development,
            is_read_only,
            server_id: server_id.unwrap_or_else(default_id),
            began: Instant::now(),
            is_started: AtomicBool::new(false),
            client_key: RandomState::new(),
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_development(&self) -> bool {
        self.is_development
    }

    pub(super) fn server_id(&self) -> &str {
        &self.server_id
    }

    pub(super) fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// What tells the sockets of one client from those of others. It is a hash, because the id of
    /// an Engine.IO session is a secret.
    pub(super) fn client_id(&self, socket: &Socket) -> String {
        let hash = match &socket.peer().session {
            Some(session) => self.client_key.hash_one(session.sid()),
            None => self.client_key.hash_one(socket.id().as_str()),
        };
        // The reference server has 12 characters, too.
        format!("{:012x}", hash & 0xffff_ffff_ffff)
    }

    /// Starts to send statistics, if there is a runtime and they are not sent yet.
    pub(super) fn start(self: &Arc<Self>, hub: &Hub) {
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.is_started.swap(true, Ordering::Relaxed) {
            runtime.spawn(statistics::send(Arc::clone(self), Arc::downgrade(hub.core())));
        }
    }

    /// Registers what the namespace of the admins answers.
    pub(super) fn listen(self: &Arc<Self>, namespace: &Namespace) {
        let core = Arc::clone(self);
        namespace.on("connect", move |payload: EventPayload| {
            let core = Arc::clone(&core);
            async move { core.greet(&payload.socket).await }
        });
        if !self.is_read_only {
            commands::listen(namespace);
        }
    }

    /// Tells a new admin what this server can do, and in development mode which sockets exist.
    async fn greet(&self, socket: &Socket) {
        let commands = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"];
        let mut features = vec!["AGGREGATED_EVENTS"];
        if !self.is_read_only {
            features.extend(commands);
        }
        if self.is_development {
            features.push("ALL_EVENTS");
        }
        // An admin that is gone again needs nothing.
        if socket.emit(("config", json!({ "supportedFeatures": features }))).is_ok() && self.is_development {
            let sockets = all_sockets(self, socket.hub(), FETCH_TIMEOUT).await;
            let _ = socket.emit(("all_sockets", sockets));
        }
    }

    pub(super) fn reports(&self, hub: &Hub) -> Option<Reports> {
        Reports::of(self, hub)
    }
}
