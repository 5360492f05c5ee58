//! Messages to clients that can resume from a [shared](super::shared) log, which are not in it.
//!
//! They are delivered at once, and lost for a client that is cut off: volatile messages, those for
//! this server alone, and all while the log can't be reached.

use smallvec::SmallVec;

use super::namespace::RecoveryOf;
use super::session::Session;
use crate::connection_handle::queue::Rejected;
use crate::hub::adapter::{Audience, Packet};
use crate::hub::namespace::registry::Registry;
use crate::hub::selection::EmitError;
use crate::hub::socket::{Socket, Undelivered};
use crate::wire::offset::Offset;
use crate::wire::packet::Frames;

impl RecoveryOf {
    /// Emits to an audience. `is_missed`: a client that was cut off and did not receive it must be
    /// told that it has missed something.
    pub(crate) fn emit_unlogged(&self, packet: &Packet, audience: &Audience, registry: &Registry, is_missed: bool) {
        if registry.has_outgoing_listeners() {
            registry.for_each(audience, |socket| socket.call_outgoing_listeners(packet));
        }
        let mut overflows: SmallVec<[(Socket, Rejected); 2]> = SmallVec::new();
        let order = self.order();
        let Some(last) = order.last() else {
            tracing::error!("a parser emits while it encodes: the message was not sent");
            return;
        };
        // Socket.IO clients take a string at the end for an offset.
        let frames = if packet.ends_in_string() { Frames::at(last) } else { Frames::default() };
        registry.for_each(audience, |socket| {
            if let Some(session) = socket.session() {
                mark_unlogged(session, packet, last, is_missed);
            }
            if let Err(Undelivered::Rejected(rejected @ Rejected::Overflow { .. })) =
                socket.deliver_at(packet, &frames, None)
            {
                overflows.push((socket.clone(), rejected));
            }
        });
        drop(order);
        for (socket, rejected) in overflows {
            socket.rejected(rejected);
        }
    }

    /// Emits to one socket.
    pub(crate) fn emit_unlogged_to(
        &self,
        packet: &Packet,
        socket: &Socket,
        session: &Session,
        is_missed: bool,
    ) -> Result<(), EmitError> {
        if socket.is_gone() {
            return Err(EmitError::Closed);
        }
        socket.call_outgoing_listeners(packet);
        let order = self.order();
        let last = order.last().ok_or(EmitError::Nested)?;
        mark_unlogged(session, packet, last, is_missed);
        let frames = if packet.ends_in_string() { Frames::at(last) } else { Frames::default() };
        let delivered = socket.deliver_at(packet, &frames, None);
        drop(order);
        delivered.map_err(|undelivered| match undelivered {
            Undelivered::Rejected(rejected) => socket.rejected(rejected),
            Undelivered::NotEncoded => EmitError::not_encoded(),
        })
    }
}

/// Notes that a client receives a message that is not in the log.
///
/// A client that resumes gets what it has missed from a part of the log that this server may not
/// have read. The offset of a message that this server sends meanwhile is an earlier one. A client
/// that has received that one last would get messages again.
fn mark_unlogged(session: &Session, packet: &Packet, last: Offset, is_missed: bool) {
    let is_earlier = packet.ends_in_string() && !session.is_live_at(last.next());
    if is_missed || is_earlier {
        session.sent_unlogged(last);
    }
}
