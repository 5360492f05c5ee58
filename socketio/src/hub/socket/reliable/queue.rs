//! [`ReliableQueue`]: keeps reliable events until their client has acked them.
//!
//! It belongs to a session. While the client is connected, it repeats the events over the client's
//! socket. While the client is cut off, it keeps them. When the client resumes its session, it
//! passes to the new socket.

use parking_lot::Mutex;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;

use super::delivery::DeliveryError;
use super::pending::{Pending, PendingEvent, Repetition};
use crate::event::error::EventError;
use crate::hub::Hub;
use crate::hub::aliases::Peer;
use crate::hub::selection::EmitError;
use crate::hub::socket::Socket;
use crate::hub::socket::ack_future::AckError;
use crate::session::received::ReceivedAnswer;
use crate::wire::mark::Mark;
use crate::wire::packet::Packet;
use crate::wire::shown::{Shown, shown};

/// The reliable events of one session.
#[derive(Debug)]
pub(crate) struct ReliableQueue {
    hub: Hub,
    pub(super) state: Mutex<State>,
    /// Tells the task that an event is due earlier, or that all of them have ended.
    pub(super) changed: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) place: Place,
    pub(super) pending: Pending,
    /// Keeps reading from the client as long as its acks are awaited.
    awaited: Option<Awaited>,
    /// When the task wakes up. `None` if it does not run.
    wakes_at: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Place {
    Connected(Socket),
    /// The client is cut off, and may come back.
    CutOff,
    /// There is nobody who could ack.
    Ended,
}

/// Counts an ack that is awaited from a client.
#[derive(Debug)]
struct Awaited(Arc<Peer>);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.end_wait();
    }
}

/// The queue of a client that is cut off. Its events end when this is dropped, unless the client
/// has resumed its session.
#[derive(Debug)]
pub(crate) struct Unresumed(pub(super) Arc<ReliableQueue>);

impl Unresumed {
    pub(crate) fn new(hub: &Hub) -> Self {
        Self(ReliableQueue::at(hub, Place::CutOff))
    }

    pub(crate) fn queue(&self) -> Arc<ReliableQueue> {
        Arc::clone(&self.0)
    }
}

impl Drop for Unresumed {
    fn drop(&mut self) {
        if matches!(self.0.state.lock().place, Place::CutOff) {
            self.0.end(DeliveryError::Expired);
        }
    }
}

