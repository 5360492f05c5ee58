//! [`Effects`]: the actions that a session requests from its driver.

use std::time::Instant;

use super::disconnect::Disconnect;
use super::limits::Violation;
use super::received::{Control, RawMessage, ReceivedAnswer, ReceivedEvent};
use crate::wire::frame::EncodedFrame;

/// The driver's data of one socket.
pub(crate) trait InNamespace {
    /// Returns the path of the socket's namespace.
    fn namespace(&self) -> &str;
}

/// A new socket of the driver.
pub(crate) enum Opened<S> {
    /// The socket is accepted without a decision of the application.
    Accepted(S),
    /// The application decides. The driver reports the decision with
    /// [`accept`](super::Session::accept) or [`refuse`](super::Session::refuse).
    Undecided(S),
}

/// A fault of a client, to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It violated the protocol.
    Protocol,
    /// It let a deadline pass.
    Timeout,
}

/// The actions that a session requests from its driver. Each call takes effect at once.
pub(crate) trait Effects {
    type Socket: InNamespace;

    fn now(&self) -> Instant;

    /// Creates a socket in a namespace for a client that sent `auth`, a JSON text. Returns `None`
    /// if there is no such namespace.
    fn open(&mut self, namespace: &str, auth: &str) -> Option<Opened<Self::Socket>>;

    /// Creates the socket of a plain client that wants to resume a session. `message` is its first
    /// message. Returns `false` if that message is another one, which must be processed.
    fn resume(&mut self, message: &str) -> (Opened<Self::Socket>, bool);

    /// Confirms the connection to the client, sends messages queued until then, and runs `connect`.
    fn accept(&mut self, socket: &mut Self::Socket);

    /// Refuses the socket and drops its queued events. No `disconnect` event fires.
    fn refuse(&mut self, socket: &mut Self::Socket);

    /// Runs an event in order. An event with a violation is answered with an error instead.
    fn event(&mut self, socket: &mut Self::Socket, event: ReceivedEvent, violation: Option<Violation>);

    /// Runs the event of a raw message.
    fn message(&mut self, socket: &mut Self::Socket, message: RawMessage);

    /// Runs the event of a control frame, if it has a listener.
    fn control(&mut self, socket: &mut Self::Socket, control: &Control);

    /// Passes an acknowledgement to the request that waits for it. Returns `false` if no request
    /// ever had this id.
    fn answer(&mut self, socket: &mut Self::Socket, id: u64, answer: ReceivedAnswer) -> bool;

    /// Drops received events that wait for their handlers.
    fn drop_events(&mut self, socket: &mut Self::Socket);

    /// Notifies handlers that the connection is about to end.
    fn announce_end(&mut self, socket: &mut Self::Socket);

    /// Like [`announce_end`](Self::announce_end), and fails the requests that wait for an
    /// acknowledgement.
    fn abandon_requests(&mut self, socket: &mut Self::Socket);

    /// Ends an accepted socket. It accepts no more messages for the client, and leaves its
    /// namespace and its rooms at once. The events of the end run after those that run or wait.
    /// They include `close` if this server ended it `on_purpose`. The driver removes the socket
    /// when they have run.
    fn end(&mut self, socket: &mut Self::Socket, disconnect: &Disconnect, on_purpose: bool);

    /// Drops running handlers and queued events, except those of the end.
    fn abort(&mut self, socket: &mut Self::Socket);

    /// The connection begins to end. This is called once, unless the driver is dropped before.
    fn closing(&mut self, disconnect: &Disconnect);

    /// Counts a fault of the client.
    fn count(&mut self, fault: Fault);

    /// Polls the events of the end once and then drops them.
    fn abort_end(&mut self, socket: &mut Self::Socket);

    /// Queues a frame, even if the outbox is full.
    fn send(&mut self, frame: EncodedFrame);

    /// Writes a heartbeat ping after the frames that are being written.
    fn ping(&mut self, frame: &'static [u8]);

    /// Accepts no more messages for the client. Queued messages are still written.
    fn shut_queue(&mut self);

    /// Accepts no more messages for the client, and drops those that are queued.
    fn discard_queue(&mut self);

    /// Writes a close frame after the frames that are being written, unless one was written before.
    fn write_close(&mut self, code: u16, reason: &str);

    /// Closes the writing side of the stream.
    fn finish_writing(&mut self);

    /// Prepares the polling transport for a session that the client closed. Its POST will succeed,
    /// and its poll will get a noop packet when the transport closes. Returns whether a poll waits.
    fn release_poll(&mut self) -> bool;

    /// Closes the transport.
    fn close(&mut self);

    /// Closes the WebSocket of an upgrade that failed.
    fn close_probe(&mut self);
}
