//! Engines of the crate [`socketio`] that run several servers as one over Redis or Valkey.
//!
//! Servers whose hubs have such an engine share rooms, broadcasts and requests. Servers on
//! Node.js with `@socket.io/redis-adapter` or `@socket.io/redis-streams-adapter` can be members of
//! the same cluster.
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
//! A program that is no server emits with an [`Emitter`] over the same engine.
//!
//! # Which engine
//!
//! | engine | like, on Node.js | Redis | where messages to a room go |
//! | --- | --- | --- | --- |
//! | [`Redis`] | `createAdapter` | one server, from version 6 on, or Sentinels | to all servers |
//! | [`ShardedRedis`] | `createShardedAdapter` | one server, from version 7 on, Sentinels, or a Redis Cluster | to servers with members of the room |
//! | [`RedisStreams`] | `createAdapter` of `@socket.io/redis-streams-adapter` 0.3 | one server, from version 6 on, better 7, or Sentinels | to all servers, also later |
//!
//! Valkey speaks the same protocol. Take [`Redis`] if you have no reason for the others. All
//! messages of a namespace arrive in order, and joining a room costs no command. [`ShardedRedis`]
//! spreads the channels over the nodes of a Redis Cluster, and keeps messages from servers that
//! have nobody to receive them. There is no order between messages to different rooms then.
//!
//! Take [`RedisStreams`] if a server that was cut off must not miss messages, or if clients resume
//! their sessions ([`Recovery`](socketio::Recovery)) at other servers. Redis stores the messages in
//! one stream, which all servers read. That costs Redis and the servers more than
//! publish/subscribe.
//!
//! All servers of a cluster have the same engine with the same prefix and mode. With [`Redis`] and
//! [`RedisStreams`] they use the same server: the nodes of a Redis Cluster do not count each
//! other's subscribers, and a stream is on one node. `streamCount` and `useShardedPubSub` of the
//! adapter for Node.js, and its versions before 0.3, are not supported.
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
//! [`Redis`] and [`ShardedRedis`] store nothing, so that they need no persistence.
//!
//! For [`RedisStreams`], these settings matter too:
//!
//! | setting | value | why |
//! | --- | --- | --- |
//! | `appendonly` | `yes` | A restart loses the stream otherwise, or falls back to a snapshot. Servers report a gap, and older sessions are not resumed. With `appendfsync everysec`, the default, a crash may lose the entries of the last two seconds; with `always` it loses none |
//! | `maxmemory-policy` | `noeviction`, the default, or a `volatile` one | Redis would remove the stream |
//! | `maxmemory` | above what is stored | Redis refuses entries, which are counted as [`unpublished`](socketio::cluster::ClusterStats::unpublished) |
//! | `min-replicas-to-write` | `1`, with Sentinels | A replica that becomes the master may lack the last entries, which some servers have read. With it, they are few. Servers that read them report a gap; those that start later can't know |
//!
//! # What is stored
//!
//! | key | what | how long | how large |
//! | --- | --- | --- | --- |
//! | `socket.io` | the stream: events to clients, and changes of rooms | 10,000 entries, [`max_len`](RedisStreams::max_len), and as long as clients can resume, or 5 minutes without recovery | the messages as JSON, with binary data as MessagePack in base64, and about 60 bytes each |
//! | `sio:session:…` | the session of a client that was cut off | as long as it can be resumed, 2 minutes by default | its rooms and attributes |
//!
//! Old entries are removed in groups of about 100. Redis 6.0 and 6.1 remove them by number only.
//! Nobody else may remove entries (`XDEL`) or write to the stream, except emitters.
//!
//! 10,000 entries reach back 10 seconds if 1,000 are added per second. If that is less than clients
//! may stay away, this is logged as `WARN`, and
//! [`EventLog::reach`](socketio::cluster::EventLog::reach) has the figure. Set a greater `max_len`
//! on all servers, those on Node.js too.
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
//! `+cluster|slots` is for a Redis Cluster.
//!
//! A user for [`RedisStreams`] needs these:
//!
//! ```text
//! ACL SETUSER chat on >password resetchannels &socket.io#* resetkeys ~socket.io ~sio:session:*
//!     -@all +publish +subscribe +unsubscribe +pubsub|numsub +xadd +xread +xrange +xrevrange
//!     +xtrim +xinfo|stream +time +get +set +del +multi +exec +info
//! ```
//!
//! It needs `+select` if the number of the database is not 0. Without `+info`, servers that start
//! later do not notice that Redis has fallen back to a snapshot.
//!
//! With Sentinels the user of the server needs `+role`,
//! and that of the Sentinels `+sentinel|get-master-addr-by-name`. Otherwise `+info` is optional:
//! with it the engine can tell that Redis ended a connection because this server was too slow.
//!
//! # Failures
//!
//! The engine tries to connect for ever, at once and then after 50 ms to 2 s. Each time it
//! resolves names and asks Sentinels anew, subscribes again to everything, and only then says
//! that it is connected. A command must be replied to within a second. The first loss of a
//! connection is logged as `WARN`, the return as `INFO`, and attempts as `DEBUG`.
//!
//! [`RedisStreams`] goes on after the last entry that it has read. With each read it finds out
//! whether that entry, or one not long before it, is still there, since Redis removes the oldest
//! first. If it is not, entries may have been removed or lost before they were read. Then it
//! reports a [gap](socketio::cluster::GapReason::Trimmed), logs it as `WARN`, and reads what is
//! there.
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
#[doc(no_inline)]
pub use socketio::Emitter;
pub use streams::RedisStreams;
