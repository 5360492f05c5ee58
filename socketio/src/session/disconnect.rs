//! [`Disconnect`]: how a connection ended.

use std::borrow::Cow;
use std::fmt;

/// How a connection ended: the parameter of `disconnecting` and `disconnect` handlers.
///
/// ```
/// use socketio::{Disconnect, Socket, event};
///
/// #[event(disconnect)]
/// fn left(socket: &Socket, end: Disconnect) {
///     println!("{} left: {end}", socket.id());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    reason: DisconnectReason,
    code: Option<u16>,
    message: Option<Cow<'static, str>>,
}

impl Disconnect {
    /// Creates a `Disconnect` with this reason, for unit tests that call a handler.
    ///
    /// ```
    /// use socketio::{Disconnect, DisconnectReason, event};
    ///
    /// #[event(disconnect)]
    /// fn left(end: Disconnect) {
    ///     assert!(end.is_clean());
    /// }
    ///
    /// let end = Disconnect::new(DisconnectReason::TransportClose).with_code(1001);
    /// left(end.with_message("going away"));
    /// ```
    pub fn new(reason: DisconnectReason) -> Self {
        Self { reason, code: None, message: None }
    }

    /// Adds the WebSocket close code.
    #[must_use]
    pub fn with_code(self, code: u16) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Sets the [`message`](Self::message).
    #[must_use]
    pub fn with_message(self, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(message.into()), ..self }
    }

    /// A stream that ended without a close frame.
    pub(crate) fn cut() -> Self {
        Self::new(DisconnectReason::TransportError).with_message("the connection was cut")
    }

    /// Whether the client may come back and resume its session: nobody ended it on purpose. A plain
    /// WebSocket client says that it leaves for good with the close code 1000.
    pub(crate) fn is_recoverable(&self, is_plain: bool) -> bool {
        match self.reason {
            DisconnectReason::TransportClose => !(is_plain && self.code == Some(1000)),
            DisconnectReason::TransportError | DisconnectReason::PingTimeout | DisconnectReason::Shutdown => true,
            _ => false,
        }
    }

    /// Converts to Engine.IO's reasons: a stream that ended without a close frame is a transport
    /// close.
    pub(crate) fn into_engine(self) -> Self {
        if self == Self::cut() { Self { reason: DisconnectReason::TransportClose, ..self } } else { self }
    }

    /// Returns who or what ended the connection.
    pub fn reason(&self) -> DisconnectReason {
        self.reason
    }

    /// Returns the WebSocket close code: the client's if it sent one, else the server's.
    ///
    /// A close frame without a code counts as 1005. The code is `None` if the connection ended
    /// without a close frame.
    pub fn code(&self) -> Option<u16> {
        self.code
    }

    /// Returns the reason in the close frame, or the message of the transport error.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns whether the connection ended in an orderly way. The client closed it with 1000, 1001
    /// or without a code, or this server closed it on purpose.
    pub fn is_clean(&self) -> bool {
        match self.reason {
            DisconnectReason::TransportClose => matches!(self.code, Some(1000 | 1001 | 1005)),
            DisconnectReason::ServerClose
            | DisconnectReason::ServerDisconnect
            | DisconnectReason::ClientDisconnect
            | DisconnectReason::Expired
            | DisconnectReason::Shutdown => true,
            DisconnectReason::TransportError
            | DisconnectReason::PingTimeout
            | DisconnectReason::ParseError
            | DisconnectReason::TooLarge
            | DisconnectReason::Overflow
            | DisconnectReason::Aborted => false,
        }
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason.as_str())?;
        if let Some(code) = self.code {
            write!(formatter, " ({code})")?;
        }
        match self.message() {
            Some(message) if !message.is_empty() => write!(formatter, ": {message}"),
            _ => Ok(()),
        }
    }
}

/// Who or what ended a connection. [`as_str`](Self::as_str) returns the names that Socket.IO
/// servers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client closed the connection.
    TransportClose,
    /// The connection failed or ended without a close frame, or a message of the client did not
    /// arrive completely in time.
    TransportError,
    /// The client did not respond to a heartbeat within the timeout.
    PingTimeout,
    /// The client violated the protocol.
    ParseError,
    /// The client sent a message larger than the payload limit.
    TooLarge,
    /// The client left the namespace.
    ClientDisconnect,
    /// This server called [`Socket::disconnect`](crate::Socket::disconnect).
    ServerDisconnect,
    /// This server called [`Socket::close`](crate::Socket::close) or
    /// [`close_with`](crate::Socket::close_with), or closed the connection of a Socket.IO client
    /// that sent a packet out of place or did not connect to a namespace in time.
    ServerClose,
    /// The client's proof of identity has run out. See
    /// [`Socket::expires_at`](crate::Socket::expires_at).
    Expired,
    /// The client received messages too slowly, and its outbox was full.
    Overflow,
    /// This server shut down, or it [drained](crate::Hub::drain) and moved the client to another
    /// server. The [code](Disconnect::code) of the first is 1001, and of the second 1012.
    Shutdown,
    /// The runtime dropped the connection's task before the connection ended.
    Aborted,
}

impl DisconnectReason {
    /// All reasons, in their order.
    pub(crate) const ALL: [Self; 12] = [
        Self::TransportClose,
        Self::TransportError,
        Self::PingTimeout,
        Self::ParseError,
        Self::TooLarge,
        Self::ClientDisconnect,
        Self::ServerDisconnect,
        Self::ServerClose,
        Self::Expired,
        Self::Overflow,
        Self::Shutdown,
        Self::Aborted,
    ];

    /// Returns the reason's name. For reasons that Socket.IO defines, it is Socket.IO's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::TooLarge => "payload too large",
            Self::ClientDisconnect => "client namespace disconnect",
            Self::ServerDisconnect => "server namespace disconnect",
            Self::ServerClose => "forced close",
            Self::Expired => "identity expired",
            Self::Overflow => "overflow",
            Self::Shutdown => "server shutting down",
            Self::Aborted => "aborted",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
