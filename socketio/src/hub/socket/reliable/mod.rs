//! [`Reliable`]: emits that are kept and repeated until the client has acked them.
//!
//! [`queue`] keeps the events of one session, in a list of [`pending`] ones. A [`delivery`] tells
//! the application how it ended. [`stored`] is the form in which a queue leaves the process.

pub(crate) mod delivery;
mod pending;
pub(crate) mod queue;
#[cfg(any(test, feature = "cluster"))]
pub(crate) mod stored;
#[cfg(any(test, feature = "cluster"))]
mod storing;

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use crate::event::message::{IntoEvent, question};
use crate::hub::namespace::Namespace;
use crate::hub::recovery::reliable::QueueOf;
use crate::hub::selection::EmitError;
use crate::session::time::after;
use crate::wire::kept::KeptPacket;
use crate::wire::mark::Mark;
use crate::wire::packet::Packet;
use delivery::Delivery;
use pending::PendingEvent;
use queue::{ReliableQueue, Resent, Unresumed, now};

/// Emits events that are kept and repeated until the client has acked them. See
/// [reliable events](crate::guide::delivery_order_and_limits#reliable-events).
///
/// ```
/// use socketio::{DeliveryError, Socket};
/// use std::time::Duration;
///
/// async fn order(socket: &Socket, text: &str) -> Result<(), DeliveryError> {
///     socket.reliable().timeout(Duration::from_secs(60)).emit(("order", text))?.await
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct Reliable<'a> {
    to: To<'a>,
    timeout: Option<Duration>,
}

#[derive(Clone, Debug)]
enum To<'a> {
    Socket(&'a Socket),
    Id(&'a Namespace, Box<str>),
}

impl<'a> Reliable<'a> {
    pub(crate) fn to_id(namespace: &'a Namespace, id: &str) -> Self {
        Self { to: To::Id(namespace, id.into()), timeout: None }
    }

    /// Sets how long the event is kept and repeated, also while the client is cut off. Default: the
    /// hub's [`reliable_timeout`](crate::HubBuilder::reliable_timeout).
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Emits an event. It is queued at once, and kept until the client has acked it. Await the
    /// [`Delivery`] to learn whether that has happened, or drop it.
    ///
    /// # Errors
    ///
    /// Nothing is sent or kept:
    ///
    /// - [`Overflow`](EmitError::Overflow): more events than
    ///   [`reliable_queue`](crate::HubBuilder::reliable_queue) takes would wait for this client's
    ///   acks, or the client's outbox is full.
    /// - [`Closed`](EmitError::Closed): the client is gone and can't come back.
    /// - [`NotFound`](EmitError::NotFound): no socket of this server has the id.
    /// - The payload does not serialize, or its event is [`latest`](crate::Selection::latest).
    pub fn emit(self, event: impl IntoEvent) -> Result<Delivery, EmitError> {
        let packet = question(event)?;
        let queue = match &self.to {
            To::Socket(socket) => socket.reliable_queue(),
            To::Id(namespace, id) => queue_of_id(namespace, id),
        }?;
        let (ids, config) = (queue.hub().ack_ids(), queue.hub().config());
        let ack = ids.next();
        let id = ids.delivery(ack);
        let (waiter, delivery) = Delivery::new(id);
        let deadline = after(now(), self.timeout.unwrap_or(config.reliable_timeout));
        let event = PendingEvent::new(id, KeptPacket::of(&packet), deadline, Some(waiter));
        let Some(socket) = queue.push(ack, event)? else { return Ok(delivery) };
        socket.tell_changed();
        let packet = packet.asking(ack).with_mark(Some(Mark::Delivery(id)));
        match socket.namespace_inner().emit_to_socket(&packet, &socket) {
            Ok(()) => Ok(delivery),
            // The client gets the event when it comes back.
            Err(EmitError::Closed) if socket.session().is_some() && !socket.is_ending() => Ok(delivery),
            Err(error) => {
                queue.withdraw(ack);
                Err(error)
            }
        }
    }
}

fn queue_of_id(namespace: &Namespace, id: &str) -> Result<Arc<ReliableQueue>, EmitError> {
    let inner = namespace.inner();
    if let Some(socket) = inner.registry().get(id) {
        return socket.reliable_queue();
    }
    let cut_off = inner.recovery().and_then(|recovery| recovery.reliable_queue_of_id(id, &namespace.hub()));
    cut_off.ok_or_else(|| EmitError::NotFound(id.to_owned()))
}

/// Reliable events.
impl Socket {
    /// Emits events that are kept and repeated until this socket's client has acked them.
    ///
    /// ```
    /// # use socketio::{EmitError, Socket};
    /// # fn example(socket: &Socket) -> Result<(), EmitError> {
    /// socket.reliable().emit(("order", 7, "two teas"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reliable(&self) -> Reliable<'_> {
        Reliable { to: To::Socket(self), timeout: None }
    }

    /// The queue of the client, which may have resumed the session of this socket with another one.
    fn reliable_queue(&self) -> Result<Arc<ReliableQueue>, EmitError> {
        if let Some(queue) = self.known_reliable_queue() {
            return Ok(queue);
        }
        if !self.is_gone() {
            let new = ReliableQueue::of(self);
            // If the socket leaves now, it does so before this lock, or it ends the queue after it.
            let queue = self.with_side(|side| {
                (!self.is_gone()).then(|| Arc::clone(side.reliable.get_or_insert_with(|| Arc::clone(&new))))
            });
            drop(new);
            if let Some(queue) = queue {
                return Ok(queue);
            }
        }
        let recovery = self.session().zip(self.namespace_inner().recovery());
        let found = recovery.and_then(|(session, recovery)| recovery.reliable_queue(session.token(), self.hub()));
        match found {
            Some(QueueOf::CutOff(queue)) => Ok(queue),
            Some(QueueOf::Live(socket)) if socket != *self => socket.reliable_queue(),
            _ => Err(EmitError::Closed),
        }
    }

    pub(crate) fn known_reliable_queue(&self) -> Option<Arc<ReliableQueue>> {
        self.0.side.lock().as_ref().and_then(|side| side.reliable.clone())
    }

    /// Takes over the reliable events of the client that resumes its session with this socket.
    /// Returns those that must be sent to it.
    pub(crate) fn resume_reliable(&self, kept: Unresumed) -> Resent {
        let queue = kept.queue();
        let resent = queue.resume(self);
        self.with_side(|side| side.reliable = Some(queue));
        resent
    }

    /// Ends the reliable events of a socket whose client can't come back.
    pub(super) fn end_reliable(&self) {
        if let Some(queue) = self.known_reliable_queue() {
            queue.left_by(self);
        }
    }

    /// Keeps the reliable events of a socket whose client is cut off.
    pub(crate) fn cut_reliable(&self) -> Option<Unresumed> {
        self.known_reliable_queue()?.cut(self)
    }

    /// Sends a reliable event again, if there is room in the client's outbox.
    fn repeat(&self, packet: &Packet) {
        if self.is_leaving() {
            return;
        }
        self.call_outgoing_listeners(packet);
        packet.with_frame(&self.peer().encoding, self.namespace(), |frame| {
            if !frame.is_nothing() {
                self.peer().repeat(frame);
            }
        });
    }
}
