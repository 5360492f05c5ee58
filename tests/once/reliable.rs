//! Reliable events of clients whose connection is cut.

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use socketio::testing::settle;
use socketio::{
    Delivery, DeliveryError, EmitError, EventError, Hub, HubBuilder, Recovery, Socket, State, event, events,
};
use socketio_tests::cut::Line;
use socketio_tests::{Log, Seen, log};
use std::time::Duration;
use tokio::time::advance;

const INTERVAL: Duration = Duration::from_secs(5);
const DISCONNECTION: Duration = Duration::from_secs(120);

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    if error.code() == "undelivered" {
        log.note(format_args!("undelivered {}: {error}", error.event().unwrap_or_default()));
    }
}

fn server(change: impl FnOnce(HubBuilder) -> HubBuilder) -> (Hub, Router, Seen) {
    let (log, seen) = log();
    let builder = Hub::builder().state(log).events(events![error]).recovery(Recovery::new());
    let hub = change(builder).build().expect("a hub");
    let app = Router::new().route("/ws", get(hub.websocket())).merge(hub.socketio());
    (hub, app, seen)
}

/// The two kinds of clients that can resume.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    SocketIo,
}

const KINDS: [Kind; 2] = [Kind::Plain, Kind::SocketIo];

/// A client that comes back with its token, over a line that can be cut.
struct Client {
    kind: Kind,
    line: Option<Line>,
    token: Option<String>,
    offset: Option<String>,
    recovered: bool,
}

/// An event: its arguments, the id of the delivery, and that of the ack. Other events have no ids.
#[derive(Clone, Debug, PartialEq)]
struct Received {
    args: Vec<Value>,
    ids: Option<(String, u64)>,
}

impl Received {
    fn delivery(&self) -> &str {
        &self.ids.as_ref().expect("a reliable event").0
    }
}

impl Client {
    fn new(kind: Kind) -> Self {
        Self { kind, line: None, token: None, offset: None, recovered: false }
    }

    /// Connects, and returns the events that arrive with the connection.
    async fn connect(&mut self, app: &Router) -> Vec<Received> {
        let line = match (self.kind, &self.token) {
            (Kind::SocketIo, token) => {
                let mut line = Line::open_at(app, "/socket.io/?EIO=4&transport=websocket").await;
                let auth = match token {
                    Some(token) => json!({ "pid": token, "offset": self.offset }),
                    None => json!({}),
                };
                line.send(&format!("40{auth}")).await;
                line
            }
            (Kind::Plain, None) => Line::open_at(app, "/ws?resume=1").await,
            (Kind::Plain, Some(token)) => {
                let mut line = Line::open_at(app, "/ws?resume=token").await;
                line.send(&json!({ "resume": { "token": token, "offset": self.offset } }).to_string()).await;
                line
            }
        };
        self.line = Some(line);
        self.receive().await
    }

    /// The events that have arrived.
    async fn receive(&mut self) -> Vec<Received> {
        settle().await;
        let mut line = self.line.take().expect("it is connected");
        loop {
            tokio::select! {
                biased;
                count = line.read(4_096) => if count == 0 { break },
                () = tokio::task::yield_now() => break,
            }
        }
        let mut events = Vec::new();
        while let Some(text) = line.next_text() {
            match self.kind {
                Kind::Plain => events.extend(self.envelope(&text)),
                Kind::SocketIo => events.extend(self.packet(&text)),
            }
        }
        self.line = Some(line);
        events
    }

    fn envelope(&mut self, text: &str) -> Option<Received> {
        let message: Value = serde_json::from_str(text).ok()?;
        if message["event"] == "session" {
            self.token = message["data"]["token"].as_str().map(str::to_owned);
            self.recovered = message["data"]["recovered"] == true;
            return None;
        }
        let offset = message["offset"].as_str().map(str::to_owned);
        // A reliable event has no offset.
        assert!(offset.is_none() || message.get("delivery").is_none(), "{message}");
        self.offset = offset.or(self.offset.take());
        let ids = message["delivery"].as_str().map(|id| (id.to_owned(), message["id"].as_u64().expect("an ack")));
        Some(Received { args: vec![message["data"].clone()], ids })
    }

