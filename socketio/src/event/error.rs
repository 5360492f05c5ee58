//! [`EventError`], the error that a client receives, and the errors that convert into it.

use bytes::Bytes;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::hub::adapter::RequestError;
use crate::hub::selection::EmitError;
use crate::hub::socket::ack_future::AckError;
use crate::hub::socket::reliable::delivery::DeliveryError;
use crate::hub::socket::rooms::JoinError;
use crate::hub::socket::{SetIdError, SocketId};
use crate::session::disconnect::Disconnect;
use crate::session::limits::too_deep;
use crate::wire::shown::{Shown, shortened};

/// The error codes that the answer to any event may have.
pub(crate) const FRAMEWORK_CODES: [&str; 7] =
    ["invalid_payload", "unknown_event", "reserved_event", "rate_limited", "unanswered", "timeout", "internal"];

/// The error of one event. A client that asked for an answer receives it, and so do `error`
/// handlers.
///
/// It is also the error with which a client answers a [request](crate::AckError::Failed).
///
/// On the wire it is `{"code": …, "message": …}`, plus `argument`, `path` and `data` if they are
/// set. The framework uses these codes; a handler's own errors have the code that they were created
/// with:
///
/// | code | when |
/// | --- | --- |
/// | `invalid_payload` | an argument is missing, does not decode, breaks a validation rule, is nested too deeply or has a [reserved key](crate::from_json), or the answer would be [ambiguous](EmitError::Ambiguous). `argument` is the position of the offending argument, counted from 0, and `path` the field in it. If there are several, `data` lists them all: `[{"path": …, "message": …}, …]` |
/// | `unknown_event` | the event has no handler or listener |
/// | `reserved_event` | clients can't send events of this name |
/// | `rate_limited` | the client sends too many events. `data` is `{"retry_after_ms": …}` |
/// | `unanswered` | the handler dropped its [`Ack`](crate::Ack) without using it |
/// | `timeout` | the handler took longer than its `timeout` or the [`handler_timeout`](crate::HubBuilder::handler_timeout), and was dropped; or it returned [`AckError::Timeout`] or [`DeliveryError::Timeout`] |
/// | `handler_error` | the handler returned an error without a code |
/// | `internal` | the handler panicked. The client learns no details |
///
/// Implement `From` to return your own error type from handlers.
/// [`#[derive(ErrorCodes)]`](macro@crate::ErrorCodes) implements it for errors that consist of a
/// code and a message. Written by hand it is:
///
/// ```
/// use socketio::EventError;
///
/// enum ChatError {
///     NoSuchUser,
///     Muted { minutes: u32 },
/// }
///
/// impl From<ChatError> for EventError {
///     fn from(error: ChatError) -> Self {
///         match error {
///             ChatError::NoSuchUser => EventError::new("no_such_user", "nobody has that name"),
///             ChatError::Muted { minutes } => {
///                 EventError::new("muted", "you are muted").with_data(minutes)
///             }
///         }
///     }
/// }
/// ```
///
/// `&'static str` and `String` convert too, with the code `handler_error`.
#[derive(Clone)]
pub struct EventError(Arc<Details>);

#[derive(Clone)]
struct Details {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    argument: Option<usize>,
    path: Option<String>,
    data: Option<Value>,
    event: Option<String>,
    target: Option<SocketId>,
    received: Option<Bytes>,
}

