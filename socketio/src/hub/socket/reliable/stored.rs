//! [`StoredEvent`]: a reliable event as it is stored outside of this process, with the session of
//! its client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::pending::PendingEvent;
use crate::session::time::after;
use crate::wire::kept::KeptPacket;
use crate::wire::packet::Packet;

/// A reliable event that a client has not acked. It has no ack id: each server gives it another.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct StoredEvent {
    /// The id of the delivery.
    id: String,
    event: String,
    /// The arguments as JSON, separated by commas, with Socket.IO's placeholders for binary data.
    args: String,
    /// The binary data, in base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
    /// When the time is up, in milliseconds since 1970.
    deadline: u64,
}

/// A moment on both clocks: that of this process, and that which servers share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) time: SystemTime,
}

impl StoredEvent {
    pub(super) fn of(event: &PendingEvent, now: Moment) -> Self {
        let packet = event.packet.packet();
        let args = packet.args();
        let left = event.deadline.saturating_duration_since(now.instant);
        let deadline = now.time.checked_add(left).and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Self {
            id: event.id.to_string(),
            event: packet.name().unwrap_or_default().to_owned(),
            args: args.json().to_owned(),
            attachments: args.attachments().iter().map(|bytes| STANDARD.encode(bytes)).collect(),
            deadline: deadline.map_or(u64::MAX, |at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// The event, for which nobody waits. `None`: it is not valid.
    pub(super) fn event(&self, now: Moment) -> Option<PendingEvent> {
        let attachments: Option<Vec<_>> =
            self.attachments.iter().map(|text| STANDARD.decode(text).ok().map(Bytes::from)).collect();
        let packet = Packet::event_json(&self.event, &self.args, &attachments?).ok()?;
        let time = now.time.duration_since(UNIX_EPOCH).ok()?;
        let left = Duration::from_millis(self.deadline).saturating_sub(time);
        let deadline = after(now.instant, left);
        Some(PendingEvent::new(self.id.parse().ok()?, KeptPacket::of(&packet), deadline, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Binary;
    use crate::event::message::IntoMessage;
    use crate::wire::delivery_id::DeliveryId;
    use serde_json::json;

    fn moment() -> Moment {
        Moment { instant: Instant::now(), time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_000) }
    }

    fn event(message: impl IntoMessage, now: Moment) -> PendingEvent {
        let packet = message.into_packet().expect("it serializes");
        let id = DeliveryId { hub: 3, number: 4 };
        PendingEvent::new(id, KeptPacket::of(&packet), now.instant + Duration::from_secs(60), None)
    }

    #[test]
    fn what_is_stored_is_restored_with_the_time_that_is_left() {
        let now = moment();
        let stored = [
            StoredEvent::of(&event(("order", 7, "two teas"), now), now),
            StoredEvent::of(&event(("file", Binary::from(vec![1, 2, 3])), now), now),
            StoredEvent::of(&event(("nothing",), now), now),
        ];
        let json = serde_json::to_value(&stored).expect("it serializes");
        let deadline = 1_700_000_060_000_u64;
        let expected = json!([
            { "id": "3-4", "event": "order", "args": "7,\"two teas\"", "deadline": deadline },
            {
                "id": "3-4",
                "event": "file",
                "args": "{\"_placeholder\":true,\"num\":0}",
                "attachments": ["AQID"],
                "deadline": deadline
            },
            { "id": "3-4", "event": "nothing", "args": "", "deadline": deadline },
        ]);
        assert_eq!(json, expected);

        // On another server, whose process has another clock.
        let later =
            Moment { instant: now.instant + Duration::from_secs(1_000), time: now.time + Duration::from_secs(20) };
        let read: Vec<StoredEvent> = serde_json::from_value(json).expect("a list");
        assert_eq!(read, stored);
        for stored in &read {
            let event = stored.event(later).expect("it is valid");
            assert_eq!(event.deadline, later.instant + Duration::from_secs(40));
            assert_eq!(StoredEvent::of(&event, later), *stored);
        }
        // Its time may be up already.
        let late = Moment { instant: now.instant, time: now.time + Duration::from_secs(61) };
        assert_eq!(read[0].event(late).expect("it is valid").deadline, now.instant);
    }

    #[test]
    fn invalid_events_are_refused() {
        let now = moment();
        let valid = StoredEvent::of(&event(("order", 7), now), now);
        let invalid = [
            StoredEvent { id: "x".to_owned(), ..valid.clone() },
            StoredEvent { event: String::new(), ..valid.clone() },
            StoredEvent { event: "connect".to_owned(), ..valid.clone() },
            StoredEvent { args: "{".to_owned(), ..valid.clone() },
            StoredEvent { attachments: vec!["%".to_owned()], ..valid.clone() },
            StoredEvent { args: r#"{"_placeholder":true,"num":0}"#.to_owned(), attachments: vec![], ..valid.clone() },
        ];
        for (number, stored) in invalid.iter().enumerate().take(5) {
            assert!(stored.event(now).is_none(), "{number}");
        }
        // Without attachments it is an object like any other.
        assert!(invalid[5].event(now).is_some());
        assert!(StoredEvent { deadline: u64::MAX, ..valid }.event(now).is_some());
    }
}