    fn packet(&mut self, text: &str) -> Option<Received> {
        if let Some(connected) = text.strip_prefix("40") {
            let told: Value = serde_json::from_str(connected).expect("JSON");
            let pid = told["pid"].as_str().map(str::to_owned);
            self.recovered = pid.is_some() && self.token == pid;
            self.token = pid;
            return None;
        }
        let event = text.strip_prefix("42")?;
        let start = event.find('[').expect("arguments");
        let mut args: Vec<Value> = serde_json::from_str(&event[start..]).expect("JSON");
        let last = args.pop().and_then(|last| last.as_str().map(str::to_owned));
        let ack = event[..start].parse().ok();
        args.remove(0);
        match ack {
            Some(ack) => Some(Received { args, ids: Some((last.expect("an id"), ack)) }),
            None => {
                self.offset = last;
                Some(Received { args, ids: None })
            }
        }
    }

    async fn ack(&mut self, event: &Received) {
        let (_, ack) = event.ids.as_ref().expect("a reliable event");
        let text = match self.kind {
            Kind::Plain => json!({ "id": ack }).to_string(),
            Kind::SocketIo => format!("43{ack}[]"),
        };
        self.line.as_mut().expect("it is connected").send(&text).await;
        settle().await;
    }

    async fn cut(&mut self) {
        self.line = None;
        settle().await;
    }
}

fn emit(socket: &Socket, number: u64) -> Delivery {
    socket.reliable().emit(("order", number)).expect("queued")
}

fn numbers(events: &[Received]) -> Vec<u64> {
    events.iter().map(|event| event.args[0].as_u64().expect("a number")).collect()
}

#[tokio::test(start_paused = true)]
async fn events_without_an_ack_are_sent_again_when_the_session_is_resumed() {
    for kind in KINDS {
        let (hub, app, mut seen) = server(|builder| builder);
        let mut client = Client::new(kind);
        client.connect(&app).await;
        let socket = hub.sockets().remove(0);
        let (first, second) = (emit(&socket, 1), emit(&socket, 2));
        let events = client.receive().await;
        assert_eq!(numbers(&events), [1, 2]);
        client.ack(&events[0]).await;
        first.await.expect("acked");
        client.cut().await;
        // While the client is cut off, more events are emitted to it, by its old socket and by id.
        let third = emit(&socket, 3);
        let fourth = hub.reliable_to(socket.id()).emit(("order", 4)).expect("it is kept");
        hub.emit_to(socket.id(), ("order", 0)).expect("it is kept");
        let again = client.connect(&app).await;
        assert!(client.recovered);
        assert_eq!(numbers(&again), [0, 2, 3, 4], "{kind:?}");
        assert_eq!(again[1], events[1]);
        let ids = [&second, &third, &fourth].map(|delivery| delivery.id().to_string());
        assert_eq!(again[1..].iter().map(Received::delivery).collect::<Vec<_>>(), ids);
        // What is emitted now follows.
        let fifth = emit(&hub.sockets()[0], 5);
        let sixth = emit(&socket, 6);
        let last = client.receive().await;
        assert_eq!(numbers(&last), [5, 6]);
        for event in again[1..].iter().chain(&last) {
            client.ack(event).await;
        }
        for delivery in [second, third, fourth, fifth, sixth] {
            delivery.await.expect("acked");
        }
        advance(INTERVAL * 100).await;
        assert_eq!(client.receive().await, []);
        assert_eq!((hub.stats().repeated, hub.stats().undelivered), (0, 0));
        seen.expect_nothing();
    }
}

#[tokio::test(start_paused = true)]
async fn an_ack_for_an_earlier_connection_counts() {
    for kind in KINDS {
        let (hub, app, _seen) = server(|builder| builder);
        let mut client = Client::new(kind);
        client.connect(&app).await;
        let delivery = emit(&hub.sockets()[0], 1);
        let [event] = client.receive().await.try_into().expect("one event");
        client.cut().await;
        assert_eq!(client.connect(&app).await, std::slice::from_ref(&event));
        client.ack(&event).await;
        delivery.await.expect("acked");
    }
}