impl EventError {
    /// Creates an error with a code for programs and a message for people. The client receives
    /// both.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Details {
            code: code.into(),
            message: message.into(),
            argument: None,
            path: None,
            data: None,
            event: None,
            target: None,
            received: None,
        }))
    }

    /// Adds data for the client. Data that does not serialize is omitted. A
    /// [`Binary`](crate::Binary) in it becomes a base64 string.
    #[must_use]
    pub fn with_data(self, data: impl Serialize) -> Self {
        self.change(|details| details.data = serde_json::to_value(data).ok())
    }

    /// Adds the position of the offending argument, counted from 0.
    #[must_use]
    pub fn with_argument(self, argument: usize) -> Self {
        self.change(|details| details.argument = Some(argument))
    }

    /// Adds the path of the offending field, such as `user.age`.
    #[must_use]
    pub fn with_path(self, path: impl Into<String>) -> Self {
        self.change(|details| details.path = Some(path.into()))
    }

    pub(crate) fn with_event(self, event: &str) -> Self {
        self.change(|details| details.event = Some(event.to_owned()))
    }

    /// Adds the message that contained the event.
    pub(crate) fn with_received(self, received: Option<Bytes>) -> Self {
        self.change(|details| details.received = received)
    }

    pub(crate) fn received(&self) -> Option<&Bytes> {
        self.0.received.as_ref()
    }

    pub(crate) fn with_target(self, target: SocketId) -> Self {
        self.change(|details| details.target = Some(target))
    }

    fn change(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) fn unknown_event(name: &str) -> Self {
        Self::new("unknown_event", format!("there is no event `{}`", shortened(name)))
    }

    pub(crate) fn reserved_event(name: &str) -> Self {
        Self::new("reserved_event", format!("`{name}` can't be sent by clients"))
    }

    pub(crate) fn rate_limited(retry_after: Duration) -> Self {
        // The wait may already be over, because time passed since the event was counted. Report at
        // least 1 ms, so that no client retries at once.
        let wait = u64::try_from(retry_after.as_micros().div_ceil(1_000).max(1)).unwrap_or(u64::MAX);
        Self::new("rate_limited", "too many events").with_data(json!({ "retry_after_ms": wait }))
    }

    pub(crate) fn unanswered() -> Self {
        Self::new("unanswered", "the event was not answered")
    }

    pub(crate) fn timeout() -> Self {
        Self::new("timeout", "the handler took too long")
    }

    pub(crate) fn internal() -> Self {
        Self::new("internal", "internal error")
    }

    /// Parses the error that a client answered with. The JSON text was scanned before. Anything
    /// that is neither an object nor a string becomes a `handler_error` with the text as its
    /// message.
    pub(crate) fn from_client(json: &str) -> Self {
        match serde_json::from_str(json) {
            Ok(Value::Object(fields)) => Self::from_fields(fields),
            Ok(Value::String(message)) => message.into(),
            _ => json.to_owned().into(),
        }
    }

    /// Like [`from_client`](Self::from_client), from the fields of a JSON object.
    pub(crate) fn from_fields(mut fields: Map<String, Value>) -> Self {
        let data = fields.remove("data");
        let argument = fields.remove("argument").and_then(|number| usize::try_from(number.as_u64()?).ok());
        let mut text = |field| match fields.remove(field) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let code = text("code").map_or(Cow::Borrowed("handler_error"), Cow::Owned);
        Self::new(code, text("message").unwrap_or_default()).change(|details| {
            details.argument = argument;
            details.path = text("path");
            details.data = data;
        })
    }

    /// The code, for programs.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The message, for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The position of the offending argument, counted from 0, if the error is about one.
    pub fn argument(&self) -> Option<usize> {
        self.0.argument
    }

    /// The path of the offending field, if the error is about one.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The data set by [`with_data`](Self::with_data).
    pub fn data(&self) -> Option<&Value> {
        self.0.data.as_ref()
    }

    /// The name of the event that failed, if the error comes from an event.
    pub fn event(&self) -> Option<&str> {
        self.0.event.as_deref()
    }

    /// The id of the socket that a failed `emit_to` could not reach.
    pub fn target(&self) -> Option<&SocketId> {
        self.0.target.as_ref()
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())?;
        match self.path() {
            Some(path) => write!(formatter, " (at `{path}`)"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for EventError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("EventError");
        debug.field("code", &self.code()).field("message", &self.message());
        if let Some(argument) = self.argument() {
            debug.field("argument", &argument);
        }
        if let Some(path) = self.path() {
            debug.field("path", &path);
        }
        if let Some(event) = self.event() {
            debug.field("event", &event);
        }
        if let Some(target) = self.target() {
            debug.field("target", &target);
        }
        debug.finish_non_exhaustive()
    }
}

impl std::error::Error for EventError {}

/// Serializes the error in the form that clients receive.
impl Serialize for EventError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.code())?;
        map.serialize_entry("message", self.message())?;
        if let Some(argument) = self.argument() {
            map.serialize_entry("argument", &argument)?;
        }
        if let Some(path) = self.path() {
            map.serialize_entry("path", path)?;
        }
        if let Some(data) = self.data() {
            map.serialize_entry("data", data)?;
        }
        map.end()
    }
}

impl From<&'static str> for EventError {
    fn from(message: &'static str) -> Self {
        Self::new("handler_error", message)
    }
}

impl From<String> for EventError {
    fn from(message: String) -> Self {
        Self::new("handler_error", message)
    }
}