/// The time of the runtime's clock, which tests can pause.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl ReliableQueue {
    /// The queue of a socket.
    pub(super) fn of(socket: &Socket) -> Arc<Self> {
        Self::at(socket.hub(), Place::Connected(socket.clone()))
    }

    pub(super) fn at(hub: &Hub, place: Place) -> Arc<Self> {
        let config = hub.config();
        let pending = Pending::new(config.reliable_queue, config.reliable_interval);
        let state = State { place, pending, awaited: None, wakes_at: None };
        Arc::new(Self { hub: hub.clone(), state: Mutex::new(state), changed: Notify::new() })
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Keeps an event. Returns the socket to which it must be sent, if the client is connected.
    pub(super) fn push(self: &Arc<Self>, ack: u64, event: PendingEvent) -> Result<Option<Socket>, EmitError> {
        let now = now();
        let mut state = self.state.lock();
        let place = match &state.place {
            Place::Connected(socket) => Some(socket.clone()),
            Place::CutOff => None,
            Place::Ended => return Err(EmitError::Closed),
        };
        let pushed = state.pending.push(ack, event, now);
        let task = match pushed {
            Ok(()) => {
                state.await_acks();
                state.keep_time()
            }
            Err(_) => Task::Waits,
        };
        drop(state);
        self.update(task);
        match pushed {
            Ok(()) => Ok(place),
            Err(_refused) => Err(EmitError::Overflow),
        }
    }

    /// Removes an event that was not sent.
    pub(super) fn withdraw(&self, ack: u64) {
        let withdrawn = self.remove(ack);
        drop(withdrawn);
    }

    fn remove(&self, ack: u64) -> Option<PendingEvent> {
        let mut state = self.state.lock();
        let removed = state.pending.remove(ack);
        let awaited = state.pending.is_empty().then(|| state.awaited.take());
        drop(state);
        drop(awaited);
        removed
    }

    /// Passes the answer of the client to the delivery with this ack. Returns `false` if there is
    /// none.
    pub(crate) fn answered(&self, ack: u64, answer: &ReceivedAnswer) -> bool {
        let Some(event) = self.remove(ack) else { return false };
        // Only errors count: whatever else the client answers, it has received the event.
        let outcome = match answer.decode::<IgnoredAny>() {
            Err(AckError::Failed(error)) => Err(DeliveryError::Refused(error)),
            _ => Ok(()),
        };
        self.settle(event, outcome, self.socket().as_ref());
        true
    }

    fn socket(&self) -> Option<Socket> {
        match &self.state.lock().place {
            Place::Connected(socket) => Some(socket.clone()),
            Place::CutOff | Place::Ended => None,
        }
    }

    /// Keeps the events of a socket whose client is cut off and may come back. `None` if they are
    /// no longer those of this socket.
    pub(crate) fn cut(self: Arc<Self>, socket: &Socket) -> Option<Unresumed> {
        let mut state = self.state.lock();
        if !matches!(&state.place, Place::Connected(current) if current == socket) {
            return None;
        }
        let left = (std::mem::replace(&mut state.place, Place::CutOff), state.awaited.take());
        drop(state);
        drop(left);
        Some(Unresumed(self))
    }

    /// The client has resumed its session, with this socket. Returns all events, which must be sent
    /// to it.
    pub(crate) fn resume(self: &Arc<Self>, socket: &Socket) -> Resent {
        let now = now();
        let mut state = self.state.lock();
        let left = std::mem::replace(&mut state.place, Place::Connected(socket.clone()));
        let events = state.pending.restart(now);
        if !events.is_empty() {
            state.await_acks();
        }
        let task = state.keep_time();
        drop(state);
        drop(left);
        self.update(task);
        Resent(events)
    }

    /// Ends the events of a socket whose client can't come back. If it is no longer the socket of
    /// this queue, nothing happens.
    pub(crate) fn left_by(&self, socket: &Socket) {
        if self.socket().as_ref() == Some(socket) {
            self.end(DeliveryError::Closed);
        }
    }

    fn end(&self, reason: DeliveryError) {
        let mut state = self.state.lock();
        let left = (std::mem::replace(&mut state.place, Place::Ended), state.awaited.take());
        let events = state.pending.take_all();
        drop(state);
        self.changed.notify_one();
        let socket = match &left.0 {
            Place::Connected(socket) => Some(socket),
            Place::CutOff | Place::Ended => None,
        };
        for event in events {
            self.settle(event, Err(reason.clone()), socket);
        }
    }

    /// Tells who waits how the delivery of an event has ended. If nobody waits for a failure, it is
    /// reported.
    fn settle(&self, mut event: PendingEvent, outcome: Result<(), DeliveryError>, socket: Option<&Socket>) {
        if outcome.is_err() {
            self.hub.counters().undelivered();
        }
        let unheard = match event.waiter.take() {
            Some(waiter) => waiter.send(outcome).err(),
            None => Some(outcome),
        };
        let Some(Err(error)) = unheard else { return };
        let packet = event.packet.packet();
        let name = packet.name().unwrap_or_default();
        match socket {
            Some(socket) => socket.report(EventError::new("undelivered", error.to_string()).with_event(name)),
            None => {
                tracing::debug!(
                    delivery = %event.id,
                    event = &*shown(name),
                    error = %Shown(&error),
                    "a reliable event was not acked"
                );
            }
        }
    }

    /// The caller does not hold the lock, because a runtime that is shut down drops the task at
    /// once. Then the next runtime is tried.
    fn update(self: &Arc<Self>, task: Task) {
        match task {
            Task::Waits => {}
            Task::MustWake => self.changed.notify_one(),
            Task::MustStart => {
                for runtime in self.hub.runtimes() {
                    runtime.spawn(Timekeeper { queue: Arc::clone(self), is_done: false }.run());
                    if self.state.lock().wakes_at.is_some() {
                        return;
                    }
                }
            }
        }
    }

    /// Ends the events whose time is up, and repeats those that are due. Returns when the next is
    /// due. `None`: there are no more events, and the task ends.
    fn turn(&self) -> Option<Instant> {
        let now = now();
        let mut state = self.state.lock();
        let late = state.pending.take_late(now);
        let socket = match &state.place {
            Place::Connected(socket) => Some(socket.clone()),
            Place::CutOff | Place::Ended => None,
        };
        let receiver = socket.as_ref().filter(|socket| socket.is_connected());
        let is_slow = receiver.is_none_or(|socket| socket.peer().handle.has_unsent());
        let due = match receiver {
            Some(_) => state.pending.repeat(now, !is_slow),
            // A socket that is not accepted yet is sent everything when it is.
            None => state.pending.repeat(now, false),
        };
        state.wakes_at = state.next_due();
        let next = state.wakes_at;
        let awaited = next.is_none().then(|| state.awaited.take());
        drop(state);
        drop(awaited);
        if let Some(socket) = receiver {
            for event in &due {
                self.hub.counters().repeated();
                socket.repeat(&event.packet());
            }
        }
        for event in late {
            self.settle(event, Err(DeliveryError::Timeout), socket.as_ref());
        }
        next
    }
}

