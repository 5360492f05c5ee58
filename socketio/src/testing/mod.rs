//! Test clients that run in the hub's process: no port, no network, no dependence on timing.
//!
//! [`Hub::test_client`](crate::Hub::test_client) returns a builder for a client of the namespace
//! `/`, [`Namespace::test_client`](crate::Namespace::test_client) one for another namespace.
//!
//! The server side is the real one: the HTTP upgrade, the router and its layers, the connection's
//! task, limits, heartbeats and codecs. Only the stream is a pair of in-memory buffers instead of a
//! TCP socket.
//!
//! This module needs the cargo feature `testing`, which belongs in `dev-dependencies`. The guide
//! has [a page on it](crate::guide::tests_in_process).
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//! use socketio::{EmitError, Hub, Socket, event, events};
//!
//! #[event("news")]
//! #[derive(Debug, Deserialize, PartialEq, Serialize)]
//! struct News {
//!     headline: String,
//! }
//!
//! #[event("publish")]
//! fn publish(socket: &Socket, news: News) -> Result<usize, EmitError> {
//!     socket.broadcast(&news, true)?;
//!     Ok(news.headline.len())
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::builder().events(events![publish]).build()?;
//! let author = hub.test_client().connect().await?;
//! let mut reader = hub.test_client().plain().connect().await?;
//!
//! let length: usize = author.request("publish", &json!({ "headline": "it works" })).await?;
//! assert_eq!(length, 8);
//! assert_eq!(reader.expect::<News>().await?, News { headline: "it works".into() });
//! reader.expect_nothing().await?;
//! # Ok(())
//! # }
//! ```

// `builder` opens a `connection`, which encodes and decodes with `wire` and delivers to one `inbox`
// per namespace. `client` sends, `expect` receives. `pending_answer`, `received` and `error` are
// the results.
mod builder;
mod client;
#[cfg(feature = "cluster")]
pub mod cluster;
mod connection;
mod error;
mod expect;
mod inbox;
mod pending_answer;
mod received;
mod wire;

use std::time::Duration;

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Ended, Refused, TestError, Unmet};
pub use pending_answer::PendingAnswer;
pub use received::Received;

/// How long `settle` sleeps.
const SETTLE_TIME: Duration = Duration::from_millis(20);

/// How often a condition without a notification is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Waits until the server is idle: until only the passing of time could make it continue.
///
/// Sleeps for 20 milliseconds of tokio's time. If time is paused (`#[tokio::test(start_paused =
/// true)]`), it only advances once every task waits. The wait is then exact and takes no real time.
/// A handler that itself sleeps for longer than 20 milliseconds is not finished afterwards. If time
/// is not paused, this is a plain sleep.
///
/// ```
/// # use socketio::{Hub, testing};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().build()?;
/// let client = hub.test_client().connect().await?;
/// drop(client); // the connection breaks
/// testing::settle().await;
/// assert!(hub.is_empty());
/// # Ok(())
/// # }
/// ```
pub async fn settle() {
    tokio::time::sleep(SETTLE_TIME).await;
}
