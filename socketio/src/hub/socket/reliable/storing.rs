//! A queue of reliable events is stored with the session of its client, and restored on any server.

use std::time::SystemTime;

use super::delivery::DeliveryError;
use super::pending::PendingEvent;
use super::queue::{Place, ReliableQueue, Unresumed, now};
use super::stored::{Moment, StoredEvent};
use crate::hub::Hub;

fn moment() -> Moment {
    Moment { instant: now(), time: SystemTime::now() }
}

impl Unresumed {
    /// Ends the queue on this server. Its events are stored with the session of the client.
    pub(crate) fn hand_over(self) -> Vec<StoredEvent> {
        let mut state = self.0.state.lock();
        state.place = Place::Ended;
        let events = state.pending.take_all();
        drop(state);
        self.0.changed.notify_one();
        let now = moment();
        let store = |mut event: PendingEvent| {
            if let Some(waiter) = event.waiter.take() {
                let _ = waiter.send(Err(DeliveryError::Moved));
            }
            StoredEvent::of(&event, now)
        };
        events.into_iter().map(store).collect()
    }
}

impl ReliableQueue {
    /// The events as they are stored with the session of a client, in order.
    pub(crate) fn stored(&self) -> Vec<StoredEvent> {
        let now = moment();
        let events: Vec<_> = self.state.lock().pending.iter().map(PendingEvent::copy).collect();
        events.iter().map(|event| StoredEvent::of(event, now)).collect()
    }

    /// The queue of a client that is cut off, with events that were stored. Those that are not
    /// valid, and those for which there is no room, are returned as well.
    pub(crate) fn restored(hub: &Hub, stored: &[StoredEvent]) -> (Unresumed, Vec<StoredEvent>) {
        let now = moment();
        let queue = Self::at(hub, Place::CutOff);
        let restore = |stored: &&StoredEvent| {
            let event = stored.event(now);
            event.is_some_and(|event| queue.push(hub.ack_ids().next(), event).is_ok())
        };
        let refused = stored.iter().filter(|stored| !restore(stored)).cloned().collect();
        (Unresumed(queue), refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::message::IntoMessage;
    use crate::wire::kept::KeptPacket;
    use std::sync::Arc;
    use std::time::Duration;

    fn push(queue: &Arc<ReliableQueue>, number: u64) {
        let hub = queue.hub();
        let ack = hub.ack_ids().next();
        let packet = ("order", number).into_packet().expect("it serializes");
        let deadline = now() + Duration::from_secs(60);
        let event = PendingEvent::new(hub.ack_ids().delivery(ack), KeptPacket::of(&packet), deadline, None);
        assert!(queue.push(ack, event).expect("there is room").is_none());
    }

    fn ids(stored: &[StoredEvent]) -> Vec<String> {
        let json = serde_json::to_value(stored).expect("it serializes");
        json.as_array().into_iter().flatten().map(|event| event["id"].to_string()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_moves_to_another_server_with_its_ids_in_order() {
        let (hub, other) = (Hub::builder().build().expect("a hub"), Hub::builder().reliable_queue(2, 10_000));
        let kept = Unresumed::new(&hub);
        let queue = kept.queue();
        (0..3).for_each(|number| push(&queue, number));
        let stored = queue.stored();
        let (kept_there, refused) = ReliableQueue::restored(&other.build().expect("a hub"), &stored);
        let restored = kept_there.queue();
        assert_eq!(ids(&restored.stored()), ids(&stored[..2]));
        assert_eq!(refused, stored[2..]);
        // Its time is up there too.
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(restored.stored(), []);
        assert_eq!(restored.hub().stats().undelivered, 2);
    }
}