#[tokio::test(start_paused = true)]
async fn events_survive_any_number_of_cuts_and_what_was_not_kept_is_not_kept() {
    for kind in KINDS {
        let (hub, app, _seen) = server(|builder| builder);
        let mut client = Client::new(kind);
        client.connect(&app).await;
        let socket = hub.sockets().remove(0);
        // The client is cut off before anything was emitted.
        client.cut().await;
        let mut deliveries = Vec::new();
        for number in 0..10 {
            deliveries.push(match number % 2 {
                0 => hub.reliable_to(socket.id()).emit(("order", number)).expect("it is kept"),
                _ => emit(&hub.sockets()[0], number),
            });
            if number % 2 == 0 {
                let events = client.connect(&app).await;
                assert!(client.recovered);
                assert_eq!(numbers(&events), (0..=number).collect::<Vec<_>>());
            } else {
                client.cut().await;
            }
        }
        for event in client.connect(&app).await {
            client.ack(&event).await;
        }
        for delivery in deliveries {
            delivery.await.expect("acked");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn repetitions_begin_anew_after_the_session_is_resumed() {
    let (hub, app, _seen) = server(|builder| builder);
    let mut client = Client::new(Kind::SocketIo);
    client.connect(&app).await;
    let delivery = emit(&hub.sockets()[0], 1);
    let [event] = client.receive().await.try_into().expect("one event");
    for wait in [1, 2] {
        advance(INTERVAL * wait - Duration::from_secs(1)).await;
        assert_eq!(client.receive().await, []);
        advance(Duration::from_secs(1)).await;
        assert_eq!(client.receive().await, std::slice::from_ref(&event));
    }
    client.cut().await;
    advance(INTERVAL * 4).await;
    assert_eq!(client.connect(&app).await, std::slice::from_ref(&event));
    advance(INTERVAL + Duration::from_millis(1)).await;
    assert_eq!(client.receive().await, std::slice::from_ref(&event));
    assert_eq!(hub.stats().repeated, 3);
    client.ack(&event).await;
    delivery.await.expect("acked");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_fails_when_the_session_is_not_resumed() {
    for kind in KINDS {
        let (hub, app, mut seen) = server(|builder| builder);
        let mut client = Client::new(kind);
        client.connect(&app).await;
        let socket = hub.sockets().remove(0);
        let delivery = emit(&socket, 1);
        client.cut().await;
        let kept = emit(&socket, 2);
        advance(DISCONNECTION * 2).await;
        for delivery in [delivery, kept] {
            let failed = delivery.await;
            assert!(matches!(failed, Err(DeliveryError::Expired)), "{failed:?}");
        }
        assert!(matches!(socket.reliable().emit(("order", 3)), Err(EmitError::Closed)));
        assert!(matches!(hub.reliable_to(socket.id()).emit(("order", 3)), Err(EmitError::NotFound(_))));
        assert_eq!(hub.stats().undelivered, 2);
        client.connect(&app).await;
        assert!(!client.recovered);
        seen.expect_nothing();
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_runs_while_the_client_is_cut_off() {
    let (hub, app, _seen) = server(|builder| builder.reliable_timeout(Duration::from_secs(30)));
    let mut client = Client::new(Kind::SocketIo);
    client.connect(&app).await;
    let socket = hub.sockets().remove(0);
    let delivery = emit(&socket, 1);
    let patient = socket.reliable().timeout(DISCONNECTION).emit(("order", 2)).expect("queued");
    client.cut().await;
    advance(Duration::from_secs(31)).await;
    let failed = delivery.await;
    assert!(matches!(failed, Err(DeliveryError::Timeout)), "{failed:?}");
    let events = client.connect(&app).await;
    assert_eq!(numbers(&events), [2]);
    client.ack(&events[0]).await;
    patient.await.expect("acked");
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_while_the_client_is_cut_off() {
    let (hub, app, _seen) = server(|builder| builder.reliable_queue(2, 1 << 20));
    let mut client = Client::new(Kind::Plain);
    client.connect(&app).await;
    let socket = hub.sockets().remove(0);
    client.cut().await;
    let kept = [emit(&socket, 1), emit(&socket, 2)];
    assert!(matches!(socket.reliable().emit(("order", 3)), Err(EmitError::Overflow)));
    let events = client.connect(&app).await;
    assert_eq!(numbers(&events), [1, 2]);
    for (event, delivery) in events.iter().zip(kept) {
        client.ack(event).await;
        delivery.await.expect("acked");
    }
}

#[tokio::test(start_paused = true)]
async fn deliveries_fail_when_the_session_ends_for_another_reason() {
    // The server shuts down while the client is cut off.
    let (hub, app, _seen) = server(|builder| builder);
    let mut client = Client::new(Kind::SocketIo);
    client.connect(&app).await;
    let delivery = emit(&hub.sockets()[0], 1);
    client.cut().await;
    hub.shutdown(Duration::from_secs(1)).await;
    let failed = delivery.await;
    assert!(matches!(failed, Err(DeliveryError::Expired)), "{failed:?}");

    // The session is the oldest of too many.
    let (hub, app, _seen) = server(|builder| builder.recovery(Recovery::new().max_sessions(1)));
    let mut deliveries = Vec::new();
    for number in 0..2 {
        let mut client = Client::new(Kind::SocketIo);
        client.connect(&app).await;
        deliveries.push(emit(&hub.sockets()[0], number));
        client.cut().await;
    }
    let failed = deliveries.remove(0).await;
    assert!(matches!(failed, Err(DeliveryError::Expired)), "{failed:?}");

    // Middleware refuses the client that comes back.
    let refuse = |socket: Socket| async move {
        if socket.recovered() { Err(EventError::new("locked", "locked out")) } else { Ok(()) }
    };
    let (hub, app, _seen) = server(|builder| builder.middleware(refuse));
    let mut client = Client::new(Kind::SocketIo);
    client.connect(&app).await;
    let delivery = emit(&hub.sockets()[0], 1);
    client.cut().await;
    client.connect(&app).await;
    let failed = delivery.await;
    assert!(matches!(failed, Err(DeliveryError::Closed)), "{failed:?}");

    // The client leaves on purpose.
    let (hub, app, mut seen) = server(|builder| builder);
    let mut client = Client::new(Kind::SocketIo);
    client.connect(&app).await;
    drop(emit(&hub.sockets()[0], 1));
    client.line.as_mut().expect("a line").send("41").await;
    settle().await;
    assert_eq!(hub.stats().undelivered, 1);
    seen.expect(&["undelivered order: the connection ended before the client acked the event"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_sent_no_repetitions() {
    let (hub, app, _seen) = server(|builder| builder.outbox(10, 1 << 20));
    let mut client = Client::new(Kind::SocketIo);
    client.connect(&app).await;
    let socket = hub.sockets().remove(0);
    // More than the stream between server and client takes.
    socket.emit(("large", "x".repeat(600_000))).expect("queued");
    settle().await;
    let deliveries: Vec<_> = (0..5).map(|number| emit(&socket, number)).collect();
    advance(INTERVAL * 3).await;
    settle().await;
    assert_eq!(hub.stats().repeated, 0);
    assert!(socket.is_alive());
    let events = loop {
        let events = client.receive().await;
        if !events.is_empty() {
            break events;
        }
    };
    assert_eq!(numbers(&events[1..]), [0, 1, 2, 3, 4]);
    for (event, delivery) in events[1..].iter().zip(deliveries) {
        client.ack(event).await;
        delivery.await.expect("acked");
    }
}

/// A pseudorandom sequence, the same for each seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_cut_each_event_arrives_and_the_first_times_are_in_order() {
    for seed in 1..=200 {
        let kind = KINDS[usize::from(seed % 2 == 0)];
        let mut random = Random(seed);
        let (hub, app, _seen) = server(|builder| builder);
        let mut client = Client::new(kind);
        client.connect(&app).await;
        let id = hub.sockets()[0].id();
        let (mut deliveries, mut seen, mut arrived) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..60 {
            match random.below(6) {
                0..=2 => deliveries.push(hub.reliable_to(&id).emit(("order", number)).expect("it is kept")),
                3 => hub.emit_to(&id, ("order", number)).expect("it is kept"),
                4 => {
                    // Some of the acks are lost, and some events are never read.
                    if random.below(3) > 0 {
                        arrived.append(&mut client.receive().await);
                    }
                    client.cut().await;
                    if random.below(2) == 0 {
                        deliveries.push(hub.reliable_to(&id).emit(("order", number)).expect("it is kept"));
                    }
                    arrived.append(&mut client.connect(&app).await);
                    assert!(client.recovered, "seed {seed}");
                }
                _ => {
                    arrived.append(&mut client.receive().await);
                    for event in &arrived {
                        if event.ids.is_some() && random.below(2) == 0 {
                            client.ack(event).await;
                        }
                    }
                }
            }
            for event in arrived.drain(..).filter(|event| event.ids.is_some()) {
                if !seen.contains(&event.delivery().to_owned()) {
                    seen.push(event.delivery().to_owned());
                }
            }
        }
        client.cut().await;
        for event in client.connect(&app).await.iter().filter(|event| event.ids.is_some()) {
            if !seen.contains(&event.delivery().to_owned()) {
                seen.push(event.delivery().to_owned());
            }
            client.ack(event).await;
        }
        let expected: Vec<_> = deliveries.iter().map(|delivery| delivery.id().to_string()).collect();
        assert_eq!(seen, expected, "seed {seed}");
        for delivery in deliveries {
            delivery.await.expect("acked");
        }
    }
}
