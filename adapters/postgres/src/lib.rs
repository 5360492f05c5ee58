//! An engine of the crate [`socketio`] that runs several servers as one over PostgreSQL.
//!
//! Servers whose hubs have the engine [`Postgres`] share rooms, broadcasts and requests. Servers on
//! Node.js with `@socket.io/postgres-adapter` can be members of the same cluster, and other
//! programs can emit with `@socket.io/postgres-emitter`.
//!
//! # Use
//!
//! Add the crate, and the feature `cluster` of `socketio`:
//!
//! ```toml
//! [dependencies]
//! socketio = { version = "0.1", features = ["cluster"] }
//! socketio-postgres = "0.1"
//! ```
//!
//! Give the hub an engine:
//!
//! ```no_run
//! use socketio::Hub;
//! use socketio_postgres::Postgres;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::builder().cluster(Postgres::from_env()?).build()?;
//! # _ = hub;
//! # Ok(())
//! # }
//! ```
//!
//! Set the environment variable `DATABASE_URL` to the address, such as
//! `postgres://user:password@localhost:5432/chat`, and start the program on several machines.
//!
//! The hub serves its own clients when PostgreSQL can't be reached.
//! [`Hub::ready`](socketio::Hub::ready) waits for the first connection, and
//! [`Hub::cluster`](socketio::Hub::cluster) has the state. The engine connects again by itself.
//!
//! A program that is no server emits with an [`Emitter`] over the same engine.
//!
//! # How it works
//!
//! A namespace has a channel such as `socket.io#/chat`, to which all its servers `LISTEN`. All
//! messages of the namespace are notifications on it, and every server receives all of them, also
//! answers to others. They arrive in the order in which their transactions were committed.
//!
//! Each server has two connections: one listens, and one publishes. What a server has to publish at
//! a moment goes into one transaction, of up to 2,000 messages. The connections are the engine's
//! own: it never uses those of the application, nor publishes within its transactions.
//!
//! A message that is binary or longer than 7,999 bytes is stored in a table, as MessagePack, and
//! its id is notified. The other servers read it, and keep the order: what comes behind it waits up
//! to a second. A message that can't be read is lost, and is a
//! [`Gap`](socketio::cluster::GapReason::Attachment). The table is created when it is first needed.
//! Its old rows are deleted every 30 s, while the server uses it.
//!
//! The servers count each other by heartbeats, as PostgreSQL does not tell who listens. A server
//! that has published nothing for 5 s publishes a heartbeat, and one that was not heard for 10 s is
//! not counted anymore.
//!
//! # Together with Node.js
//!
//! The version 0.5 of `@socket.io/postgres-adapter` uses the same messages. Some things are
//! different there:
//!
//! - The adapter does not create the table. Create it before, as its documentation says.
//! - It publishes over a pool of connections. With more than two of them, its messages have no
//!   order.
//! - It ignores messages of `@socket.io/postgres-emitter`, which servers of this crate understand.
//! - It loses messages of exactly 8,000 bytes, which PostgreSQL does not accept.
//! - Names of namespaces that are longer than 63 bytes together with the prefix don't work. Servers
//!   of this crate replace the end of such a name by a digest, so that they work among themselves.
//! - A count of servers is right only 5 s after a server on Node.js came.
//!
//! # Limits
//!
//! PostgreSQL carries far fewer messages than Redis. A transaction that notifies takes a lock of
//! all databases of the server while it commits. Each commit wakes every server of the cluster.
//! Batches help, which the engine makes when many messages wait. These figures are of PostgreSQL
//! 15 and the servers on one virtual machine with two cores. The time is CPU time of PostgreSQL:
//!
//! | servers | bytes | messages in a transaction | messages per second | PostgreSQL, µs for a message |
//! | --- | ---: | ---: | ---: | ---: |
//! | 1 | 200 | 1 | 6,200 | 72 |
//! | 1 | 200 | 10 | 53,000 | 8 |
//! | 1 | 200 | 100 | 250,000 | 1.7 |
//! | 1 | 200 | 1,000 | 560,000 | 1.0 |
//! | 3 | 200 | 1 | 5,000 | 96 |
//! | 3 | 200 | 10 | 48,000 | 10 |
//! | 3 | 200 | 100 | 210,000 | 1.8 |
//! | 3 | 200 | 1,000 | 360,000 | 1.3 |
//! | 3 | 2,000 | 100 | 67,000 | 9.5 |
//! | 3 | 10,000 (attachments) | 1 | 2,200 | 385 |
//! | 3 | 10,000 (attachments) | 100 | 9,000 | 110 |
//!
//! With one message in a transaction, a server publishes one message after the other. A busy
//! machine, a slow network and more servers make the figures several times worse: plan for a
//! thousand messages a second in the whole cluster. More is possible in bursts. To measure it, run:
//!
//! ```sh
//! cargo test --profile quick-release -p socketio-postgres --test postgres figures -- \
//!     --ignored --nocapture
//! ```
//!
//! Other limits:
//!
//! - A message has at most 16 MiB. Larger ones are dropped and counted. Attachments cost a write, a
//!   read for each server, and space until they are deleted: take another engine if most messages
//!   are long or binary.
//! - Each transaction takes a transaction id. Autovacuum must be on, as it is by default.
//! - Notifications that a server has not read yet are in a queue of up to 8 GB, which all databases
//!   of the server share. It is emptied up to the slowest listener, or the oldest transaction of a
//!   session that listens. The engine listens in no transaction. The application should not either.
//!   PostgreSQL warns when the queue is half full, which is logged as `WARN`; when it is full,
//!   messages are lost and counted as `unpublished`.
//! - Notifications are not replicated. All servers of a cluster use the primary: a standby is
//!   refused. Name all of them in the address, as in `postgres://one,two/chat`.
//!
//! # Settings of PostgreSQL
//!
//! | setting | value | why |
//! | --- | --- | --- |
//! | version | from 12 on, tested with 15 | |
//! | encoding of the database | `UTF8` | Messages may have any characters. Others are refused |
//! | `max_connections` | 2 more for each server | and for a moment another one, when it deletes old attachments |
//! | `tcp_keepalives_idle` | `15` | The sessions of a server that vanished keep the queue from being emptied |
//!
//! The engine sets what it needs in its own sessions: `idle_session_timeout`, `statement_timeout`,
//! `lock_timeout` and `synchronous_commit`.
//!
//! **PgBouncer** and other poolers that share sessions can't be used: in transaction mode a
//! `LISTEN` is lost with its transaction. Connect to PostgreSQL itself, or to a pooler in session
//! mode.
//!
//! # Rights
//!
//! Every user may listen and notify. Attachments need the table, and rights on it. A user that may
//! create tables in the schema needs nothing else. Otherwise create it, and grant these rights:
//!
//! ```sql
//! CREATE TABLE socket_io_attachments
//!     (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea);
//! GRANT SELECT, INSERT, DELETE ON socket_io_attachments TO chat;
//! GRANT USAGE ON SEQUENCE socket_io_attachments_id_seq TO chat;
//! ```
//!
//! Without them, messages that are binary or long are lost: they are counted as `unpublished`, and
//! the first is logged as `ERROR` with the reason.
//!
//! # Trust
//!
//! Who may connect to the database can notify, and thus send anything to all clients, move them
//! between rooms, and disconnect them. PostgreSQL has no rights for channels. Give the cluster a
//! database of its own if others use the server, since channels belong to a database.
//!
//! # Features
//!
//! `tls-rustls` is needed for encrypted connections. It uses rustls with ring, and the system's
//! certificates unless `trust` sets others. It is off by default. Without `sslmode` in the address,
//! and without `trust` or `identity`, nothing is encrypted.
//!
//! # Failures
//!
//! The engine tries to connect for ever, at once and then after 50 ms to 2 s. Each time it
//! resolves names anew, tries all hosts, listens again to everything, and only then says that it is
//! connected. A command must be replied to within 4 seconds, and some more for large messages. The
//! first loss of a connection is logged as `WARN`, the return as `INFO`, and attempts as `DEBUG`. A
//! connection that is open but dead is noticed by the probe of the hub, within 4 seconds.
//!
//! If a commit fails or is not confirmed, all messages of its transaction count as `unpublished`.

#![forbid(unsafe_code)]

mod attachments;
mod backoff;
mod channels;
mod error;
mod header;
mod listener;
mod node;
mod outgoing;
mod pending;
mod postgres;
mod session;
mod stream;
mod target;
mod tls;
mod wanted;

pub use error::ConfigError;
pub use postgres::Postgres;
#[doc(no_inline)]
pub use socketio::Emitter;
