//! Engines of the crate [`socketio`] that run several servers as one over Redis or Valkey.
//!
//! Servers whose hubs have such an engine share rooms, broadcasts and requests. Servers on
//! Node.js with `@socket.io/redis-adapter` can be members of the same cluster.
//!
//! # Use
//!
//! Add the crate, and the feature `cluster` of `socketio`:
//!
//! ```toml
//! [dependencies]
//! socketio = { version = "0.1", features = ["cluster"] }
//! socketio-redis = "0.1"
//! ```
//!
//! Give the hub an engine:
//!
//! ```no_run
//! use socketio::Hub;
//! use socketio_redis::Redis;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::builder().cluster(Redis::from_env()?).build()?;
//! # _ = hub;
//! # Ok(())
//! # }
//! ```
//!
//! Set the environment variable `REDIS_URL` to the address, such as
//! `redis://user:password@localhost:6379`, and start the program on several machines.
//!
//! The hub serves its own clients when Redis can't be reached.
//! [`Hub::ready`](socketio::Hub::ready) waits for the first connection, and
//! [`Hub::cluster`](socketio::Hub::cluster) has the state. The engine connects again by itself.
//!
//! # Which engine
//!
//! | engine | like, on Node.js | Redis | where messages to a room go |
//! | --- | --- | --- | --- |
//! | [`Redis`] | `createAdapter` | one server, from version 6 on, or Sentinels | to all servers |
//! | [`ShardedRedis`] | `createShardedAdapter` | one server, from version 7 on, Sentinels, or a Redis Cluster | to servers with members of the room |
//!
//! Valkey speaks the same protocol. Take [`Redis`] if you have no reason for the other. All
//! messages of a namespace arrive in order, and joining a room costs no command. [`ShardedRedis`]
//! spreads the channels over the nodes of a Redis Cluster, and keeps messages from servers that
//! have nobody to receive them. There is no order between messages to different rooms then.
//!
//! All servers of a cluster have the same engine with the same prefix and mode. With [`Redis`]
//! they use the same server: the nodes of a Redis Cluster do not count each other's subscribers.
//!
//! # Features
//!
//! `tls-rustls` is needed for `rediss://`. It uses rustls with ring, and the system's
//! certificates unless `trust` sets others. It is off by default.
//!
//! # Trust
//!
//! Who may publish in this Redis can send anything to all clients, move them between rooms, and
//! disconnect them. Members do not prove who they are. Keep Redis in a private network, with a
//! password, and encrypt connections that leave it.
//!
//! # Settings of Redis
//!
//! | setting | value | why |
//! | --- | --- | --- |
//! | `tcp-keepalive` | `15` | A server that vanished is counted, and waited for, until Redis notices |
//! | `timeout` | `0`, the default | Redis would end connections that are idle |
//! | `client-output-buffer-limit` | `pubsub 32mb 8mb 60`, the default | Redis ends connections that read too slowly; the messages are lost, and reported as a gap. Raise it if bursts are larger |
//! | `maxmemory-clients` | `0`, the default | Redis would end connections that have much to send |
//! | `cluster-allow-pubsubshard-when-down` | `yes`, the default | Messages are carried while another node of the cluster fails |
//! | `cluster-node-timeout` | `5000` (milliseconds) | After it a replica replaces its master |
//!
//! Nothing is stored, so that persistence is not needed.
//!
//! # Rights
//!
//! A user for [`Redis`] with the prefix `socket.io` needs these rights:
//!
//! ```text
//! ACL SETUSER chat on >password resetchannels
//!     &socket.io#/#* &socket.io-request#* &socket.io-response#*
//!     -@all +publish +subscribe +psubscribe +unsubscribe +punsubscribe +pubsub|numsub
//! ```
//!
//! It needs a channel such as `&socket.io#/chat#*` for each namespace, as it stands, since Redis
//! permits a pattern only if it is that of the rule. `allchannels` permits all namespaces.
//!
//! A user for [`ShardedRedis`] needs fewer:
//!
//! ```text
//! ACL SETUSER chat on >password resetchannels &socket.io*
//!     -@all +spublish +ssubscribe +sunsubscribe +pubsub|shardnumsub +cluster|slots
//! ```
//!
//! `+cluster|slots` is for a Redis Cluster. With Sentinels the user of the server needs `+role`,
//! and that of the Sentinels `+sentinel|get-master-addr-by-name`. `+info` is optional: with it
//! the engine can tell that Redis ended a connection because this server was too slow.
//!
//! # Failures
//!
//! The engine tries to connect for ever, at once and then after 50 ms to 2 s. Each time it
//! resolves names and asks Sentinels anew, subscribes again to everything, and only then says
//! that it is connected. A command must be replied to within a second. The first loss of a
//! connection is logged as `WARN`, the return as `INFO`, and attempts as `DEBUG`.
//!
//! Of a Redis Cluster each master has connections of its own, which are probed every 2 seconds.
//! When a slot moves, or a replica replaces its master, the subscriptions follow.

#![forbid(unsafe_code)]

mod address;
mod backoff;
mod channels;
mod classic;
mod cluster;
mod commands;
mod error;
mod incoming;
mod log;
mod node;
mod resp;
mod server;
mod sharded;
mod stream;
mod streams;
mod subscriber;
mod tls;
mod wanted;

pub use classic::Redis;
pub use error::ConfigError;
pub use sharded::{ShardedRedis, SubscriptionMode};
pub use streams::RedisStreams;
