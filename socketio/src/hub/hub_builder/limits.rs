//! The settings of [`HubBuilder`] that bound what clients send, and what waits for them.

use super::HubBuilder;
use crate::connection_handle::OverflowPolicy;
use crate::event::rate_limit::RateLimit;
use crate::session::limits::Bounds;

/// Limits.
impl HubBuilder {
    /// The maximum size of a message from a client, in bytes. Default: 1,000,000.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.config.max_payload = bytes;
        self
    }

    /// The maximum number of simultaneous connections. Default: 100,000.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// The maximum size of the URL and headers of a request to the hub's routes, in bytes. A larger
    /// request gets the status 431. [`Serve::max_header_bytes`](crate::Serve::max_header_bytes)
    /// refuses it earlier. Default: 16 KiB.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.config.max_header_bytes = bytes;
        self
    }

    /// The maximum number of rooms per socket. With 0 no room can be joined. Default: 1,000.
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.config.max_rooms = rooms;
        self
    }

    /// The maximum length of an event name, in bytes. Default: 256.
    pub fn max_event_name(mut self, bytes: usize) -> Self {
        self.config.max_event_name = bytes;
        self
    }

    /// The maximum nesting depth of the arguments of an event or of a client's answer. The list of
    /// arguments is the first level, the arrays and objects in it are the second, and so on.
    /// Accepts 1 to 128. Default: 128.
    ///
    /// The auth payload of a Socket.IO client counts as one argument. So does a raw message that
    /// [`EventPayload::json`](crate::EventPayload::json) decodes. The limit also holds for decoded
    /// values; see [JSON from clients](crate::guide::delivery_order_and_limits#json-from-clients).
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.config.max_depth = levels;
        self
    }

    /// The maximum number of pending answers per socket. With 0 no client can be asked. Default:
    /// 1,000.
    pub fn max_pending_acks(mut self, acks: usize) -> Self {
        self.config.max_pending_acks = acks;
        self
    }

    /// The maximum number of namespaces per Socket.IO client. Default: 100.
    ///
    /// Namespaces that the client is leaving do not count. While handlers of their ends still run
    /// in as many of them, reading from the client pauses.
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.config.max_namespaces = namespaces;
        self
    }

    /// The maximum number of binary attachments of an event from a Socket.IO client. With 0 binary
    /// data is refused. Default: 10, as in the reference server.
    pub fn max_attachments(mut self, attachments: usize) -> Self {
        self.config.max_attachments = attachments;
        self
    }

    /// The maximum number of packets in the body of one POST. Default: 100,000.
    pub fn max_packets(mut self, packets: usize) -> Self {
        self.config.max_packets = packets;
        self
    }

    /// How many [reliable](crate::Socket::reliable) events, and how many bytes of them, may wait
    /// for the acks of one socket's client. Beyond it, `emit` fails. With 0 there are no reliable
    /// events. Default: 1,000 and 1 MiB.
    ///
    /// With [`recovery`](Self::recovery), clients that are cut off may have as many.
    pub fn reliable_queue(mut self, events: usize, bytes: usize) -> Self {
        self.config.reliable_queue = Bounds { messages: events, bytes };
        self
    }

    /// Limits how many events each client may send, including raw messages. Default: no limit.
    ///
    /// The limit applies to each socket separately, and events count when they are read. An event
    /// beyond the limit is dropped together with its message, and no handler or listener runs. If
    /// the client asked for an answer, it receives the error `rate_limited`. Its `data` contains
    /// the time to wait: `{"retry_after_ms": 20}`. [`HubStats::rate_limited`](crate::HubStats)
    /// counts the dropped events.
    ///
    /// `error` fires once per episode of dropped events. An episode ends when nothing was dropped
    /// for twice the time in which a burst refills, and for at least one second. Answers, pings,
    /// heartbeats and events that the server [fires](crate::Socket::fire) are not limited.
    ///
    /// A limit takes about 150 bytes per socket that has sent events, and 40 bytes per event with a
    /// separate limit. Without limits there is no cost.
    ///
    /// ```
    /// use socketio::{Hub, RateLimit};
    ///
    /// let hub = Hub::builder().rate_limit(RateLimit::per_second(50).burst(100)).build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.config.rate_limit = Some(limit);
        self
    }

    /// Limits how many events of this name each client may send in the namespace `/`, in addition
    /// to [`rate_limit`](Self::rate_limit). An event that this limit drops does not count there.
    /// Default: no limit. For the accepted names see
    /// [`NamespaceBuilder::rate_limit_event`](crate::NamespaceBuilder::rate_limit_event).
    pub fn rate_limit_event(self, event: impl AsRef<str>, limit: RateLimit) -> Self {
        self.namespace("/", |namespace| namespace.rate_limit_event(event, limit))
    }

    /// How many received events of one client, and how many bytes, may wait for a handler before
    /// reading pauses. The [kept](Self::keep_headers) headers of a POST count as bytes as long as
    /// one of its events waits. As many events of the server, of `fire` and `error`, may wait as
    /// well. Beyond it `fire` fails, and errors are only logged. Default: 256 and 64 KiB.
    pub fn inbox(mut self, events: usize, bytes: usize) -> Self {
        self.config.inbox = Bounds { messages: events, bytes };
        self
    }

    /// How many messages, and how many bytes, may wait for one client. A single message may be
    /// larger if no other message waits. Default: 16,384 and 8 MiB.
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.outbox = Bounds { messages, bytes };
        self
    }

    /// What happens when an outbox is full. Default: the client is disconnected.
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.config.overflow = policy;
        self
    }
}
