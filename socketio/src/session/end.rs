//! [`End`]: how the server ends a connection.

use std::time::Instant;

use super::disconnect::{Disconnect, DisconnectReason};
use crate::wire::frame::is_close_code;

/// How the server ends a connection. Queued events of the client are dropped, unless
/// `handles_events`.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) disconnect: Disconnect,
    /// The code of the close frame. `reason` is its text.
    pub(crate) code: u16,
    pub(crate) reason: String,
    /// Whether this server ends the connection on purpose. If so, `close` fires.
    pub(crate) on_purpose: bool,
    /// The deadline for running handlers. `None`: handlers have no deadline.
    pub(crate) handlers_until: Option<Instant>,
    /// Whether events are still handled, up to the first moment in which none runs or waits. Only
    /// with a deadline for handlers.
    pub(crate) handles_events: bool,
}

impl End {
    fn new(reason: DisconnectReason, code: u16, text: &str) -> Self {
        let disconnect = Disconnect::new(reason).with_code(code);
        let reason = text.to_owned();
        Self { disconnect, code, reason, on_purpose: false, handlers_until: None, handles_events: false }
    }

    /// An end that the application requested. A code that must not be sent becomes 1000.
    pub(crate) fn on_purpose(reason: DisconnectReason, code: u16, text: String) -> Self {
        let code = if is_close_code(code) { code } else { 1000 };
        let mut end = Self { on_purpose: true, ..Self::new(reason, code, &text) };
        if !text.is_empty() {
            end.disconnect = end.disconnect.with_message(text);
        }
        end
    }

    /// The end of a connection that the application refused.
    pub(crate) fn refusal(message: &str) -> Self {
        Self::new(DisconnectReason::ServerDisconnect, 1008, message)
    }

    /// The end of a connection whose client sends unexpected packets, or connects to no namespace.
    pub(crate) fn client_misuse() -> Self {
        Self::new(DisconnectReason::ServerClose, 1000, "")
    }

    /// The end of a plain connection whose client's proof of identity has run out. The code is
    /// registered as "Unauthorized".
    pub(crate) fn expired() -> Self {
        Self { on_purpose: true, ..Self::new(DisconnectReason::Expired, 3000, "identity expired") }
    }

    /// The end of a connection whose outbox is full.
    pub(crate) fn overflow() -> Self {
        Self::new(DisconnectReason::Overflow, 1013, "overflow")
    }

    /// The end of a connection whose client has connected again.
    pub(crate) fn replaced() -> Self {
        let mut end = Self::new(DisconnectReason::TransportError, 1001, "");
        end.disconnect =
            Disconnect::new(DisconnectReason::TransportError).with_message("the client has connected again");
        end
    }

    /// The end of a connection whose client can't get what it has missed.
    #[cfg(feature = "cluster")]
    pub(crate) fn log_unavailable() -> Self {
        let mut end = Self::new(DisconnectReason::TransportError, 1013, "try again later");
        end.disconnect =
            Disconnect::new(DisconnectReason::TransportError).with_message("the log of the cluster can't be read");
        end
    }

    /// The end of each connection when the hub shuts down.
    pub(crate) fn shutdown(handlers_until: Instant) -> Self {
        let end = Self::new(DisconnectReason::Shutdown, 1001, "server shutting down");
        Self { on_purpose: true, handlers_until: Some(handlers_until), ..end }
    }

    /// The end of a connection whose client is to connect to another server, because this one
    /// drains.
    pub(crate) fn drain(handlers_until: Instant) -> Self {
        let end = Self::new(DisconnectReason::Shutdown, 1012, "server restarting");
        Self { on_purpose: true, handlers_until: Some(handlers_until), handles_events: true, ..end }
    }
}
