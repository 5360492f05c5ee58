//! Ending a [`Socket`] or its connection from the server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Socket;
use super::lifecycle::{CONNECTED, ENDED_BY_SERVER};
use crate::hub::aliases::Command;
use crate::hub::revoking::Revoked;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::session::end::End;
use crate::wire::frame::{FrameWriter, Opcode};
use crate::wire::policy::Policy;

/// Ending.
impl Socket {
    /// Closes the connection with code 1000 after all queued messages are delivered. Events that
    /// wait for a handler are dropped. A Socket.IO client is first disconnected from all
    /// namespaces, so that it does not reconnect automatically.
    pub fn close(&self) {
        self.close_with(1000, "");
    }

    /// Closes the connection with a code and a reason after all queued messages are delivered. The
    /// reason is cut to 123 bytes, which fit into a close frame. A code that must not be sent is
    /// replaced by 1000.
    pub fn close_with(&self, code: u16, reason: impl Into<String>) {
        self.end(DisconnectReason::ServerClose, code, reason.into());
    }

    /// Leaves the namespace after all queued messages are delivered. Events that wait for a handler
    /// are dropped. A Socket.IO connection stays open for its other namespaces. A plain WebSocket
    /// has only one namespace and is closed.
    pub fn disconnect(&self) {
        self.disconnect_with("");
    }

    /// Leaves the namespace, as [`disconnect`](Self::disconnect) does, and says why.
    ///
    /// A plain WebSocket client receives the reason in the close frame, with code 1000, cut to 123
    /// bytes. The handlers of `disconnecting` and `disconnect` find it in
    /// [`Disconnect::message`](crate::Disconnect::message). A Socket.IO client receives no reason,
    /// because its protocol has no place for one. Emit an event first; it arrives before the
    /// disconnection:
    ///
    /// ```
    /// # use socketio::{EmitError, Socket};
    /// fn kick(socket: &Socket, why: &str) -> Result<(), EmitError> {
    ///     let told = socket.emit(("kicked", why));
    ///     socket.disconnect_with(why);
    ///     told
    /// }
    /// ```
    pub fn disconnect_with(&self, reason: impl Into<String>) {
        let text = reason.into();
        if !self.peer().encoding.has_namespaces() {
            return self.end(DisconnectReason::ServerDisconnect, 1000, text);
        }
        let mut disconnect = Disconnect::new(DisconnectReason::ServerDisconnect);
        if !text.is_empty() {
            disconnect = disconnect.with_message(text);
        }
        // A socket that is not accepted yet leaves as soon as it is.
        let _ = self.0.phase.compare_exchange(CONNECTED, ENDED_BY_SERVER, Ordering::AcqRel, Ordering::Acquire);
        self.peer().handle.post(Command::Leave(self.clone(), disconnect));
    }

    /// Disconnects the socket if it has the attribute, now or when it is accepted. Returns `true`
    /// if it has it now.
    pub(crate) fn revoke(&self, revoked: &Arc<Revoked>) -> bool {
        let mut side = self.0.side.lock();
        if self.is_connecting() {
            // Its `connect` handler may set the attribute.
            side.get_or_insert_default().revoked.push(Arc::clone(revoked));
        }
        let is_revoked = side.as_ref().is_some_and(|side| revoked.includes(&side.attributes));
        drop(side);
        if is_revoked {
            self.disconnect();
        }
        is_revoked
    }

    fn end(&self, reason: DisconnectReason, code: u16, text: String) {
        self.peer().handle.post(Command::End(End::on_purpose(reason, code, text)));
    }

    /// Sends a WebSocket ping. The payload is cut to 125 bytes. The answer fires `pong`.
    pub fn ping(&self, payload: impl AsRef<[u8]>) {
        let payload = payload.as_ref();
        let payload = &payload[..payload.len().min(125)];
        let mut writer = FrameWriter::new();
        writer.payload().extend_from_slice(payload);
        if let Err(rejected) = self.peer().send(&writer.finish(Opcode::Ping), Policy::Wait) {
            self.rejected(rejected);
        }
    }
}
