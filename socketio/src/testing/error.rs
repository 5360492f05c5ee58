//! What a test is told that does not get what it wants.

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

use super::wire::Shown;
use crate::event::depth::from_json;
use crate::event::error::{EventError, PayloadError};
use crate::hub::selection::EmitError;

/// Why a test client did not get what the test wants. Its `Debug` form is the same text as its `Display` form, which is what a
/// test that ends with `?` shows.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// The server did not let the client in.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The client's event was answered with an error.
    #[error("the answer to `{}` is an error, {}: {_0}", _0.event().unwrap_or_default(), _0.code())]
    Failed(EventError),
    /// Something else came than what was expected, or nothing.
    #[error(transparent)]
    Unmet(#[from] Unmet),
    /// The connection is over, so that nothing can be sent.
    #[error("nothing can be sent any more: {0}")]
    Ended(Ended),
    /// What was to be sent does not serialize, or is no event.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// A payload is not what the test decodes it as.
    #[error("the payload does not decode: {0}")]
    Payload(#[from] PayloadError),
    /// What the test asks for is not possible.
    #[error("{0}")]
    Impossible(String),
}

impl TestError {
    /// The refusal, if it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// The error that an event was answered with, if it is one.
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

/// How the server refused a client.
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
    how: How,
    message: String,
    data: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
enum How {
    /// The HTTP request was.
    Status(StatusCode),
    /// By a CONNECT_ERROR.
    Packet,
    /// By the end of the connection, with a close frame or without one.
    Close(Option<u16>),
}

impl Refused {
    /// By an answer to the HTTP request.
    pub(super) fn by_status(status: StatusCode, body: &[u8]) -> Self {
        Self { how: How::Status(status), message: String::from_utf8_lossy(body).into_owned(), data: None }
    }

    /// By a CONNECT_ERROR, whose JSON it is.
    pub(super) fn by_packet(json: &str) -> Self {
        let read: Value = from_json(json).unwrap_or_default();
        let message = read.get("message").unwrap_or(&read).as_str().unwrap_or_default().to_owned();
        Self { how: How::Packet, message, data: read.get("data").cloned() }
    }

    /// By an end of the connection.
    pub(super) fn by_end(ended: Ended) -> Self {
        Self { how: How::Close(ended.code), message: ended.message, data: None }
    }

    /// The message: that of a Socket.IO client's `connect_error`, the reason in a close frame, or the body of an HTTP answer.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What else a Socket.IO client is told; `None` if there is nothing, or it is no `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Option<T> {
        self.data.clone().and_then(|data| serde_json::from_value(data).ok())
    }

    /// The status of the HTTP answer, if the client has not come further than that.
    pub fn status(&self) -> Option<StatusCode> {
        match self.how {
            How::Status(status) => Some(status),
            How::Packet | How::Close(_) => None,
        }
    }

    /// The code of the close frame, where the connection was closed with one.
    pub fn code(&self) -> Option<u16> {
        match self.how {
            How::Close(code) => code,
            How::Packet | How::Status(_) => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the server refused the client")?;
        match &self.how {
            How::Status(status) => write!(formatter, " with status {}", status.as_u16())?,
            How::Close(Some(code)) => write!(formatter, " with close code {code}")?,
            How::Close(None) => formatter.write_str(" by ending the connection")?,
            How::Packet => {}
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

    /// The reason, as `socket.io-client` has it: `io server disconnect` (the server disconnected the socket), `transport close`
    /// (the connection was closed, or cut), `transport error` (it broke), `parse error` (the server has not kept to the
    /// protocol). A plain WebSocket knows of `transport close` and `transport error`.
    pub fn reason(&self) -> &str {
        self.reason
    }

    /// The code of the server's close frame; 1005 if that has none, `None` if there was no close frame.
    pub fn code(&self) -> Option<u16> {
        self.code
    }

    /// The reason in the server's close frame, or what else is known; often empty.
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

/// An expectation that was not met. As text it says what was expected, what came instead, and all that the client has received.
#[derive(Clone)]
pub struct Unmet(Box<Details>);

#[derive(Clone)]
struct Details {
    wanted: String,
    instead: Instead,
    record: String,
}

#[derive(Clone)]
pub(super) enum Instead {
    /// This message.
    Came(String),
    /// The right one with other contents.
    Differs { message: String, why: String },
    /// Nothing, for this long.
    Nothing(Duration),
    /// The end of the connection.
    End(Ended),
}

impl Unmet {
    pub(super) fn new(wanted: String, instead: Instead, record: String) -> Self {
        Self(Box::new(Details { wanted, instead, record }))
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {}; ", Shown(&self.0.wanted))?;
        match &self.0.instead {
            Instead::Came(message) => write!(formatter, "the next that came is {message}")?,
            Instead::Differs { message, why } => write!(formatter, "it came as {message}: {why}")?,
            Instead::Nothing(time) => write!(formatter, "nothing came for {time:?}")?,
            Instead::End(end) => write!(formatter, "the connection ended: {end}")?,
        }
        match &*self.0.record {
            "" => formatter.write_str("\nthe client has received nothing at all"),
            record => {
                write!(formatter, "\nall that the client has received, what was not expected yet with a `>`:\n{record}")
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
