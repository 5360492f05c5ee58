//! [`Pending`]: the reliable events of one client that it has not acked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

use super::delivery::DeliveryError;
use crate::session::limits::Bounds;
use crate::session::time::after;
use crate::wire::delivery_id::DeliveryId;
use crate::wire::kept::{ALLOCATION, KeptPacket};

/// The time until a repetition doubles up to so many times the first.
const MAX_BACKOFF: u32 = 8;

/// Unacked events in the order in which they were emitted.
#[derive(Debug)]
pub(super) struct Pending {
    /// By the ids of their acks, which a hub counts upwards.
    events: BTreeMap<u64, PendingEvent>,
    bytes: usize,
    bounds: Bounds,
    /// The time until the first repetition.
    interval: Duration,
}

/// An event that waits for the client's ack.
#[derive(Debug)]
pub(super) struct PendingEvent {
    pub(super) id: DeliveryId,
    pub(super) packet: Arc<KeptPacket>,
    pub(super) deadline: Instant,
    /// Who waits for the end of the delivery, if anybody does.
    pub(super) waiter: Option<oneshot::Sender<Result<(), DeliveryError>>>,
    repeat_at: Instant,
    wait: Duration,
}

/// An event that is sent again.
#[derive(Debug)]
pub(super) struct Repetition {
    pub(super) ack: u64,
    pub(super) id: DeliveryId,
    pub(super) packet: Arc<KeptPacket>,
}

impl PendingEvent {
    pub(super) fn new(
        id: DeliveryId,
        packet: KeptPacket,
        deadline: Instant,
        waiter: Option<oneshot::Sender<Result<(), DeliveryError>>>,
    ) -> Self {
        Self { id, packet: Arc::new(packet), deadline, waiter, repeat_at: deadline, wait: Duration::ZERO }
    }

    /// The event without the one who waits.
    #[cfg(any(test, feature = "cluster"))]
    pub(super) fn copy(&self) -> Self {
        let Self { id, deadline, repeat_at, wait, .. } = *self;
        Self { id, packet: Arc::clone(&self.packet), deadline, waiter: None, repeat_at, wait }
    }

    /// The bytes that count for the bound.
    fn size(&self) -> usize {
        size_of::<Self>() + size_of::<KeptPacket>() + ALLOCATION + self.packet.size()
    }

    fn repetition(&self, ack: u64) -> Repetition {
        Repetition { ack, id: self.id, packet: Arc::clone(&self.packet) }
    }
}

