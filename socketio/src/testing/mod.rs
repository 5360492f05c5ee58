//! Clients for tests, in the process of the hub: no port, no network, nothing that hangs on timing.
//!
//! [`Hub::test_client`](crate::Hub::test_client) begins one, and [`Namespace::test_client`](crate::Namespace::test_client) one of another
//! namespace. What is below it is the real thing: the HTTP upgrade, the router and its
//! layers, the connection's task, inbox and outbox, limits, heartbeats and codecs. Only the stream is a pair of buffers in
//! memory instead of a socket of the kernel.
//!
//! This module exists with the cargo feature `testing`, which belongs in the `dev-dependencies`. The guide has
//! [a page on it](crate::guide::tests_in_process).
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

// In the data's way: `builder` begins a `line`, the connection's other end, which reads and writes by `wire` and files what it
// hears in one `inbox` for each namespace; `client` and `expect` are what a test says and hears, `received` and `error` what it
// is given.
mod builder;
mod client;
mod error;
mod expect;
mod inbox;
mod line;
mod received;
mod wire;

use std::time::Duration;

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Ended, Refused, TestError, Unmet};
pub use received::Received;

/// How long nothing happens before the server counts as idle.
const QUIET: Duration = Duration::from_millis(20);

/// How often it is looked whether something that nobody tells has happened.
const MOMENT: Duration = Duration::from_millis(1);

/// Waits until the server has done all that was caused: until nothing but a later time could make it go on.
///
/// It sleeps for 20 milliseconds of tokio's time. Where that is paused (`#[tokio::test(start_paused = true)]`) no time passes
/// before every task waits, so that this is exact and takes no time; but a handler that itself waits for some time to pass,
/// longer than these 20 milliseconds, is not done. Where time is not paused it is what it says.
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
    tokio::time::sleep(QUIET).await;
}
