//! The settings, from the environment variable MEMBER.

use serde::Deserialize;
use socketio::cluster::Engine;
use socketio::{Admin, Drain, HubBuilder, Persist, Recovery};
use socketio_postgres::Postgres;
use socketio_redis::{Redis, RedisStreams, ShardedRedis, SubscriptionMode};
use std::time::Duration;

/// `tests/node/cluster/node-member.mjs` says what they mean.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    pub(crate) name: String,
    adapter: String,
    urls: Vec<String>,
    #[serde(default)]
    cluster: bool,
    sentinel: Option<String>,
    prefix: Option<String>,
    pub(crate) namespaces: Vec<String>,
    /// The size of the queue for publishing, in messages.
    queue: Option<usize>,
    /// How long other servers are waited for, in milliseconds.
    patience: Option<u64>,
    recovery: Option<RecoverySettings>,
    admin: Option<AdminSettings>,
    drain: Option<DrainSettings>,
}

/// How clients can resume their sessions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecoverySettings {
    /// In milliseconds.
    max_disconnection_duration: u64,
    #[serde(default)]
    eager: bool,
}

/// How clients are moved to other servers at SIGTERM, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
struct DrainSettings {
    over: u64,
    grace: u64,
}

impl RecoverySettings {
    fn settings(&self) -> Recovery {
        let recovery = Recovery::new().max_disconnection(Duration::from_millis(self.max_disconnection_duration));
        recovery.persist(if self.eager { Persist::Eager } else { Persist::AtEnd })
    }
}

/// Who may use the Admin UI.
#[derive(Debug, Deserialize)]
struct AdminSettings {
    username: String,
    password: String,
}

impl Settings {
    pub(crate) fn drain(&self) -> Option<Drain> {
        let DrainSettings { over, grace } = self.drain?;
        Some(Drain::new().over(Duration::from_millis(over)).grace(Duration::from_millis(grace)))
    }

    pub(crate) fn join_cluster(&self, builder: HubBuilder) -> Result<HubBuilder, Box<dyn std::error::Error>> {
        let builder = match &self.admin {
            Some(AdminSettings { username, password }) => {
                builder.admin(Admin::new(username, password).development().server_id(&self.name))
            }
            None => builder,
        };
        let builder = match self.queue {
            Some(messages) => builder.publish_queue(16 << 20, messages),
            None => builder,
        };
        let builder = match self.patience {
            Some(milliseconds) => builder.ack_timeout(Duration::from_millis(milliseconds)),
            None => builder,
        };
        let builder = match &self.recovery {
            Some(recovery) => builder.recovery(recovery.settings()),
            None => builder,
        };
        Ok(builder.cluster(self.engine()?))
    }

    /// What the members of the cluster use.
    pub(crate) fn engine(&self) -> Result<Box<dyn Engine>, Box<dyn std::error::Error>> {
        let mode = match self.adapter.as_str() {
            "sharded" => SubscriptionMode::Dynamic,
            "private" => SubscriptionMode::DynamicPrivate,
            "streams" | "iostreams" => return self.streams(),
            "postgres" => {
                let engine = Postgres::new(self.url()?)?;
                return Ok(match &self.prefix {
                    Some(prefix) => Box::new(engine.prefix(prefix)),
                    None => Box::new(engine),
                });
            }
            _ => return self.classic(),
        };
        let engine = match &self.sentinel {
            Some(name) => ShardedRedis::sentinel(&self.urls, name)?,
            None if self.cluster => ShardedRedis::cluster(&self.urls)?,
            None => ShardedRedis::new(self.url()?)?,
        };
        let engine = engine.mode(mode);
        Ok(match &self.prefix {
            Some(prefix) => Box::new(engine.prefix(prefix)),
            None => Box::new(engine),
        })
    }

    fn streams(&self) -> Result<Box<dyn Engine>, Box<dyn std::error::Error>> {
        let engine = match &self.sentinel {
            Some(name) => RedisStreams::sentinel(&self.urls, name)?,
            None => RedisStreams::new(self.url()?)?,
        };
        Ok(match &self.prefix {
            Some(prefix) => Box::new(engine.prefix(prefix).stream(prefix)),
            None => Box::new(engine),
        })
    }

    fn url(&self) -> Result<&str, &'static str> {
        self.urls.first().map(String::as_str).ok_or("MEMBER has no URLs")
    }

    fn classic(&self) -> Result<Box<dyn Engine>, Box<dyn std::error::Error>> {
        let engine = match &self.sentinel {
            Some(name) => Redis::sentinel(&self.urls, name)?,
            None => Redis::new(self.url()?)?,
        };
        Ok(match &self.prefix {
            Some(prefix) => Box::new(engine.prefix(prefix)),
            None => Box::new(engine),
        })
    }
}