impl Pending {
    pub(super) fn new(bounds: Bounds, interval: Duration) -> Self {
        Self { events: BTreeMap::new(), bytes: 0, bounds, interval }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Adds an event that is sent now. Returns it if there is no room.
    pub(super) fn push(&mut self, ack: u64, mut event: PendingEvent, now: Instant) -> Result<(), PendingEvent> {
        let size = event.size();
        if self.events.len() >= self.bounds.messages || self.bytes.saturating_add(size) > self.bounds.bytes {
            return Err(event);
        }
        event.wait = self.interval;
        event.repeat_at = after(now, event.wait);
        self.bytes += size;
        self.events.insert(ack, event);
        Ok(())
    }

    pub(super) fn remove(&mut self, ack: u64) -> Option<PendingEvent> {
        let event = self.events.remove(&ack)?;
        self.bytes -= event.size();
        Some(event)
    }

    pub(super) fn take_all(&mut self) -> Vec<PendingEvent> {
        self.bytes = 0;
        std::mem::take(&mut self.events).into_values().collect()
    }

    /// Takes the events whose time is up.
    pub(super) fn take_late(&mut self, now: Instant) -> Vec<PendingEvent> {
        let late: Vec<_> = self.events.iter().filter(|(_, event)| event.deadline <= now).map(|(ack, _)| *ack).collect();
        late.into_iter().filter_map(|ack| self.remove(ack)).collect()
    }

    /// The events that are due to be repeated. `is_sent`: they are, so that the time until the next
    /// repetition doubles. Otherwise they are due after the same time again.
    pub(super) fn repeat(&mut self, now: Instant, is_sent: bool) -> Vec<Repetition> {
        let longest = self.interval.saturating_mul(MAX_BACKOFF);
        let mut due = Vec::new();
        for (ack, event) in self.events.iter_mut().filter(|(_, event)| event.repeat_at <= now) {
            if is_sent {
                event.wait = event.wait.saturating_mul(2).min(longest);
                due.push(event.repetition(*ack));
            }
            event.repeat_at = after(now, event.wait);
        }
        due
    }

    /// All events. They are sent now, over a new connection.
    pub(super) fn restart(&mut self, now: Instant) -> Vec<Repetition> {
        for event in self.events.values_mut() {
            event.wait = self.interval;
            event.repeat_at = after(now, event.wait);
        }
        self.events.iter().map(|(ack, event)| event.repetition(*ack)).collect()
    }

    /// When the first event is due: to be repeated, if the client is `connected`, or because its
    /// time is up.
    pub(super) fn next_due(&self, connected: bool) -> Option<Instant> {
        let due = |event: &PendingEvent| match connected {
            true => event.repeat_at.min(event.deadline),
            false => event.deadline,
        };
        self.events.values().map(due).min()
    }

    #[cfg(any(test, feature = "cluster"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &PendingEvent> {
        self.events.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::message::IntoMessage;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_secs(5);
    const NOTHING: [u64; 0] = [];

    fn event(number: u64, now: Instant, time: Duration) -> PendingEvent {
        let packet = ("order", number).into_packet().expect("it serializes");
        PendingEvent::new(DeliveryId { hub: 1, number }, KeptPacket::of(&packet), now + time, None)
    }

    fn pending(messages: usize, bytes: usize) -> Pending {
        Pending::new(Bounds { messages, bytes }, INTERVAL)
    }

    fn numbers(repetitions: Vec<Repetition>) -> Vec<u64> {
        repetitions.into_iter().map(|repetition| repetition.id.number).collect()
    }

    #[test]
    fn repetitions_come_later_and_later() {
        let (mut pending, start) = (pending(10, 100_000), Instant::now());
        pending.push(7, event(7, start, INTERVAL * 100), start).expect("there is room");
        let mut now = start;
        for expected in [1, 2, 4, 8, 8] {
            let due = pending.next_due(true).expect("an event");
            assert_eq!(due - now, INTERVAL * expected);
            assert_eq!(numbers(pending.repeat(due - Duration::from_millis(1), true)), NOTHING);
            now = due;
            assert_eq!(numbers(pending.repeat(now, true)), [7]);
        }
        // What is not sent because the client is slow is tried again after the same time.
        let due = pending.next_due(true).expect("an event");
        assert_eq!(numbers(pending.repeat(due, false)), NOTHING);
        assert_eq!(pending.next_due(true), Some(due + INTERVAL * 8));
        // A new connection begins with the first interval.
        assert_eq!(numbers(pending.restart(due)), [7]);
        assert_eq!(pending.next_due(true), Some(due + INTERVAL));
        assert_eq!(pending.next_due(false), Some(start + INTERVAL * 100));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u64),
        Ack(u64),
        Pass(u64),
        Repeat,
        Restart,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (1_u64..60).prop_map(Step::Push),
            2 => (0_u64..40).prop_map(Step::Ack),
            2 => (1_u64..20).prop_map(Step::Pass),
            1 => Just(Step::Repeat),
            1 => Just(Step::Restart),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// It behaves like a list that is searched, and stays within its bounds.
        #[test]
        fn it_is_a_bounded_list_in_order(steps in steps()) {
            let size = event(10, Instant::now(), INTERVAL).size();
            let mut pending = pending(8, size * 6 + size / 2);
            let mut model: Vec<(u64, Instant)> = Vec::new();
            let (mut now, mut next) = (Instant::now(), 10);
            for step in steps {
                match step {
                    Step::Push(seconds) => {
                        let pushed = pending.push(next, event(next, now, Duration::from_secs(seconds)), now);
                        prop_assert_eq!(pushed.is_ok(), model.len() < 6);
                        if pushed.is_ok() {
                            model.push((next, now + Duration::from_secs(seconds)));
                        }
                        next += 1;
                    }
                    Step::Ack(ago) => {
                        let ack = next.saturating_sub(ago);
                        let known = model.iter().position(|(id, _)| *id == ack);
                        prop_assert_eq!(pending.remove(ack).is_some(), known.is_some());
                        known.map(|at| model.remove(at));
                    }
                    Step::Pass(seconds) => {
                        now += Duration::from_secs(seconds);
                        let late: Vec<_> = pending.take_late(now).iter().map(|event| event.id.number).collect();
                        let expected: Vec<_> = model.extract_if(.., |(_, at)| *at <= now).map(|(id, _)| id).collect();
                        prop_assert_eq!(late, expected);
                    }
                    Step::Repeat => {
                        let due = numbers(pending.repeat(now, true));
                        prop_assert!(due.is_sorted() && due.iter().all(|id| model.iter().any(|known| known.0 == *id)));
                        prop_assert_eq!(numbers(pending.repeat(now, true)), NOTHING);
                    }
                    Step::Restart => {
                        let expected: Vec<_> = model.iter().map(|(id, _)| *id).collect();
                        prop_assert_eq!(numbers(pending.restart(now)), expected);
                    }
                }
                prop_assert_eq!(pending.is_empty(), model.is_empty());
                prop_assert_eq!(pending.next_due(false), model.iter().map(|(_, at)| *at).min());
                prop_assert_eq!(pending.bytes, pending.iter().map(PendingEvent::size).sum::<usize>());
            }
            pending.take_all();
            prop_assert_eq!((pending.bytes, pending.is_empty()), (0, true));
        }
    }
}
