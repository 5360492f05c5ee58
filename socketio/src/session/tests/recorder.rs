//! A driver that carries out nothing and remembers all.

use std::collections::VecDeque;
use std::time::Instant;

use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::session::limits::Violation;
use crate::session::received::{Control, RawMessage, ReceivedAnswer, ReceivedEvent};
use crate::session::{Effects, Fault, InNamespace, Opened};
use crate::wire::frame::EncodedFrame;

/// An event that fired for a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fired {
    Connect,
    /// The event with this number.
    Event(u32),
    Other,
    Close,
    Disconnecting,
    Disconnect(DisconnectReason),
}

/// A queued or running event.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) fired: Fired,
    /// The id under which the client expects an answer.
    pub(super) id: Option<u32>,
    pub(super) from_client: bool,
}

/// The driver's state of a socket, and the history of its events.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) namespace: String,
    pub(super) accepted: bool,
    pub(super) refused: bool,
    /// How the socket ended, and whether on purpose.
    pub(super) end: Option<(Disconnect, bool)>,
    /// The number of events that had started when the socket ended.
    pub(super) started_before_end: usize,
    pub(super) queue: VecDeque<Waiting>,
    pub(super) running: Option<Waiting>,
    pub(super) finished: bool,
    pub(super) fired: Vec<Fired>,
}

impl Model {
    pub(super) fn is_present(&self) -> bool {
        !self.refused && self.end.is_none()
    }

    /// Ends the running event and starts the next one.
    pub(super) fn step(&mut self, answered: &mut Vec<u32>) {
        if !self.accepted && !self.refused {
            return;
        }
        if let Some(event) = self.running.take() {
            answered.extend(event.id);
        }
        match self.queue.pop_front() {
            Some(event) => {
                self.fired.push(event.fired.clone());
                self.running = Some(event);
            }
            None => self.finish(),
        }
    }

    /// Runs the events of the end.
    fn finish(&mut self) {
        if let (Some((disconnect, on_purpose)), false) = (&self.end, self.finished) {
            self.fired.extend(on_purpose.then_some(Fired::Close));
            self.fired.extend([Fired::Disconnecting, Fired::Disconnect(disconnect.reason())]);
        }
        self.finished = self.end.is_some() || self.refused;
    }

    fn drop_queued(&mut self, answered: &mut Vec<u32>) {
        answered.extend(self.queue.iter().filter_map(|event| event.id));
        self.queue.retain(|event| !event.from_client);
    }
}

/// The session's key of a socket: its index in the recorder.
pub(super) struct Key {
    pub(super) at: usize,
    pub(super) namespace: String,
}

impl InNamespace for Key {
    fn namespace(&self) -> &str {
        &self.namespace
    }
}

/// A driver that carries out nothing and remembers all.
pub(super) struct Recorder {
    pub(super) now: Instant,
    pub(super) sockets: Vec<Model>,
    /// The number of events and messages passed to the driver.
    pub(super) delivered: usize,
    /// The ids of events that expect an answer, and of answers.
    pub(super) asked: Vec<u32>,
    pub(super) answered: Vec<u32>,
    /// Whether the application decides about sockets.
    pub(super) decides: bool,
    pub(super) is_polled: bool,
    /// How often the connection began to close.
    pub(super) closings: usize,
    pub(super) is_shut: bool,
    pub(super) is_discarded: bool,
    pub(super) close_frame: Option<u16>,
    pub(super) closed: bool,
}

impl Recorder {
    fn model(&mut self, key: &Key) -> &mut Model {
        &mut self.sockets[key.at]
    }

    fn submit(&mut self, key: &Key, fired: Fired, id: Option<u32>) {
        let model = &mut self.sockets[key.at];
        assert!(model.is_present(), "no input reaches a socket that has ended");
        self.delivered += 1;
        model.queue.push_back(Waiting { fired, id, from_client: true });
    }

    pub(super) fn add(&mut self, namespace: &str) -> Opened<Key> {
        self.sockets.push(Model { namespace: namespace.to_owned(), ..Model::default() });
        let key = Key { at: self.sockets.len() - 1, namespace: namespace.to_owned() };
        if self.decides { Opened::Undecided(key) } else { Opened::Accepted(key) }
    }
}

impl Effects for Recorder {
    type Socket = Key;