impl State {
    /// Makes sure that the task wakes up when the next event is due. The caller
    /// [updates](ReliableQueue::update) the task.
    fn keep_time(&mut self) -> Task {
        let Some(due) = self.next_due() else { return Task::Waits };
        match self.wakes_at {
            Some(at) if at <= due => Task::Waits,
            Some(_) => Task::MustWake,
            None => {
                self.wakes_at = Some(due);
                Task::MustStart
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.pending.next_due(matches!(self.place, Place::Connected(_)))
    }

    fn await_acks(&mut self) {
        if let (None, Place::Connected(socket)) = (&self.awaited, &self.place) {
            socket.peer().await_answer();
            self.awaited = Some(Awaited(Arc::clone(socket.peer())));
        }
    }
}

impl Repetition {
    fn packet(&self) -> Packet {
        self.packet.packet().asking(self.ack).with_mark(Some(Mark::Delivery(self.id)))
    }
}

/// The events of a client that has resumed its session, in order.
#[derive(Debug)]
pub(crate) struct Resent(Vec<Repetition>);

impl Resent {
    pub(crate) fn packets(&self) -> impl Iterator<Item = Packet> {
        self.0.iter().map(Repetition::packet)
    }
}

/// What has to be done about the task.
enum Task {
    /// Nothing: it wakes up in time.
    Waits,
    MustWake,
    MustStart,
}

/// The task of a queue that has events.
struct Timekeeper {
    queue: Arc<ReliableQueue>,
    is_done: bool,
}

impl Timekeeper {
    async fn run(mut self) {
        while let Some(due) = self.queue.turn() {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = self.queue.changed.notified() => {}
            }
        }
        self.is_done = true;
    }
}

impl Drop for Timekeeper {
    /// The runtime may shut down. The next event then starts a task of another runtime.
    fn drop(&mut self) {
        if !self.is_done {
            self.queue.state.lock().wakes_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::message::IntoMessage;
    use crate::wire::kept::KeptPacket;
    use std::time::Duration;

    fn push(queue: &Arc<ReliableQueue>, number: u64) {
        let hub = queue.hub();
        let ack = hub.ack_ids().next();
        let packet = ("order", number).into_packet().expect("it serializes");
        let deadline = now() + Duration::from_secs(60);
        let event = PendingEvent::new(hub.ack_ids().delivery(ack), KeptPacket::of(&packet), deadline, None);
        assert!(queue.push(ack, event).expect("there is room").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_with_the_last_event() {
        let hub = Hub::builder().build().expect("a hub");
        let kept = Unresumed::new(&hub);
        let queue = kept.queue();
        push(&queue, 1);
        let weak = Arc::downgrade(&queue);
        drop(kept);
        assert!(matches!(
            queue.push(
                0,
                PendingEvent::new(
                    hub.ack_ids().delivery(0),
                    KeptPacket::of(&("order",).into_packet().expect("it serializes")),
                    now(),
                    None,
                )
            ),
            Err(EmitError::Closed)
        ));
        drop(queue);
        tokio::task::yield_now().await;
        assert_eq!(weak.strong_count(), 0);
    }
}
