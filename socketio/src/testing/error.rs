//! The errors of test clients.

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

use super::wire::Truncated;
use crate::event::error::{EventError, PayloadError};
use crate::event::unscanned::from_json;
use crate::hub::selection::EmitError;

/// Why an operation of a test client failed. `Debug` prints the same text as `Display`, so a test
/// that returns an error with `?` shows a readable message.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// The server refused the client.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The client's event was answered with an error.
    #[error("the answer to `{}` is an error, {}: {_0}", _0.event().unwrap_or_default(), _0.code())]
    Failed(EventError),
    /// The expected message did not arrive.
    #[error(transparent)]
    Unmet(#[from] Unmet),
    /// The connection has ended, so nothing can be sent.
    #[error("the connection has ended: {0}")]
    Ended(Ended),
    /// The message does not serialize, or is not an event.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// A payload does not decode to the type that the test asks for.
    #[error("the payload does not decode: {0}")]
    Payload(#[from] PayloadError),
    /// The test asks for something impossible. The text says what.
    #[error("{0}")]
    Impossible(String),
}

impl TestError {
    /// Returns the refusal, if this is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// Returns the error that the event was answered with, if this is one.
    pub fn failed(&self) -> Option<&EventError> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Debug for TestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The server's refusal of a client.
///
/// ```
/// use socketio::{Hub, Refusal, event, events};
///
/// #[event(connect)]
/// fn never() -> Result<(), Refusal> {
///     Err(Refusal::new("members only").with_data(7))
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().events(events![never]).build()?;
///
/// let error = hub.test_client().connect().await.unwrap_err();
/// let refused = error.refused().unwrap();
/// assert_eq!((refused.message(), refused.data::<u8>()), ("members only", Some(7)));
///
/// let error = hub.test_client().plain().connect().await.unwrap_err();
/// let refused = error.refused().unwrap();
/// assert_eq!((refused.message(), refused.code()), ("members only", Some(1008)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    by: RefusedBy,
    message: String,
    data: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
enum RefusedBy {
    /// With an HTTP status. The path is that of the request.
    Status(StatusCode, Box<str>),
    /// With a CONNECT_ERROR packet.
    Packet,
    /// By ending the connection, with the code of the close frame if there was one.
    Close(Option<u16>),
}

impl Refused {
    pub(super) fn by_status(status: StatusCode, path: &str, body: &[u8]) -> Self {
        Self {
            by: RefusedBy::Status(status, path.into()),
            message: String::from_utf8_lossy(body).into_owned(),
            data: None,
        }
    }

    /// `json`: the data of a CONNECT_ERROR packet.
    pub(super) fn by_packet(json: &str) -> Self {
        let read: Value = from_json(json).unwrap_or_default();
        let message = read.get("message").unwrap_or(&read).as_str().unwrap_or_default().to_owned();
        Self { by: RefusedBy::Packet, message, data: read.get("data").cloned() }
    }

    pub(super) fn by_end(ended: Ended) -> Self {
        Self { by: RefusedBy::Close(ended.code), message: ended.message, data: None }
    }

    /// Returns the message. It is from a Socket.IO client's `connect_error`, the reason of a close
    /// frame, or the body of an HTTP response.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the `data` of a Socket.IO client's `connect_error`. `None` if there is none, or if
    /// it does not decode to `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Option<T> {
        self.data.clone().and_then(|data| serde_json::from_value(data).ok())
    }

    /// Returns the status of the HTTP response, if the server refused the HTTP request.
    pub fn status(&self) -> Option<StatusCode> {
        match self.by {
            RefusedBy::Status(status, _) => Some(status),
            RefusedBy::Packet | RefusedBy::Close(_) => None,
        }
    }

    /// Returns the code of the close frame, if the server refused the client with one.
    pub fn code(&self) -> Option<u16> {
        match self.by {
            RefusedBy::Close(code) => code,
            RefusedBy::Packet | RefusedBy::Status(..) => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the server refused the client")?;
        match &self.by {
            RefusedBy::Status(status, path) => {
                write!(formatter, " with status {} at `{path}`", status.as_u16())?;
                if *status == StatusCode::NOT_FOUND {
                    formatter.write_str("; if the hub is served elsewhere, set its path with `.path(\"…\")`")?;
                }
            }
            RefusedBy::Close(Some(code)) => write!(formatter, " with close code {code}")?,
            RefusedBy::Close(None) => formatter.write_str(" by ending the connection")?,
            RefusedBy::Packet => {}
        }
        if !self.message.is_empty() {
            write!(formatter, ": {}", self.message)?;
        }
        match &self.data {
            Some(data) => write!(formatter, ", with {data}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}

/// How a connection ended, as its client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub(super) reason: &'static str,
    pub(super) code: Option<u16>,
    pub(super) message: String,
}

impl Ended {
    pub(super) fn new(reason: &'static str) -> Self {
        Self { reason, code: None, message: String::new() }
    }

    /// Returns the reason, with the names of `socket.io-client`:
    ///
    /// | reason | the connection ended because |
    /// | --- | --- |
    /// | `io server disconnect` | the server disconnected the socket; not for plain clients |
    /// | `transport close` | the connection was closed or cut |
    /// | `transport error` | the connection failed |
    /// | `parse error` | the server violated the protocol |
    pub fn reason(&self) -> &str {
        self.reason
    }

    /// Returns the code of the server's close frame. It is 1005 if the frame has no code, and
    /// `None` if there was no close frame.
    pub fn code(&self) -> Option<u16> {
        self.code
    }

    /// Returns the reason in the server's close frame, or the error that ended the connection. It
    /// is empty if there is neither.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason)?;
        if let Some(code) = self.code {
            write!(formatter, " ({code})")?;
        }
        match &*self.message {
            "" => Ok(()),
            message => write!(formatter, ": {message}"),
        }
    }
}

/// An expectation that was not met. `Display` prints what was expected, what arrived instead, and
/// everything that the client has received.
#[derive(Clone)]
pub struct Unmet(Box<Details>);

#[derive(Clone)]
struct Details {
    expected: String,
    actual: Actual,
    record: String,
}

#[derive(Clone)]
pub(super) enum Actual {
    /// Another message arrived.
    Message(String),
    /// The expected message arrived, but its contents are wrong.
    WrongContents { message: String, why: String },
    /// Nothing arrived for this long.
    Timeout(Duration),
    /// The connection ended.
    End(Ended),
}

impl Unmet {
    pub(super) fn new(expected: String, actual: Actual, record: String) -> Self {
        Self(Box::new(Details { expected, actual, record }))
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {}; ", Truncated(&self.0.expected))?;
        match &self.0.actual {
            Actual::Message(message) => write!(formatter, "the next message is {message}")?,
            Actual::WrongContents { message, why } => write!(formatter, "it arrived as {message}: {why}")?,
            Actual::Timeout(time) => write!(formatter, "nothing arrived for {time:?}")?,
            Actual::End(end) => write!(formatter, "the connection ended: {end}")?,
        }
        match &*self.0.record {
            "" => formatter.write_str("\nthe client has received nothing"),
            record => {
                write!(
                    formatter,
                    "\nall received messages, with a `>` before those that no expectation has consumed:\n{record}"
                )
            }
        }
    }
}

impl fmt::Debug for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for Unmet {}
