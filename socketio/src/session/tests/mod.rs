//! Property tests: apply random steps to a session, and check the guarantees of the guide's page on
//! delivery.

mod attachments;
mod ends;
mod incomplete;
mod recorder;
mod split;
mod step;

use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::disconnect::{Disconnect, DisconnectReason};
use super::end::End;
use super::engineio::Flavour;
use super::limits::{Bounds, Limits};
use super::upgrade::ProbeAction;
use super::{Inbox, Protocol, Reading, Session};
use crate::wire::encoding::Encoding;
use crate::wire::socketio::ConnectError;
use recorder::{Fired, Key, Model, Recorder};
use split::SplitParser;
use step::{NAMESPACES, Step, step};

const MILLISECOND: Duration = Duration::from_millis(1);

fn limits() -> Arc<Limits> {
    Arc::new(Limits {
        max_payload: 1_000,
        max_namespaces: 3,
        max_attachments: 2,
        max_event_name: 20,
        max_depth: 4,
        inbox: Bounds { messages: 4, bytes: 500 },
        ping_interval: 25 * MILLISECOND,
        ping_timeout: 20 * MILLISECOND,
        connect_timeout: 10 * MILLISECOND,
        message_timeout: 15 * MILLISECOND,
        join_timeout: 45 * MILLISECOND,
        upgrade_timeout: 10 * MILLISECOND,
        close_timeout: 5 * MILLISECOND,
        pause_timeout: 60 * MILLISECOND,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientProtocol {
    Plain,
    Engine,
    SocketIo,
    /// Socket.IO with a custom parser.
    Parsed,
}

impl ClientProtocol {
    fn has_namespaces(self) -> bool {
        matches!(self, Self::SocketIo | Self::Parsed)
    }
}

struct Harness {
    client: ClientProtocol,
    session: Session<Key>,
    driver: Recorder,
    /// The number of the next event.
    next: u32,
    has_probe: bool,
}

impl Harness {
    fn new(client: ClientProtocol, polls: bool, decides: bool) -> Self {
        let now = Instant::now();
        let protocol = match client {
            ClientProtocol::Plain => Protocol::Plain { envelopes: true, resumes: false },
            ClientProtocol::Engine => Protocol::engine_io(Flavour::Bare, &Encoding::Engine),
            ClientProtocol::SocketIo => Protocol::engine_io(Flavour::SocketIo, &Encoding::SocketIo),
            ClientProtocol::Parsed => Protocol::engine_io(Flavour::SocketIo, &Encoding::Parsed(Arc::new(SplitParser))),
        };
        let polls = polls && client != ClientProtocol::Plain;
        let mut driver = Recorder {
            now,
            sockets: Vec::new(),
            delivered: 0,
            asked: Vec::new(),
            answered: Vec::new(),
            decides,
            is_polled: false,
            closings: 0,
            is_shut: false,
            is_discarded: false,
            close_frame: None,
            closed: false,
        };
        let mut session = Session::new(protocol, polls, limits(), now);
        if !client.has_namespaces() {
            let opened = driver.add("/");
            session.add(opened, &mut driver);
        }
        Self { client, session, driver, next: 0, has_probe: false }
    }

    /// Passes a message to the session, like a driver that has read it.
    fn receive(&mut self, message: Message) {
        if self.session.reading() == Reading::Messages {
            self.session.receive(message, &mut self.driver);
        }
    }

    fn text(&mut self, text: &str) {
        self.receive(Message::text(text.to_owned()));
    }

    /// Whether an event in this namespace must be passed to the driver.
    fn is_delivered(&self, namespace: &str) -> bool {
        self.session.is_open()
            && self.driver.sockets.iter().any(|model| model.is_present() && model.namespace == namespace)
    }

    fn event(&mut self, namespace: usize, wants_answer: bool) {
        let (namespace, number) = (NAMESPACES[namespace], self.next);
        self.next += 1;
        let is_delivered = self.is_delivered(if self.client.has_namespaces() { namespace } else { "/" });
        let (delivered_before, asked_before) = (self.driver.delivered, self.driver.asked.len());
        match self.client {
            ClientProtocol::Plain if wants_answer => self.text(&format!(r#"{{"event":"e{number}","id":{number}}}"#)),
            ClientProtocol::Plain => self.text(&format!(r#"{{"event":"e{number}"}}"#)),
            ClientProtocol::Engine => self.text(&format!("4{number}")),
            ClientProtocol::SocketIo | ClientProtocol::Parsed => {
                let id = if wants_answer { number.to_string() } else { String::new() };
                self.text(&format!(r#"42{namespace},{id}["e{number}"]"#));
            }
        }
        let expects_answer = wants_answer && is_delivered && self.client != ClientProtocol::Engine;
        assert_eq!(self.driver.delivered - delivered_before, usize::from(is_delivered), "each event is delivered once");
        assert_eq!(self.driver.asked.len() - asked_before, usize::from(expects_answer));
    }

    /// Returns the session's index of a socket of the recorder.
    fn position(&self, socket: usize) -> Option<usize> {
        self.session.sockets().position(|key| key.at == socket)
    }

    /// Whether a well-behaved client would send the packet in this state. Other packets would end
    /// most connections at once.
    fn is_expected(&self, step: &Step) -> bool {
        let has = |namespace: usize| self.session.sockets().any(|key| key.namespace == NAMESPACES[namespace]);
        match *step {
            _ if !self.client.has_namespaces() => true,
            Step::Event { namespace, .. }
            | Step::BadEvent { namespace, .. }
            | Step::Attachment { namespace }
            | Step::Answer { namespace, .. }
            | Step::Leave { namespace } => has(namespace),
            Step::Connect { namespace } => !self.is_delivered(NAMESPACES[namespace]),
            _ => true,
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Unchecked(step) => return self.apply(*step),
            Step::Event { namespace, wants_answer } => self.event(namespace, wants_answer),
            Step::BadEvent { namespace, text } => match self.client {
                ClientProtocol::Plain => self.text(r#"{"event":"connect"}"#),
                ClientProtocol::Engine => self.text("4"),
                ClientProtocol::SocketIo | ClientProtocol::Parsed => {
                    self.text(&format!("42{},{text}", NAMESPACES[namespace]));
                }
            },
            Step::Attachment { namespace } if self.client.has_namespaces() => {
                let (namespace, number) = (NAMESPACES[namespace], self.next);
                self.next += 1;
                self.text(&format!(r#"451-{namespace},["e{number}",{{"_placeholder":true,"num":0}}]"#));
                self.receive(Message::binary(vec![1, 2, 3]));
            }
            Step::Attachment { .. } | Step::Binary => self.receive(Message::binary(vec![1, 2, 3])),
            Step::Answer { namespace, id } => match self.client {
                ClientProtocol::SocketIo | ClientProtocol::Parsed => {
                    self.text(&format!("43{},{id}[1]", NAMESPACES[namespace]));
                }
                _ => self.text(&format!(r#"{{"id":{id},"data":1}}"#)),
            },
            Step::Connect { namespace } if self.client.has_namespaces() => {
                self.text(&format!("40{},", NAMESPACES[namespace]));
            }
            Step::Leave { namespace } if self.client.has_namespaces() => {
                self.text(&format!("41{},", NAMESPACES[namespace]));
            }
            Step::Connect { .. } | Step::Leave { .. } => {}
            Step::Text(text) => self.text(text),
            Step::HalfPacket => {
                self.text(r#"451-["e1"]"#);
                self.text(r#"42["e1"]"#);
                assert!(!self.client.has_namespaces() || !self.session.is_open());
            }
            Step::Ping => self.receive(Message::Ping(vec![1].into())),
            Step::CloseFrame(code) => {
                let frame = code.map(|code| CloseFrame { code: code.into(), reason: "bye".into() });
                if !self.session.upgrade.polls() {
                    self.receive(Message::Close(frame));
                }
            }
            Step::Decide { socket, accept } => {
                if let Some(at) = self.position(socket) {
                    if accept {
                        self.session.accept(at, &mut self.driver);
                    } else {
                        let error = ConnectError { message: "no", data: None };
                        self.session.refuse(at, &error, &mut self.driver);
                    }
                }
            }
            Step::Handled { socket } => self.finish_handler(socket),
            Step::Close => {
                let end = End::on_purpose(DisconnectReason::ServerClose, 1000, String::new());
                self.session.end(end, &mut self.driver);
            }
            Step::Overflow => self.session.end(End::overflow(), &mut self.driver),
            Step::Disconnect { socket } => {
                if let (Some(at), true) = (self.position(socket), self.client.has_namespaces()) {
                    let disconnect = Disconnect::new(DisconnectReason::ServerDisconnect);
                    self.session.leave(at, &disconnect, &mut self.driver);
                }
            }
            Step::Shutdown { after } => {
                let until = self.driver.now + Duration::from_millis(after);
                self.session.end(End::shutdown(until), &mut self.driver);
            }
            Step::Drain { after } => {
                let until = self.driver.now + Duration::from_millis(after);
                self.session.end(End::drain(until), &mut self.driver);
            }
            Step::Time(milliseconds) => {
                self.driver.now += Duration::from_millis(milliseconds);
                self.run_deadlines();
            }
            Step::Deadline => {
                if let Some(deadline) = self.session.deadline() {
                    self.driver.now = self.driver.now.max(deadline);
                }
                self.run_deadlines();
            }
            Step::Written => while !self.session.is_closed() && self.session.on_written(&mut self.driver) {},
            Step::Broken { code } => {
                if self.session.reading() == Reading::Discard {
                    self.session.on_input_closed(&mut self.driver);
                } else if !self.session.is_closed() {
                    let cause = Disconnect::new(DisconnectReason::TransportError);
                    let cause = code.map_or_else(|| cause.clone(), |code| cause.clone().with_code(code));
                    self.session.on_error(cause, &mut self.driver);
                }
            }
            Step::Polled(is_polled) => self.driver.is_polled = is_polled,
            Step::Probe => self.has_probe |= self.session.probe(self.driver.now),
            Step::ProbeText(text) => {
                if self.session.is_probing() {
                    assert!(self.has_probe);
                    if self.session.receive_probe(&Message::text(text)) == ProbeAction::Invalid {
                        self.session.cancel_probe(&mut self.driver);
                    }
                }
            }
            Step::Upgrade => {
                if self.session.upgrade(true) {
                    assert!(!self.session.upgrade.polls());
                }
            }
            Step::Decides(decides) => self.driver.decides = decides,
        }
        self.run_round();
    }

    /// Ends the running handler of a socket, and starts the next one.
    fn finish_handler(&mut self, socket: usize) {
        let Recorder { sockets, answered, .. } = &mut self.driver;
        if let Some(model) = sockets.get_mut(socket) {
            model.step(answered);
        }
    }

    /// Handles passed deadlines. Fails if a deadline stays in the past.
    fn run_deadlines(&mut self) {
        for _ in 0..10 {
            if self.session.deadline().is_none_or(|deadline| deadline > self.driver.now) {
                return;
            }
            self.session.on_deadline(self.driver.now, &mut self.driver);
        }
        panic!("a passed deadline remains after it was handled");
    }

    /// Performs the actions of a driver in each iteration, and checks the invariants.
    fn run_round(&mut self) {
        let is_idle =
            |model: &Model| (model.accepted || model.refused) && model.queue.is_empty() && model.running.is_none();
        let is_drained = self.session.sockets().all(|key| is_idle(&self.driver.sockets[key.at]));
        if self.session.is_draining() && is_drained {
            self.session.on_drained(&mut self.driver);
        }
        let mut at = 0;
        while let Some(key) = self.session.socket_mut(at) {
            let model = &self.driver.sockets[key.at];
            if self.session.is_open() && model.finished {
                let (_, disconnect) = self.session.remove(at);
                assert_eq!(disconnect, model.end.as_ref().map(|(disconnect, _)| disconnect.clone()));
            } else {
                at += 1;
            }
        }
        let events = self.session.sockets().map(|key| self.driver.sockets[key.at].queue.len()).sum();
        self.session.may_read(&Inbox { events, bytes: 0, overhead: 1, awaits_answer: false });
        assert_eq!(self.session.is_closed(), self.driver.closed);
        assert_eq!(self.driver.closings, usize::from(!self.session.is_open()), "a connection closes once");
        assert!(
            self.session.is_open() || self.driver.is_shut,
            "the outbox accepts no messages once the connection closes"
        );
        if self.session.is_closed() {
            assert_eq!(self.session.reading(), Reading::Nothing);
        }
    }

    /// Lets only time pass until the connection is closed. The client sends nothing, and the
    /// application decides nothing. Handlers return, because the connection waits for them.
    fn run_to_close(&mut self) {
        for _ in 0..30 {
            if self.session.is_closed() {
                break;
            }
            let deadline = self.session.deadline().expect("every state before the last one has a deadline");
            self.driver.now = self.driver.now.max(deadline);
            self.run_deadlines();
            (0..self.driver.sockets.len()).for_each(|socket| self.finish_handler(socket));
            self.run_round();
        }
        assert!(self.session.is_closed(), "the connection closes in bounded time");
        // The timeout of the connect handler passes too.
        self.apply(Step::Time(100));
        for socket in 0..self.driver.sockets.len() {
            for _ in 0..1_000 {
                self.finish_handler(socket);
            }
        }
    }

    /// Checks the guarantees for a connection that has ended.
    fn check(&self) {
        for model in &self.driver.sockets {
            assert!(model.finished && model.accepted != model.refused, "{model:?}");
            let disconnects = model.fired.iter().filter(|fired| matches!(fired, Fired::Disconnect(_))).count();
            let connects = model.fired.iter().filter(|fired| **fired == Fired::Connect).count();
            if model.refused {
                assert_eq!(model.fired, [], "no event fires for a refused socket");
                continue;
            }
            let (disconnect, on_purpose) = model.end.as_ref().expect("the socket has ended");
            // A shutdown can abort the listeners of `connect`.
            assert!(connects <= 1 && (connects == 0 || model.fired[0] == Fired::Connect), "{model:?}");
            assert_eq!(disconnects, 1, "{model:?}");
            assert_eq!(model.fired.last(), Some(&Fired::Disconnect(disconnect.reason())));
            assert_eq!(model.fired.contains(&Fired::Close), *on_purpose);
            let queue_is_handled = match disconnect.reason() {
                DisconnectReason::TransportError => disconnect.code().is_none(),
                reason => matches!(reason, DisconnectReason::TransportClose | DisconnectReason::ClientDisconnect),
            };
            let later = &model.fired[model.started_before_end..];
            let from_client = |fired: &Fired| matches!(fired, Fired::Event(_) | Fired::Other);
            assert!(queue_is_handled || !later.iter().any(from_client), "queued events are dropped: {model:?}");
            let numbers: Vec<_> = model
                .fired
                .iter()
                .filter_map(|fired| if let Fired::Event(number) = fired { Some(*number) } else { None })
                .collect();
            assert!(numbers.is_sorted(), "events run in the order received: {numbers:?}");
        }
        let (mut asked, mut answered) = (self.driver.asked.clone(), self.driver.answered.clone());
        asked.sort_unstable();
        answered.sort_unstable();
        assert_eq!(asked, answered, "each event with an id is answered once");
    }
}

fn client() -> impl Strategy<Value = ClientProtocol> {
    prop::sample::select(
        &[
            ClientProtocol::Plain,
            ClientProtocol::Engine,
            ClientProtocol::SocketIo,
            ClientProtocol::SocketIo,
            ClientProtocol::Parsed,
        ][..],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_sequence_of_steps_keeps_the_invariants(
        client in client(),
        polls in any::<bool>(),
        decides in any::<bool>(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut harness = Harness::new(client, polls, decides);
        for step in steps {
            if harness.is_expected(&step) {
                harness.apply(step);
            }
        }
        harness.run_to_close();
        harness.check();
    }
}