impl From<Infallible> for EventError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<EmitError> for EventError {
    fn from(error: EmitError) -> Self {
        let code = match &error {
            // These failures concern the server's own values and code. Clients don't learn the
            // details.
            EmitError::Encode(_) | EmitError::Nested | EmitError::Unreachable | EmitError::LatestWithAck => {
                return Self::internal();
            }
            EmitError::Ambiguous => "invalid_payload",
            EmitError::NotFound(_) | EmitError::Closed | EmitError::Overflow | EmitError::InvalidName(_) => {
                "handler_error"
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<DeliveryError> for EventError {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::Emit(error) => error.into(),
            DeliveryError::Timeout => Self::new("timeout", error.to_string()),
            DeliveryError::Closed | DeliveryError::Expired | DeliveryError::Moved | DeliveryError::Refused(_) => {
                error.to_string().into()
            }
        }
    }
}

impl From<AckError> for EventError {
    fn from(error: AckError) -> Self {
        match error {
            AckError::Emit(error) => error.into(),
            AckError::Timeout => Self::new("timeout", error.to_string()),
            AckError::Closed | AckError::TooMany | AckError::Failed(_) | AckError::Payload(_) => {
                error.to_string().into()
            }
        }
    }
}

impl From<JoinError> for EventError {
    fn from(error: JoinError) -> Self {
        Self::new("handler_error", error.to_string())
    }
}

impl From<SetIdError> for EventError {
    fn from(error: SetIdError) -> Self {
        Self::new("handler_error", error.to_string())
    }
}

/// The reason, which is about servers, does not reach clients.
impl From<RequestError> for EventError {
    fn from(error: RequestError) -> Self {
        tracing::debug!(error = %Shown(&error), "a handler could not reach the other servers");
        Self::internal()
    }
}

impl From<PayloadError> for EventError {
    fn from(error: PayloadError) -> Self {
        let data = (!error.others.is_empty()).then(|| {
            let all = std::iter::once(&error).chain(&error.others);
            all.map(|error| json!({ "path": error.path, "message": error.message })).collect()
        });
        Self::new("invalid_payload", error.message).change(|details| {
            details.argument = error.argument;
            details.path = error.path;
            details.data = data;
        })
    }
}

impl From<Refusal> for EventError {
    fn from(refusal: Refusal) -> Self {
        let converted = Self::new("refused", refusal.message);
        match refusal.data {
            Some(data) => converted.with_data(data),
            None => converted,
        }
    }
}

impl From<&Disconnect> for EventError {
    fn from(disconnect: &Disconnect) -> Self {
        Self::new(disconnect.reason().as_str(), disconnect.to_string())
    }
}

/// Why an argument of an event did not decode, or which validation rule it breaks.
///
/// By default it becomes the answer `invalid_payload`. A handler that takes
/// `Result<T, PayloadError>` handles the error itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PayloadError {
    pub(crate) argument: Option<usize>,
    pub(crate) path: Option<String>,
    pub(crate) message: String,
    pub(crate) others: Vec<Self>,
}

impl PayloadError {
    /// Creates an error for the argument at position `argument`, counted from 0. The message
    /// reaches the client.
    ///
    /// Use it in an implementation of [`Argument`](crate::Argument) or
    /// [`FromAnswer`](crate::FromAnswer) that checks decoded values.
    ///
    /// ```
    /// use socketio::{FromAnswer, PayloadError, RawArgs};
    ///
    /// /// A client's answer of two numbers, the first the smaller one.
    /// struct Range(u32, u32);
    ///
    /// impl FromAnswer for Range {
    ///     fn from_answer(args: RawArgs<'_>) -> Result<Self, PayloadError> {
    ///         match args.all()?[..] {
    ///             [from, to] if from <= to => Ok(Self(from, to)),
    ///             [_, _] => Err(PayloadError::new(1, "less than the first")),
    ///             _ => Err(PayloadError::new(0, "expected two numbers")),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn new(argument: usize, message: impl Into<String>) -> Self {
        Self { argument: Some(argument), ..Self::of_all(message) }
    }

    /// Creates an error about no argument in particular.
    pub(crate) fn of_all(message: impl Into<String>) -> Self {
        Self { argument: None, path: None, message: message.into(), others: Vec::new() }
    }

    /// Adds the path of the offending field inside the argument, such as `user.age`.
    #[must_use]
    pub fn with_path(self, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    /// Creates the error for a payload that is nested too deeply or has an object with a reserved
    /// key.
    pub(crate) fn too_deep(depth: usize) -> Self {
        Self::of_all(too_deep(depth))
    }

    /// The position of the argument, counted from 0. `None` if the error is about all arguments,
    /// such as their depth, or about text that is no argument.
    pub fn argument(&self) -> Option<usize> {
        self.argument
    }

    /// The path of the offending field inside the argument, such as `user.age`. `None` if the error
    /// is about the whole argument.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The message, which describes what is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The other validation rules of `Valid<T>` that the argument breaks. Empty if the argument did
    /// not decode.
    pub fn others(&self) -> &[Self] {
        &self.others
    }
}

/// The error with which a `connect` handler or a namespace's middleware rejects a connection.
///
/// A plain WebSocket is closed with code 1008 and the message, cut to the 123 bytes that fit into a
/// close frame. A Socket.IO client receives message and data as its `connect_error`.
///
/// ```
/// use socketio::{Handshake, Refusal, event};
///
/// #[event(connect)]
/// fn check(handshake: Handshake<'_>) -> Result<(), Refusal> {
///     match handshake.query("token") {
///         Some(_) => Ok(()),
///         None => Err(Refusal::new("a token is needed")),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    message: Cow<'static, str>,
    data: Option<Value>,
}

impl Refusal {
    /// Creates a refusal with a message for the client.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Adds data for the client. Plain WebSocket clients don't receive it. Data that does not
    /// serialize is omitted.
    #[must_use]
    pub fn with_data(self, data: impl Serialize) -> Self {
        Self { data: serde_json::to_value(data).ok(), ..self }
    }
}

impl From<&'static str> for Refusal {
    fn from(message: &'static str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}
