//! Entries of the log are delivered to this server's sockets.

use smallvec::SmallVec;

use crate::connection_handle::queue::Rejected;
use crate::hub::adapter::{Audience, Packet};
use crate::hub::namespace::registry::Registry;
use crate::hub::recovery::namespace::RecoveryOf;
use crate::hub::socket::{Socket, Undelivered};
use crate::wire::offset::Offset;
use crate::wire::packet::Frames;

/// The recipients of an entry.
#[derive(Debug)]
pub(crate) struct Recipients {
    pub(crate) audience: Audience,
    /// The number of the only session that gets it.
    pub(crate) session: Option<u64>,
}

impl Recipients {
    /// Whether a member of the audience gets the entry at `offset`.
    fn includes(&self, socket: &Socket, offset: Offset) -> bool {
        match (socket.session(), self.session) {
            (Some(session), only) => session.is_live_at(offset) && only.is_none_or(|only| only == session.number()),
            (None, only) => only.is_none(),
        }
    }
}

impl RecoveryOf {
    /// Delivers the event of an entry. It is decoded only if there is somebody to receive it.
    /// Returns whether there was.
    ///
    /// # Errors
    ///
    /// The event could not be decoded.
    pub(crate) fn deliver_entry<E>(
        &self,
        offset: Offset,
        recipients: &Recipients,
        registry: &Registry,
        decode: impl Fn() -> Result<Packet, E>,
    ) -> Result<bool, E> {
        let mut packet = None;
        let order = loop {
            if packet.is_none() && registry.has_recipients(&recipients.audience) {
                packet = Some(decode()?);
                self.call_outgoing_listeners(offset, recipients, registry, packet.as_ref());
            }
            let order = self.order();
            // A socket that joins a room from now on has joined it after this message.
            order.with(|state| state.delivered = state.delivered.max(offset));
            if packet.is_some() || !registry.has_recipients(&recipients.audience) {
                break order;
            }
        };
        let Some(packet) = packet else { return Ok(false) };
        let logged = (!packet.is_volatile()).then_some(offset);
        // Socket.IO clients take a string at the end for an offset.
        let is_numbered = logged.is_some() || packet.ends_in_string();
        let frames = if is_numbered { Frames::at(offset) } else { Frames::default() };
        let mut overflows: SmallVec<[(Socket, Rejected); 2]> = SmallVec::new();
        registry.for_each(&recipients.audience, |socket| {
            if !recipients.includes(socket, offset) {
                return;
            }
            if let Err(Undelivered::Rejected(rejected @ Rejected::Overflow { .. })) =
                socket.deliver_at(&packet, &frames, logged)
            {
                overflows.push((socket.clone(), rejected));
            }
        });
        drop(order);
        for (socket, rejected) in overflows {
            socket.rejected(rejected);
        }
        Ok(true)
    }

    fn call_outgoing_listeners(
        &self,
        offset: Offset,
        recipients: &Recipients,
        registry: &Registry,
        packet: Option<&Packet>,
    ) {
        let Some(packet) = packet.filter(|_| registry.has_outgoing_listeners()) else { return };
        registry.for_each(&recipients.audience, |socket| {
            if recipients.includes(socket, offset) {
                socket.call_outgoing_listeners(packet);
            }
        });
    }
}
