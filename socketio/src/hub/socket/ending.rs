//! How this side ends a socket or its connection.

use std::sync::atomic::Ordering;

use super::{CONNECTED, SENT_AWAY, Socket};
use crate::hub::peer::Command;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::session::end::End;
use crate::wire::frame::{FrameWriter, Opcode};

/// Ending.
impl Socket {
    /// Closes the connection with code 1000, after everything that is queued has been delivered. Events that wait are not
    /// handled any more. A Socket.IO client is disconnected from all its namespaces first, so that it does not come back by
    /// itself.
    pub fn close(&self) {
        self.close_with(1000, "");
    }

    /// Closes the connection with a code and a reason, after everything that is queued has been delivered. The reason is
    /// cut to the 123 bytes that a close frame can hold; a code that must not be sent becomes 1000.
    pub fn close_with(&self, code: u16, reason: impl Into<String>) {
        self.end(DisconnectReason::ServerClose, code, reason.into());
    }

    /// Leaves the namespace, after everything that is queued has been delivered. Events that wait are not handled any more. A
    /// Socket.IO client's connection stays, with its sockets in other namespaces; that of a plain WebSocket client, which has
    /// only one, is closed.
    pub fn disconnect(&self) {
        if !self.peer().encoding.has_namespaces() {
            return self.end(DisconnectReason::ServerDisconnect, 1000, String::new());
        }
        // One that is not accepted yet leaves as soon as it is.
        let _ = self.0.phase.compare_exchange(CONNECTED, SENT_AWAY, Ordering::AcqRel, Ordering::Acquire);
        self.peer().handle.post(Command::Leave(self.clone(), Disconnect::new(DisconnectReason::ServerDisconnect)));
    }

    fn end(&self, reason: DisconnectReason, code: u16, text: String) {
        self.peer().handle.post(Command::End(End::on_purpose(reason, code, text)));
    }

    /// Sends a WebSocket ping with a payload of up to 125 bytes; a longer one is cut. The answer fires `pong`.
    pub fn ping(&self, payload: impl AsRef<[u8]>) {
        let payload = payload.as_ref();
        let payload = &payload[..payload.len().min(125)];
        let mut writer = FrameWriter::new();
        writer.payload().extend_from_slice(payload);
        if let Err(rejected) = self.peer().send(&writer.finish(Opcode::Ping), false) {
            self.rejected(rejected);
        }
    }
}
