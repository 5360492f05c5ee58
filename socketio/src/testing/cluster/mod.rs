//! Tests of clusters: [`SimNet`], a network in memory with faults on demand; the [`conformance`]
//! suite of [`Engine`](crate::cluster::Engine)s; a [`Recorder`] that takes the place of a hub in
//! tests of an engine; and a [`TcpProxy`] between an engine and its broker.
//!
//! This module needs the cargo features `testing` and `cluster`.
//!
//! An application tests several of its servers in one process. They share a [`SimNet`], and test
//! clients connect to each:
//!
//! ```test_harness
//! use socketio::testing::cluster::{SimEngine, SimNet};
//! use socketio::{BuildError, EmitError, Hub, Socket, event, events};
//! use std::time::Duration;
//!
//! #[event("say")]
//! fn say(socket: &Socket, text: String) -> Result<(), EmitError> {
//!     socket.broadcast(("said", text), true)
//! }
//!
//! /// In production, the engine is that of `socketio-redis`.
//! fn hub(engine: SimEngine) -> Result<Hub, BuildError> {
//!     Hub::builder().cluster(engine).events(events![say]).build()
//! }
//!
//! #[tokio::test(start_paused = true)]
//! async fn what_is_said_reaches_the_other_server() -> Result<(), Box<dyn std::error::Error>> {
//!     let net = SimNet::seeded(1);
//!     let (one, other) = (hub(net.engine("one"))?, hub(net.engine("other"))?);
//!     one.ready(Duration::from_secs(5)).await?;
//!     other.ready(Duration::from_secs(5)).await?;
//!
//!     let ann = one.test_client().connect().await?;
//!     let mut bob = other.test_client().plain().connect().await?;
//!     ann.request::<()>("say", "hello").await?;
//!     bob.expect_exact(("said", "hello")).await?;
//!
//!     net.partition("one", "other");
//!     ann.request::<()>("say", "is anybody there?").await?;
//!     bob.expect_nothing().await?;
//!
//!     net.heal();
//!     ann.request::<()>("say", "hello again").await?;
//!     bob.expect_exact(("said", "hello again")).await?;
//!     assert_eq!(other.cluster().map(|cluster| cluster.stats().missed), Some(1));
//!     Ok(())
//! }
//! ```
//!
//! Use [`Cluster::flushed`](crate::Cluster::flushed) to wait until emits are published and joins
//! are in effect.

pub mod conformance;
mod recorder;
mod sim;
mod tcp_proxy;

pub use crate::cluster::OwnedTopic;
pub use recorder::{Recorded, Recorder, batch};
pub use sim::{SimEngine, SimNet, SimStats};
pub use tcp_proxy::TcpProxy;
