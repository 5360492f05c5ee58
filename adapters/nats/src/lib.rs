//! An engine of the crate [`socketio`] that runs several servers as one over NATS.
//!
//! Servers whose hubs have such an engine share rooms, broadcasts and requests. Servers of
//! `socket.io` on Node.js can't be members, since there is no adapter for NATS. The messages have
//! the format of the class `ClusterAdapterWithHeartbeat` of `socket.io-adapter`, for which one can
//! be written.
//!
//! # Use
//!
//! Add the crate, and the feature `cluster` of `socketio`:
//!
//! ```toml
//! [dependencies]
//! socketio = { version = "0.1", features = ["cluster"] }
//! socketio-nats = "0.1"
//! ```
//!
//! Give the hub an engine:
//!
//! ```no_run
//! use socketio::Hub;
//! use socketio_nats::Nats;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::builder().cluster(Nats::from_env()?).build()?;
//! # _ = hub;
//! # Ok(())
//! # }
//! ```
//!
//! Set the environment variable `NATS_URL` to the address, such as
//! `nats://user:password@localhost:4222`, and start the program on several machines.
//!
//! The hub serves its own clients when NATS can't be reached.
//! [`Hub::ready`](socketio::Hub::ready) waits for the first connection, and
//! [`Hub::cluster`](socketio::Hub::cluster) has the state. The engine connects again by itself.
//!
//! A program that is no server emits with an [`Emitter`] over the same engine.
//!
//! # NATS
//!
//! The engine uses core NATS, which stores nothing, with the crate `async-nats`. It is tested with
//! version 2.9, and needs nothing that is newer than version 2.0. JetStream is not needed.
//!
//! The servers of the hubs may use different servers of one NATS cluster. These tell each other
//! about a subscription after the engine reports that it is in effect: for some milliseconds,
//! messages from other servers of the NATS cluster may not reach it.
//!
//! | setting of NATS | value | why |
//! | --- | --- | --- |
//! | `max_payload` | `1MB`, the default | Set [`Nats::max_payload`] to the same. Larger messages are dropped and counted |
//! | `max_pending` | `64MB`, the default | NATS closes a connection that it has to send more than this; the messages are lost. Raise it if bursts are larger |
//! | `write_deadline` | `10s`, the default | NATS closes a connection that takes nothing for so long |
//! | `max_control_line` | `4KB`, the default | A subject has at most 1.2 KB, besides the prefix |
//!
//! # Subjects
//!
//! | subject | what is published |
//! | --- | --- |
//! | `PREFIX.NAMESPACE.all` | what all servers receive, also messages to rooms |
//! | `PREFIX.NAMESPACE.to.SERVER` | answers to the requests of one server |
//! | `PREFIX.echo.ID` | what a connection publishes to itself, to learn how far the server is |
//!
//! Letters, digits, `-` and `_` of a name stand for themselves. Each other byte is written as `=`
//! with two hexadecimal digits: `/chat` is `=2Fchat`. A name that would have more than 512
//! characters is `==` with its SHA-256. `PREFIX` is `socket.io`, unless [`Nats::prefix`] sets
//! another. `nats sub 'socket.io.>'` shows everything.
//!
//! Each server has one subscription for all messages of a namespace, so that they arrive in the
//! order in which one server has published them, also those to different rooms.
//!
//! # Rights
//!
//! A user needs the subjects of its prefix:
//!
//! ```text
//! authorization {
//!   users: [
//!     {
//!       user: chat, password: "…"
//!       permissions: { publish: "socket.io.>", subscribe: "socket.io.>" }
//!     }
//!   ]
//! }
//! ```
//!
//! The engine logs in with a user and a password, a token, or, with the cargo feature `nkeys`, with
//! a key or a `.creds` file. The URL may have the user and the password, or the token.
//!
//! # TLS
//!
//! A URL that begins with `tls://` requires TLS, and so may the server. The engine uses rustls with
//! ring, and the system's certificates unless [`Nats::trust`] sets others. [`Nats::identity`] sets
//! the certificate that it presents.
//!
//! # Trust
//!
//! Who may publish on these subjects can send anything to all clients, move them between rooms, and
//! disconnect them. Members do not prove who they are. Keep NATS in a private network, with a
//! password, and encrypt connections that leave it.
//!
//! # Counting
//!
//! NATS does not count subscribers. The servers count each other by heartbeats, which
//! [`Nats::heartbeats`] sets: a server is counted from its first message until it leaves, or was
//! silent for 10 seconds. See [`Counts::Heartbeats`](socketio::cluster::Counts::Heartbeats).
//!
//! # Limits
//!
//! | what | bound |
//! | --- | --- |
//! | a message | 1 MiB, or [`Nats::max_payload`] |
//! | received messages of a namespace that wait | 65,536, or [`Nats::pending`] |
//! | messages that wait for the connection | 4,096, besides the [`publish_queue`](socketio::HubBuilder::publish_queue) |
//! | servers that are counted in a namespace | 4,096 |
//!
//! The CPU time of a message to a room, between two servers on one machine with 2 cores and
//! `nats-server` 2.9.10. `examples/load.rs` measures it:
//!
//! | payload | the server that emits it, and gets it back | a server without a member of the room | NATS, with two subscribers |
//! | --- | --- | --- | --- |
//! | 150 bytes | 2.7 µs | 1.7 µs | 2.7 µs |
//! | 1,000 bytes | 5.0 µs | 2.2 µs | 5.7 µs |
//!
//! While these took turns with other programs, 93,000 and 54,000 messages a second arrived, and
//! none was lost.
//!
//! # Failures
//!
//! | what happens | what the engine does |
//! | --- | --- |
//! | NATS is away | It tries to connect for ever, after 50 ms to 2 s, to each server in turn. Names are resolved anew. Messages are lost and counted as `unpublished` |
//! | it comes back | The engine subscribes to everything, and says that it is connected when NATS has confirmed that |
//! | the connection carries nothing | Publishing fails after 2 s without progress. The connection is closed after 3 s, or earlier when the hub's probe is lost |
//! | a batch is published in part | NATS confirms what it has handled, each mebibyte and at the end. The rest counts as `unpublished`; some of it may have been published |
//! | this server can't deliver fast enough | The reader never waits. What exceeds the queue of the namespace is lost, reported as [`GapReason::Slow`](socketio::cluster::GapReason::Slow) at most once a second, and counted as `missed` by the numbers of the messages |
//! | NATS finds this server too slow | It closes the connection without a reason. That is reported as any loss of a connection |
//! | a server of NATS enters lame duck mode | It is logged. When it closes the connection, the engine connects to another |
//! | the user lacks a right | It is logged as `WARN`. The engine does not become ready |
//!
//! The first loss of a connection is logged as `WARN`, the return as `INFO`, and attempts as
//! `DEBUG`. The crate `async-nats` logs each of its events as `INFO`, one for each message that is
//! lost because this server is slow: `async_nats=warn` in the filter of the log silences it.

#![forbid(unsafe_code)]

mod address;
mod backoff;
mod connection;
mod consumer;
mod echo;
mod error;
mod nats;
mod publisher;
mod subjects;
mod supervisor;
mod tls;

pub use error::ConfigError;
pub use nats::Nats;
#[doc(no_inline)]
pub use socketio::Emitter;