    fn now(&self) -> Instant {
        self.now
    }

    fn open(&mut self, namespace: &str, auth: &str) -> Option<Opened<Key>> {
        assert_eq!(auth, "{}");
        (namespace != "/unknown").then(|| self.add(namespace))
    }

    fn resume(&mut self, _message: &str) -> (Opened<Key>, bool) {
        unreachable!("no session of these tests resumes");
    }

    fn accept(&mut self, key: &mut Key) {
        let model = self.model(key);
        assert!(!model.accepted && !model.refused && model.end.is_none());
        model.accepted = true;
        model.queue.push_front(Waiting { fired: Fired::Connect, id: None, from_client: false });
    }

    fn refuse(&mut self, key: &mut Key) {
        let model = &mut self.sockets[key.at];
        assert!(!model.accepted && !model.refused && model.end.is_none());
        model.refused = true;
        model.drop_queued(&mut self.answered);
        model.finished = true;
    }

    fn event(&mut self, key: &mut Key, event: ReceivedEvent, violation: Option<Violation>) {
        let id = event.id().map(|id| id.parse().expect("ids are numbers"));
        self.asked.extend(id);
        match violation {
            None => {
                let number = event.name().strip_prefix('e').and_then(|number| number.parse().ok());
                self.submit(key, Fired::Event(number.expect("names are numbers")), id);
            }
            Some(_) => {
                assert!(self.model(key).is_present());
                self.answered.extend(id);
            }
        }
    }

    fn message(&mut self, key: &mut Key, _: RawMessage) {
        self.submit(key, Fired::Other, None);
    }

    fn control(&mut self, key: &mut Key, _: &Control) {
        assert!(self.model(key).is_present());
        self.submit(key, Fired::Other, None);
    }

    fn answer(&mut self, key: &mut Key, id: u64, _: ReceivedAnswer) -> bool {
        assert!(self.model(key).is_present());
        id < 10
    }

    fn drop_events(&mut self, key: &mut Key) {
        let Self { sockets, answered, .. } = self;
        sockets[key.at].drop_queued(answered);
    }

    fn announce_end(&mut self, _: &mut Key) {}

    fn abandon_requests(&mut self, key: &mut Key) {
        assert!(!self.model(key).accepted);
    }

    fn end(&mut self, key: &mut Key, disconnect: &Disconnect, on_purpose: bool) {
        let model = self.model(key);
        assert!(model.accepted && model.end.is_none(), "only an accepted socket ends, and only once");
        model.end = Some((disconnect.clone(), on_purpose));
        model.started_before_end = model.fired.len();
    }

    fn abort(&mut self, key: &mut Key) {
        let Self { sockets, answered, .. } = self;
        let model = &mut sockets[key.at];
        answered.extend(model.queue.drain(..).chain(model.running.take()).filter_map(|event| event.id));
    }

    fn abort_end(&mut self, key: &mut Key) {
        let model = self.model(key);
        if !model.finished {
            model.finish();
        }
        assert!(model.finished, "all sockets have ended by the deadline for handlers");
    }

    fn send(&mut self, _: EncodedFrame) {
        assert!(
            self.is_discarded || (self.close_frame.is_none() && !self.closed),
            "no frame is sent after the close frame"
        );
    }

    fn ping(&mut self, _: &'static [u8]) {
        assert!(!self.is_shut && self.close_frame.is_none() && !self.closed);
    }

    fn shut_queue(&mut self) {
        self.is_shut = true;
    }

    fn discard_queue(&mut self) {
        self.is_shut = true;
        self.is_discarded = true;
    }

    fn closing(&mut self, _: &Disconnect) {
        self.closings += 1;
    }

    fn count(&mut self, _: Fault) {}

    fn write_close(&mut self, code: u16, _: &str) {
        assert!(self.close_frame.is_none() && !self.closed, "only one close frame is sent");
        self.close_frame = Some(code);
    }

    fn finish_writing(&mut self) {
        assert!(self.close_frame.is_some() && !self.closed);
    }

    fn release_poll(&mut self) -> bool {
        self.is_polled
    }

    fn close(&mut self) {
        assert!(!self.closed, "the transport is closed once");
        self.closed = true;
    }

    fn close_probe(&mut self) {}
}
