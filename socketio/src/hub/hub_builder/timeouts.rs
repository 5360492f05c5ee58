//! The settings of [`HubBuilder`] about time: heartbeats, timeouts and repetitions.

use std::time::Duration;

use super::HubBuilder;

/// Timeouts and intervals.
impl HubBuilder {
    /// The time from one ping to the next. Default: 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.config.ping_interval = interval;
        self
    }

    /// How long a client may stay silent after a ping. Default: 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.config.ping_timeout = timeout;
        self
    }

    /// How long after an unanswered ping a client may stay connected while reading is paused. The
    /// server then can't tell whether the client is alive, because events that wait for a handler
    /// fill the [`inbox`](Self::inbox). At least the [`ping_timeout`](Self::ping_timeout) applies.
    /// Default: 300 s.
    pub fn pause_timeout(mut self, timeout: Duration) -> Self {
        self.config.pause_timeout = timeout;
        self
    }

    /// How long `on_open`, middleware and the `connect` handler may take together. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long a Socket.IO client may take to connect to its first namespace. Default: 45 s.
    pub fn join_timeout(mut self, timeout: Duration) -> Self {
        self.config.join_timeout = timeout;
        self
    }

    /// How long the upgrade from HTTP to a WebSocket may take, and how long a polling client may
    /// probe a WebSocket before it goes over to it. Default: 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.config.upgrade_timeout = timeout;
        self
    }

    /// How long a message of a client may take to arrive, from its first byte to its last: a
    /// WebSocket message with all its fragments, a Socket.IO packet with its attachments, or the
    /// body of a POST. The time stands still while reading is paused. Default: 30 s.
    ///
    /// Raise it together with [`max_payload`](Self::max_payload) if clients have slow networks.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.config.message_timeout = timeout;
        self
    }

    /// How long a closing connection waits for the client to read the queued messages and to
    /// confirm the close. With 0 it does not wait, and queued messages may be lost. Default: 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config.close_timeout = timeout;
        self
    }

    /// How long the functions of one event may run: its middleware, its handler and its listeners
    /// together, from the start of the first. When the time is up, their futures are dropped. If
    /// the event has no answer yet, the answer is the error `timeout`, and `error` fires. Default:
    /// no limit.
    ///
    /// It applies to `concurrent` handlers and to the handlers of lifecycle events too, except
    /// `connect`, which has the [`connect_timeout`](Self::connect_timeout). A handler with a limit
    /// of its own, `#[event("report", timeout = "5s")]`, or `timeout = "none"`, has that instead. A
    /// function that blocks its thread can't be ended.
    ///
    /// ```
    /// use socketio::{Hub, event, events};
    /// use std::time::Duration;
    ///
    /// #[event("report", timeout = "2m")]
    /// async fn report() {}
    ///
    /// let hub = Hub::builder()
    ///     .handler_timeout(Duration::from_secs(10))
    ///     .events(events![report])
    ///     .build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.config.handler_timeout = Some(timeout);
        self
    }

    /// How long [`request`](crate::Socket::request) and
    /// [`emit_with_ack`](crate::Socket::emit_with_ack) wait for an answer. Default: 30 s.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.config.ack_timeout = timeout;
        self
    }

    /// How long a [reliable](crate::Socket::reliable) event is kept and repeated until the client
    /// has acked it. [`Reliable::timeout`](crate::Reliable::timeout) sets it for one event.
    /// Default: 300 s.
    pub fn reliable_timeout(mut self, timeout: Duration) -> Self {
        self.config.reliable_timeout = timeout;
        self
    }

    /// The time until a [reliable](crate::Socket::reliable) event is sent again to a client that is
    /// connected and has not acked it. It doubles after each repetition, up to 8 times this time.
    /// Default: 5 s, and so 10 s, 20 s, 40 s, 40 s and so on.
    pub fn reliable_interval(mut self, interval: Duration) -> Self {
        self.config.reliable_interval = interval;
        self
    }
}
