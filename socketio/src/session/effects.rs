//! [`Effects`]: what a session asks of its driver.

use std::time::Instant;

use super::disconnect::Disconnect;
use super::event::{Control, RawMessage, ReceivedAnswer, ReceivedEvent};
use super::limits::Violation;
use crate::wire::frame::EncodedFrame;

/// What the driver keeps for a socket.
pub(crate) trait InNamespace {
    /// The path of the socket's namespace.
    fn namespace(&self) -> &str;
}

/// A socket that a driver has made.
pub(crate) enum Opened<S> {
    /// Nobody decides about it.
    Accepted(S),
    /// The application decides. The driver reports it with [`accept`](super::Session::accept) or
    /// [`refuse`](super::Session::refuse).
    Undecided(S),
}

/// What a session asks of its driver. Each call is carried out at once, in the order of the calls.
pub(crate) trait Effects {
    type Socket: InNamespace;

    fn now(&self) -> Instant;

    /// Makes a socket in a namespace for a client that sent `auth`, a JSON text. `None`: there is
    /// no such namespace.
    fn open(&mut self, namespace: &str, auth: &str) -> Option<Opened<Self::Socket>>;

    /// The client is connected: tells it, sends what waited for that, and runs `connect`.
    fn accept(&mut self, socket: &mut Self::Socket);

    /// The client is not accepted: drops whatever was to run. No event tells of the socket's end.
    fn refuse(&mut self, socket: &mut Self::Socket);

    /// Runs an event, in order, or answers it with what is wrong with it.
    fn event(&mut self, socket: &mut Self::Socket, event: ReceivedEvent, violation: Option<Violation>);

    /// Runs the event of a message that is no event by name.
    fn message(&mut self, socket: &mut Self::Socket, message: RawMessage);

    /// Runs the event of a control frame, if anybody listens.
    fn control(&mut self, socket: &mut Self::Socket, control: &Control);

    /// Hands an answer to whoever waits for it. `false`: nobody has asked under this id, ever.
    fn answer(&mut self, socket: &mut Self::Socket, id: u64, answer: ReceivedAnswer) -> bool;

    /// Drops the events of the client that wait for their handlers.
    fn drop_events(&mut self, socket: &mut Self::Socket);

    /// Lets handlers know that the connection is about to end.
    fn announce_end(&mut self, socket: &mut Self::Socket);

    /// Does the same, and fails the requests that wait for an answer of the client.
    fn abandon_requests(&mut self, socket: &mut Self::Socket);

    /// Takes no more messages for an accepted socket, and runs the events of its end behind those
    /// that run or wait: with `close`, if this server ended it `on_purpose`. The driver removes the
    /// socket when they have run.
    fn end(&mut self, socket: &mut Self::Socket, disconnect: &Disconnect, on_purpose: bool);

    /// Drops the handlers that run or wait, except those of the end.
    fn abort(&mut self, socket: &mut Self::Socket);

    /// Runs the events of the end as far as they get without waiting, and drops them.
    fn abort_end(&mut self, socket: &mut Self::Socket);

    /// Queues a frame, room or not.
    fn send(&mut self, frame: EncodedFrame);

    /// Writes a frame that asks the client for a sign of life, behind what is being written.
    fn ping(&mut self, frame: &'static [u8]);

    /// Takes no more messages for the client. Those that are queued still go out.
    fn shut_queue(&mut self);

    /// Takes no more messages for the client, and drops those that are queued.
    fn discard_queue(&mut self);

    /// Writes a close frame behind what is being written, unless there was one.
    fn write_close(&mut self, code: u16, reason: &str);

    /// Ends the writing side of the stream.
    fn finish_writing(&mut self);

    /// The client has closed the session: its POST is answered and its poll is told no reason when
    /// the transport ends. Whether a poll waits.
    fn release_poll(&mut self) -> bool;

    /// Ends the transport.
    fn close(&mut self);

    /// Closes the WebSocket that the client tries.
    fn close_probe(&mut self);
}
