//! Custom adapters: one counts and filters messages, another connects several hubs.

use bytes::Bytes;
use serde_json::{Value, json};
use socketio::adapter::{
    AckStream, Adapter, AdapterError, AnswerSink, Answerer, Audience, BoxFuture, Change, Fetched, LocalAdapter, Packet,
    PacketError, RemoteSocket, RequestError, ServerId,
};
use socketio::{AckError, EmitError, Frame, FromAnswer, Hub, PayloadError, RawArgs, Socket, Text, event, events};
use socketio_tests::{Client, Gate, Log, Server, log, serve, serve_router, soon};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

async fn connect(server: &Server, name: &str) -> (Client, Socket) {
    let before = server.hub.sockets();
    let mut client = server.connect(name).await;
    client.settle().await;
    let new = server.hub.sockets().into_iter().find(|socket| !before.contains(socket));
    (client, new.expect("a connected socket"))
}

/// Reads the next event and acknowledges it with `data`.
async fn answer(client: &mut Client, data: impl Into<Value>) -> Value {
    let question = client.json().await;
    client.send(json!({ "id": question["id"], "data": data.into() }).to_string()).await;
    question
}

/// Rebuilds the packet from its public accessors.
fn rebuild(packet: &Packet) -> Result<Packet, PacketError> {
    let args = packet.args();
    let copy = match packet.raw() {
        Some(Frame::Text(text)) => Packet::text(text),
        Some(Frame::Binary(bytes)) => Packet::binary(bytes.clone()),
        None => Packet::event_json(packet.name().unwrap_or_default(), args.json(), args.attachments())?,
    };
    Ok(packet.replaced_by(copy))
}

/// Rebuilds the audience as another server would from what it receives.
fn rebuild_audience(audience: &Audience) -> Audience {
    let sender = audience.except_id().map(Arc::<str>::from);
    Audience::new(audience.rooms().iter().cloned(), audience.except_rooms().iter().cloned().chain(sender))
}

/// Logs each message, drops `secret` events and forwards rebuilt copies of all others.
#[derive(Debug)]
struct Filter {
    local: LocalAdapter,
    log: Log,
}

impl Filter {
    /// The packet to forward; `None` for events that are dropped.
    fn log_and_rebuild(&self, verb: &str, packet: &Packet) -> Option<Packet> {
        let name = packet.name().unwrap_or("raw");
        self.log.note(format_args!("{verb} {name} {}", packet.args().json()));
        (name != "secret").then(|| rebuild(packet).expect("an emitted packet can be rebuilt"))
    }
}

impl Adapter for Filter {
    fn local(&self) -> &LocalAdapter {
        &self.local
    }

    fn emit(&self, packet: &Packet, audience: &Audience) {
        if let Some(packet) = self.log_and_rebuild("emit", packet) {
            let local =
                if audience.is_local() { rebuild_audience(audience).local() } else { rebuild_audience(audience) };
            self.local.emit(&packet, &local);
        }
    }

    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        match self.log_and_rebuild(if packet.expects_answer() { "question" } else { "socket" }, packet) {
            Some(packet) => self.local.emit_to_socket(&packet, socket),
            None => Ok(()),
        }
    }

    fn ask(&self, question: Packet, audience: &Audience, answers: AnswerSink) {
        if let Some(question) = self.log_and_rebuild("ask", &question) {
            self.local.ask(question, &rebuild_audience(audience), answers);
        }
    }

    fn change(&self, change: &Change<'_>, audience: &Audience) {
        self.log.note(format_args!("change {change:?} {:?}", audience.rooms()));
        self.local.change(change, &rebuild_audience(audience));
    }
}

async fn filtered() -> (Server, socketio_tests::Seen) {
    let (log, seen) = log();
    let hub = Hub::builder().adapter(move |_, local| Filter { local, log: log.clone() }).build().expect("a hub");
    (serve(hub).await, seen)
}

#[tokio::test]
async fn an_adapter_can_read_drop_and_rebuild_messages() {
    let (server, mut seen) = filtered().await;
    let (hub, (mut ann, a), (mut bob, b)) = (&server.hub, connect(&server, "ann").await, connect(&server, "bob").await);
    a.join("room").expect("joined");
    b.join("room").expect("joined");
    hub.to("room").emit(("secret", 1)).expect("the adapter accepts it");
    hub.to("room").emit(("one", 1, json!({ "x": ["\u{e9}\n", null] }))).expect("sent");
    a.to("room").emit(("two",)).expect("sent");
    hub.to("room").except_id(b.id()).emit(("three", 3)).expect("sent");
    hub.local().send("a text").expect("sent");
    a.emit(("secret",)).expect("the adapter accepts it");
    a.emit(("four", 4)).expect("sent");
    // By default, `emit_to` acts on the local sockets.
    hub.emit_to(b.id(), ("five", 5)).expect("sent");
    assert!(matches!(hub.emit_to("nobody", ("five", 5)), Err(EmitError::NotFound(id)) if id == "nobody"));
    seen.expect(&[
        "emit secret 1",
        "emit one 1,{\"x\":[\"\u{e9}\\n\",null]}",
        "emit two ",
        "emit three 3",
        "emit raw \"a text\"",
        "socket secret ",
        "socket four 4",
    ])
    .await;
    seen.expect_nothing();
    let one = json!({ "event": "one", "args": [1, { "x": ["\u{e9}\n", null] }] });
    assert_eq!(ann.json().await, one);
    assert_eq!(ann.json().await, json!({ "event": "three", "data": 3 }));
    assert_eq!(ann.text().await, "a text");
    assert_eq!(ann.json().await, json!({ "event": "four", "data": 4 }));
    assert_eq!(bob.json().await, one);
    assert_eq!(bob.json().await["event"], "two");
    assert_eq!(bob.text().await, "a text");
    assert_eq!(bob.json().await, json!({ "event": "five", "data": 5 }));
}

#[tokio::test]
async fn ack_requests_and_room_changes_pass_through_the_adapter_unless_they_are_local() {
    let (server, mut seen) = filtered().await;
    let (hub, (mut ann, a), (mut bob, b)) = (&server.hub, connect(&server, "ann").await, connect(&server, "bob").await);
    let asked = a.emit_with_ack::<u8>(("alone?", 1));
    answer(&mut ann, 1).await;
    assert_eq!(asked.await.expect("an answer"), 1);
    let asked = hub.emit_with_ack::<u8>(("all?", 2));
    answer(&mut bob, 2).await;
    answer(&mut ann, 3).await;
    let answers = asked.await.expect("asked");
    assert_eq!(answers.answers, [(b.id().into(), 2), (a.id().into(), 3)]);
    assert!(answers.is_complete());
    // Dropping the `AckSink` ends the request.
    let answers = hub.emit_with_ack::<u8>(("secret", 3)).await.expect("asked");
    assert!(answers.is_complete() && answers.answers.is_empty());
    seen.expect(&["question alone? 1", "ask all? 2", "ask secret 3"]).await;

    a.to(b.id()).sockets_join(["x", "y"]);
    hub.to("x").sockets_leave(["y"]);
    assert!(b.is_in("x") && !b.is_in("y") && !a.is_in("x"));
    hub.except("x").disconnect_sockets();
    soon("end", a.closed()).await;
    let id = b.id();
    seen.expect(&[
        &format!(r#"change Join(["x", "y"]) ["{id}"]"#),
        r#"change Leave(["y"]) ["x"]"#,
        "change Disconnect { close: false } []",
    ])
    .await;

    let local = || hub.local().to(b.id());
    let asked = local().timeout(Duration::from_secs(60)).emit_with_ack::<u8>(("secret", 4));
    answer(&mut bob, 5).await;
    assert_eq!(asked.await.expect("asked").answers, [(b.id().into(), 5)]);
    local().sockets_join(["z"]);
    local().sockets_leave(["x"]);
    assert_eq!(b.rooms(), [&*b.id(), "z"]);
    let fetched = local().fetch_sockets().await.expect("this server answers");
    assert_eq!((fetched.sockets.len(), fetched.silent), (1, 0));
    assert_eq!(hub.servers().await, Ok(1));
    hub.server_emit(("to nobody", 1)).expect("there is no other server");
    local().close_sockets();
    soon("end", b.closed()).await;
    seen.expect_nothing();
}

#[test]
fn packets_can_only_be_built_from_valid_arguments() {
    let picture = r#"{"num":0,"_placeholder":true}"#;
    let bytes = [vec![1].into()];
    let packet = Packet::event_json("e", &format!(" {picture} , [\"\\ud83d\", {{}}] "), &bytes).expect("an event");
    assert_eq!(packet.args().json(), r#"{"_placeholder":true,"num":0},["\ud83d",{}]"#);
    assert_eq!(packet.args().attachments(), bytes);
    assert!(!packet.expects_answer() && !packet.is_volatile() && packet.raw().is_none());
    // Without attachments, a placeholder is an ordinary object.
    assert_eq!(Packet::event_json("e", picture, &[]).expect("an event").args().json(), picture);
    assert_eq!(Packet::event_json("e", "  ", &[]).expect("an event").args().json(), "");
    assert_eq!(Packet::binary(vec![7].into()).args().json(), r#"{"_placeholder":true,"num":0}"#);

    let error = |name, args: &str, bytes| Packet::event_json(name, args, bytes).expect_err("no event");
    for name in ["", "connect", "disconnect"] {
        assert_eq!(error(name, "1", &[]), PacketError::Name(name.to_owned()));
    }
    for args in ["{", "1,", ",1", "1 2", "[1],]", "nul", "\"\n\"", "01", "1}", "\u{feff}1"] {
        assert_eq!(error("e", args, &[]), PacketError::Json, "{args}");
    }
    for args in
        ["", "1", r#"{"_placeholder":true,"num":1}"#, r#"{"_placeholder":true}"#, "\"{\\\"_placeholder\\\":true\""]
    {
        assert_eq!(error("e", args, &bytes), PacketError::Placeholder, "{args}");
    }
    let twice = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}"#;
    assert_eq!(error("e", twice, &bytes), PacketError::Placeholder);
    let deep = |levels| "[".repeat(levels) + &"]".repeat(levels);
    assert!(Packet::event_json("e", &deep(127), &[]).is_ok());
    assert_eq!(error("e", &deep(128), &[]), PacketError::TooDeep);
    assert_eq!(error("e", &deep(100_000), &[]), PacketError::TooDeep);
    // A decoder may read the string behind such a key as JSON, with levels of its own.
    let reserved = r#"{"\u0024serde_json::private::RawValue":"[1]"}"#;
    assert_eq!(error("e", reserved, &[]), PacketError::TooDeep);
    let (sink, _answers) = AckStream::<Value>::channel(Duration::ZERO);
    assert_eq!(sink.answer(Answerer::Elsewhere, reserved, &[]), Err(PacketError::TooDeep));
}

/// The undecoded arguments of an ack, with their attachments.
struct Raw(String, Vec<Bytes>);

impl FromAnswer for Raw {
    fn from_answer(args: RawArgs<'_>) -> Result<Self, PayloadError> {
        Ok(Self(args.json().to_owned(), args.attachments().to_vec()))
    }
}

/// The adapters of all servers and namespaces. It stands in for a network.
type Net = Arc<Mutex<Vec<(String, ServerId, LocalAdapter)>>>;

/// Forwards messages to the adapters of the other hubs.
#[derive(Debug)]
struct Link {
    path: String,
    me: ServerId,
    local: LocalAdapter,
    net: Net,
    /// Whether other servers learn the ids of the sockets that answered.
    tells_ids: bool,
}

impl Link {
    fn new(net: &Net, me: &str, path: &str, local: LocalAdapter) -> Self {
        let me = ServerId::from(me);
        net.lock().expect("no panic").push((path.to_owned(), me.clone(), local.clone()));
        Self { path: path.to_owned(), tells_ids: me.as_str() == "one", me, local, net: Arc::clone(net) }
    }

    fn others(&self) -> Vec<(ServerId, LocalAdapter)> {
        let all = self.net.lock().expect("no panic");
        let others = all.iter().filter(|(path, id, _)| *path == self.path && *id != self.me);
        others.map(|(_, id, local)| (id.clone(), local.clone())).collect()
    }
}

impl Adapter for Link {
    fn local(&self) -> &LocalAdapter {
        &self.local
    }

    fn emit(&self, packet: &Packet, audience: &Audience) {
        self.local.emit(packet, audience);
        for (_, other) in self.others().into_iter().filter(|_| !audience.is_local()) {
            other.emit(&rebuild(packet).expect("a packet"), &rebuild_audience(audience));
        }
    }

    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        match self.local.emit_to(packet, id) {
            Err(EmitError::NotFound(_)) => {
                self.emit(packet, &Audience::new([id], [""; 0]));
                Ok(())
            }
            emitted => emitted,
        }
    }

    fn ask(&self, question: Packet, audience: &Audience, answers: AnswerSink) {
        for (_, other) in self.others() {
            let audience = rebuild_audience(audience);
            answers.expect(other.sockets(&audience).len());
            let (sink, mut stream) = AckStream::<Raw>::channel(answers.timeout());
            other.ask(rebuild(&question).expect("a question"), &audience, sink);
            let (answers, tells_ids) = (answers.clone(), self.tells_ids);
            tokio::spawn(async move {
                while let Some((from, Raw(json, attachments))) = stream.next().await {
                    let from = if tells_ids { from } else { Answerer::Elsewhere };
                    answers.answer(from, &json, &attachments).expect("an answer is JSON");
                }
                for (from, error) in stream.missing().errors.iter().filter(|_| tells_ids) {
                    let error = match error {
                        AckError::Failed(error) => AckError::Failed(error.clone()),
                        _ => AckError::Closed,
                    };
                    answers.fail(from.clone(), error);
                }
            });
        }
        if self.net.lock().expect("no panic").iter().any(|(path, ..)| path == "/silent") {
            answers.silent(1);
        }
        self.local.ask(question, audience, answers);
    }

    fn change(&self, change: &Change<'_>, audience: &Audience) {
        self.local.change(change, audience);
        self.others().into_iter().for_each(|(_, other)| other.change(change, &rebuild_audience(audience)));
    }

    fn fetch(&self, audience: &Audience, timeout: Duration) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        if audience.rooms().iter().any(|room| &**room == "unavailable") {
            return Box::pin(async { Err(RequestError::Unavailable("it is cut off".to_owned())) });
        }
        let own = self.local.fetch(audience, timeout);
        let others: Vec<_> = self
            .others()
            .into_iter()
            .map(|(id, other)| (id, other.fetch(&rebuild_audience(audience), timeout)))
            .collect();
        Box::pin(async move {
            let mut fetched = own.await?;
            fetched.silent = 1;
            for (id, other) in others {
                for known in other.await?.sockets {
                    // A network carries plain data, so the remote socket is rebuilt from its
                    // fields.
                    let mut socket = RemoteSocket::new(&known.id);
                    (socket.rooms, socket.handshake) = (known.rooms, known.handshake);
                    socket.attributes =
                        known.attributes.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
                    socket.server = Some(id.clone());
                    fetched.sockets.push(socket);
                }
            }
            Ok(fetched)
        })
    }

    fn servers(&self) -> BoxFuture<'static, Result<usize, RequestError>> {
        let servers = self.others().len() + 1;
        Box::pin(async move { Ok(servers) })
    }

    fn server_emit(&self, event: &Packet) -> Result<(), EmitError> {
        self.others().into_iter().for_each(|(_, other)| other.received(event, Some(self.me.clone())));
        Ok(())
    }
}

/// Two servers that share a network, and the network.
async fn linked() -> (Server, Server, Net) {
    let net = Net::default();
    let hub = |me: &'static str| {
        let net = Arc::clone(&net);
        Hub::builder().adapter(move |path, local| Link::new(&net, me, path, local)).build().expect("a hub")
    };
    (serve(hub("one")).await, serve(hub("other")).await, net)
}

#[tokio::test]
async fn emits_on_one_server_reach_sockets_of_another() {
    let (one, other, _net) = linked().await;
    let ((mut ann, a), (mut bob, b)) = (connect(&one, "ann").await, connect(&other, "bob").await);
    a.join("room").expect("joined");
    b.join("room").expect("joined");
    one.hub.to("room").emit(("both", 1)).expect("sent");
    a.to("room").emit(("bob", 2)).expect("sent");
    b.to("room").emit(("ann", 3)).expect("sent");
    one.hub.local().emit(("ann", 4)).expect("sent");
    a.emit_to(b.id(), ("bob", 5)).expect("sent");
    one.hub.except_id(a.id()).emit(("bob", socketio::Binary::from(vec![6]))).expect("sent");
    other.hub.emit_to("nobody", ("nobody", 7)).expect("another server may have this socket");
    one.hub.broadcast(Text("end")).expect("sent");
    for (client, expected) in
        [(&mut ann, [json!(1), json!(3), json!(4)].to_vec()), (&mut bob, vec![json!(1), json!(2), json!(5)])]
    {
        for data in expected {
            assert_eq!(client.json().await["data"], data);
        }
    }
    assert_eq!(bob.json().await["event"], "bob");
    assert_eq!((ann.text().await, bob.text().await), ("end".to_owned(), "end".to_owned()));
}

#[tokio::test]
async fn acks_arrive_from_several_servers_and_missing_ones_are_counted() {
    let (one, other, net) = linked().await;
    let ((mut ann, a), (mut bob, b)) = (connect(&one, "ann").await, connect(&other, "bob").await);
    let (mut carl, c) = connect(&other, "carl").await;
    let timeout = Duration::from_secs(60);

    // The other server sends the ids of the sockets that answered.
    let mut asked = one.hub.timeout(timeout).emit_with_ack::<u8>(("points?", 1));
    answer(&mut bob, 2).await;
    assert_eq!(soon("answer", asked.next()).await, Some((Answerer::Id(b.id()), 2)));
    answer(&mut ann, 1).await;
    answer(&mut carl, "three").await;
    let answers = soon("answers", asked.into_future()).await.expect("asked");
    assert_eq!(answers.answers, [(a.id().into(), 1)]);
    assert!(matches!(&answers.missing.errors[..], [(from, AckError::Payload(_))] if *from == c.id()));
    assert_eq!((answers.missing.remote, answers.missing.silent_servers), (0, 0));
    assert!(!answers.is_complete());

    // The first server does not send its socket ids.
    let asked = other.hub.emit_with_ack::<u8>(("points?", 2));
    for (client, points) in [(&mut ann, 4), (&mut bob, 5), (&mut carl, 6)] {
        answer(client, points).await;
    }
    let mut answers = soon("answers", asked.into_future()).await.expect("asked").answers;
    answers.sort_by_key(|(_, points)| *points);
    assert_eq!(answers, [(Answerer::Elsewhere, 4), (b.id().into(), 5), (c.id().into(), 6)]);
    assert_eq!(answers[0].0.to_string(), "a socket of another server");

    // Sockets without a known error are counted as missing.
    let asked = other.hub.timeout(timeout).emit_with_ack::<u8>(("points?", 3));
    ann.json().await;
    ann.close(1000, "").await;
    answer(&mut bob, 7).await;
    answer(&mut carl, 8).await;
    let answers = soon("answers", asked.into_future()).await.expect("asked");
    assert_eq!((answers.answers.len(), answers.missing.remote, answers.missing.sockets()), (2, 1, 1));
    assert!(answers.missing.errors.is_empty() && !answers.is_complete());

    // Servers that do not report are counted too.
    let silent = Hub::builder().build().expect("a hub");
    drop(silent);
    let (_, _, local) = net.lock().expect("no panic")[0].clone();
    net.lock().expect("no panic").push(("/silent".to_owned(), "silent".into(), local));
    let asked = one.hub.to("nobody").emit_with_ack::<u8>(("points?", 4));
    let answers = soon("answers", asked.into_future()).await.expect("asked");
    assert_eq!((answers.missing.silent_servers, answers.missing.sockets(), answers.is_complete()), (1, 0, false));

    // A timeout that is set after the emit still applies.
    let mut late = one.hub.emit_with_ack::<u8>(("points?", 5)).timeout(Duration::ZERO);
    assert_eq!(soon("end", late.next()).await, None);
    assert_eq!(late.missing().remote, 2);
}

#[tokio::test]
async fn an_ack_sink_reports_its_timeout_and_closes_with_its_stream() {
    let (sink, answers) = AckStream::<u8>::channel(Duration::from_secs(5));
    assert_eq!((sink.timeout(), sink.is_closed()), (Duration::from_secs(5), false));
    let answers = answers.timeout(Duration::from_secs(7));
    assert_eq!(sink.timeout(), Duration::from_secs(7));
    assert_eq!(sink.answer(Answerer::Elsewhere, "1,", &[]), Err(PacketError::Json));
    drop(answers);
    assert!(sink.is_closed());
    sink.answer(Answerer::Elsewhere, "1", &[]).expect("ignored");

    // An event emitted through a closed sink still reaches the socket.
    let server = serve(Hub::builder().adapter(|_, local| Late(local, OnceLock::new())).build().expect("a hub")).await;
    let (mut ann, a) = connect(&server, "ann").await;
    drop(server.hub.emit_with_ack::<u8>(("late?",)));
    server.hub.sockets_join(["go on"]);
    answer(&mut ann, 1).await;
    let asked = a.emit_with_ack::<u8>(("and now?",));
    answer(&mut ann, 2).await;
    assert_eq!(asked.await.expect("an answer"), 2);
}

/// Keeps the packet and its sink, and emits the packet when sockets change rooms.
#[derive(Debug)]
struct Late(LocalAdapter, OnceLock<(Mutex<Option<Packet>>, AnswerSink)>);

impl Adapter for Late {
    fn local(&self) -> &LocalAdapter {
        &self.0
    }

    fn ask(&self, question: Packet, _audience: &Audience, answers: AnswerSink) {
        self.1.set((Mutex::new(Some(question)), answers)).expect("one question");
    }

    fn change(&self, _change: &Change<'_>, audience: &Audience) {
        let (question, answers) = self.1.get().expect("an event was emitted");
        assert!(answers.is_closed());
        let question = question.lock().expect("no panic").take().expect("asked once");
        self.0.ask(question, audience, answers.clone());
    }
}

#[tokio::test]
async fn sockets_are_fetched_from_several_servers_and_can_be_addressed_there() {
    let (one, other, _net) = linked().await;
    let ((mut ann, a), (mut bob, b)) = (connect(&one, "ann").await, connect(&other, "bob").await);
    b.join("room").expect("joined");
    b.set_attribute("name", "bob");
    assert_eq!(one.hub.servers().await, Ok(2));
    let fetched = one.hub.timeout(Duration::from_secs(60)).fetch_sockets().await.expect("all answer");
    assert_eq!(fetched.silent, 1);
    let [ann_there, bob_there] = &fetched.sockets[..] else { panic!("{fetched:?}") };
    assert_eq!((&ann_there.id, &ann_there.server), (&a.id(), &None));
    assert_eq!((&bob_there.id, &bob_there.server), (&b.id(), &Some("other".into())));
    assert_eq!(bob_there.rooms, [&*b.id(), "room"]);
    assert_eq!(bob_there.attributes.get_as::<String>("name").as_deref(), Some("bob"));
    let handshake = &bob_there.handshake;
    assert_eq!((&handshake.url, &handshake.auth), (&b.handshake().url(), &json!({})));
    assert_eq!(handshake.headers, b.handshake().headers());
    assert_eq!(handshake.address, b.peer_addr().map(|address| address.ip().to_string()));
    assert_eq!(handshake.time, Some(b.handshake().time()));
    assert_eq!((handshake.issued.is_some(), handshake.xdomain), (handshake.time.is_some(), false));
    assert_eq!(handshake.query.get("EIO").map(String::as_str), b.query("EIO").as_deref());

    bob_there.emit(("hello", 1)).expect("on its way");
    assert_eq!(bob.json().await, json!({ "event": "hello", "data": 1 }));
    let asked = bob_there.emit_with_ack::<u8>(("age?",));
    answer(&mut bob, 41).await;
    assert_eq!(asked.await.expect("an answer"), 41);
    let asked = bob_there.timeout(Duration::from_secs(60)).emit_with_ack::<u8>(("age?",));
    answer(&mut bob, "what?").await;
    assert!(matches!(asked.await, Err(AckError::Payload(_))));
    let asked = ann_there.emit_with_ack::<u8>(("age?",)).timeout(Duration::ZERO);
    assert!(matches!(asked.await, Err(AckError::Timeout)));
    ann.json().await;
    bob_there.join("hall");
    bob_there.leave("room");
    assert_eq!(b.rooms(), [&*b.id(), "hall"]);
    bob_there.disconnect();
    soon("end", b.closed()).await;
    ann_there.close();
    soon("end", a.closed()).await;
    while ann.next().await.is_some() {}
    soon("end of a socket", async {
        while !one.hub.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(matches!(ann_there.emit_with_ack::<u8>(("age?",)).await, Err(AckError::Closed)));

    let failed = one.hub.to("unavailable").fetch_sockets().await;
    assert_eq!(failed, Err(RequestError::Unavailable("it is cut off".to_owned())));
    // The location of a socket is unknown until an adapter returns it.
    let unknown = RemoteSocket::new("unknown");
    unknown.join("room");
    assert!(matches!(unknown.emit(("hello",)), Err(EmitError::NotFound(_))));
    assert!(matches!(unknown.emit_with_ack::<u8>(("age?",)).await, Err(AckError::Emit(EmitError::NotFound(_)))));
}

#[tokio::test]
async fn server_emit_reaches_the_listeners_of_other_servers() {
    let (one, other, _net) = linked().await;
    let (log, mut seen) = log();
    for (hub, name) in [(&one.hub, "one"), (&other.hub, "other")] {
        let log = log.clone();
        hub.on_server("reload", move |event| {
            log.note(format_args!("{name}: {} {} from {:?}", event.name(), event.args().json(), event.server()));
        });
    }
    other.hub.on_server("reload", |_| panic!("a fault"));
    let own = log.clone();
    other.hub.on_server("reload", move |_| own.note("the next"));
    one.hub.server_emit(("reload", "users", 3)).expect("sent");
    one.hub.server_emit(("unheard",)).expect("sent");
    other.hub.server_emit(("reload",)).expect("sent");
    seen.expect(&[r#"other: reload "users",3 from Some("one")"#, "the next", r#"one: reload  from Some("other")"#])
        .await;
    seen.expect_nothing();
}

/// Logs the changes of sockets, and reads the state of each socket meanwhile.
#[derive(Debug)]
struct Told {
    path: String,
    local: LocalAdapter,
    log: Log,
    gate: Gate,
}

impl Adapter for Told {
    fn local(&self) -> &LocalAdapter {
        &self.local
    }

    fn added(&self, socket: &Socket, id: &str) {
        self.log.note(format_args!("added {}", *socket.id() == *id));
    }

    fn joined(&self, socket: &Socket, room: &Arc<str>) {
        // No lock is held, so the adapter may read and change the socket.
        self.log.note(format_args!("joined {room} {}", socket.is_in(room)));
        if &**room == "lobby" {
            socket.join("hall").expect("joined");
            socket.leave("lobby");
            self.local.emit(&Packet::text("welcome"), &Audience::new(["hall"], [""; 0]));
        }
        assert_ne!(&**room, "trap", "a fault");
    }

    fn left(&self, socket: &Socket, room: &Arc<str>) {
        self.log.note(format_args!("left {room} {:?}", &socket.rooms()[..]));
    }

    fn renamed(&self, socket: &Socket, from: &str, to: &str) {
        self.log.note(format_args!("renamed {} {to}", from != to && *socket.id() == *to));
    }

    fn removed(&self, _socket: &Socket, id: &str) {
        self.log.note(format_args!("removed {id}"));
    }

    fn open(&self) -> BoxFuture<'static, Result<(), AdapterError>> {
        self.log.note(format_args!("open {}", self.path));
        let is_bad = self.path == "/bad";
        Box::pin(async move { if is_bad { Err(AdapterError::new("it is cut off")) } else { Ok(()) } })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.log.note(format_args!("close {}", self.path));
        let (log, path, gate) = (self.log.clone(), self.path.clone(), self.gate.clone());
        Box::pin(async move {
            gate.pass().await;
            log.note(format_args!("closed {path}"));
        })
    }
}

#[event(connect)]
fn rename(socket: &Socket) {
    socket.set_id("ann").expect("free");
}

#[tokio::test]
async fn an_adapter_receives_the_changes_of_a_socket_in_order_and_without_a_lock() {
    let (log, mut seen) = log();
    let gate = Gate::default();
    gate.open();
    let make = move |path: &str, local| Told { path: path.to_owned(), local, log: log.clone(), gate: gate.clone() };
    let server = serve(Hub::builder().adapter(make).events(events![rename]).build().expect("a hub")).await;
    let (mut client, socket) = connect(&server, "ann").await;
    seen.expect(&["open /", "added true", "renamed true ann"]).await;
    socket.join("lobby").expect("joined");
    assert_eq!(client.text().await, "welcome");
    seen.expect(&["joined lobby true", "joined hall true", r#"left lobby ["ann", "hall"]"#]).await;
    // A panic of the adapter does not affect the socket.
    socket.join("trap").expect("joined");
    assert!(socket.is_in("trap") && server.hub.to("trap").sockets() == [socket.clone()]);
    seen.expect(&["joined trap true"]).await;
    socket.leave("hall");
    socket.leave("never joined");
    seen.expect(&[r#"left hall ["ann", "trap"]"#]).await;
    client.close(1000, "").await;
    seen.expect(&[r#"left trap ["ann", "trap"]"#, "removed ann"]).await;
    server.hub.shutdown(Duration::from_secs(60)).await;
    seen.expect(&["close /", "closed /"]).await;
}

/// Tracks whether the socket is in each room, and records repeated notifications as errors.
#[derive(Debug)]
struct Strict {
    local: LocalAdapter,
    is_in: Mutex<bool>,
    told: AtomicUsize,
    /// Set instead of a panic, because the crate catches panics of adapters.
    is_wrong: AtomicBool,
}

impl Strict {
    fn tell(&self, is_in: bool) {
        // Calls do not overlap, and joins and leaves alternate.
        let before = self.is_in.try_lock().ok().map(|mut known| std::mem::replace(&mut *known, is_in));
        self.is_wrong.fetch_or(before != Some(!is_in), Ordering::Relaxed);
        self.told.fetch_add(1, Ordering::Relaxed);
    }
}

impl Adapter for Strict {
    fn local(&self) -> &LocalAdapter {
        &self.local
    }

    fn joined(&self, _socket: &Socket, _room: &Arc<str>) {
        self.tell(true);
    }

    fn left(&self, _socket: &Socket, _room: &Arc<str>) {
        self.tell(false);
    }
}

/// Captures the local adapter of the hub for the test.
#[derive(Debug)]
struct Shared(Arc<Strict>);

impl Adapter for Shared {
    fn local(&self) -> &LocalAdapter {
        self.0.local()
    }

    fn joined(&self, socket: &Socket, room: &Arc<str>) {
        self.0.joined(socket, room);
    }

    fn left(&self, socket: &Socket, room: &Arc<str>) {
        self.0.left(socket, room);
    }
}

#[tokio::test]
async fn concurrent_room_changes_of_one_socket_are_reported_in_order() {
    let shown = Arc::new(OnceLock::<Arc<Strict>>::new());
    let show = Arc::clone(&shown);
    let make = move |_: &str, local| {
        let strict = Arc::new(Strict { local, is_in: Mutex::new(false), told: 0.into(), is_wrong: false.into() });
        show.set(Arc::clone(&strict)).expect("one namespace");
        Shared(strict)
    };
    let server = serve(Hub::builder().adapter(make).build().expect("a hub")).await;
    let (_client, socket) = connect(&server, "ann").await;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    socket.join("room").expect("joined");
                    socket.leave("room");
                }
            });
        }
    });
    let strict = shown.get().expect("made");
    let told = strict.told.load(Ordering::Relaxed);
    assert!(!strict.is_wrong.load(Ordering::Relaxed));
    assert!(told >= 2 && told.is_multiple_of(2) && !*strict.is_in.lock().expect("no panic"), "{told}");
    assert!(!socket.is_in("room") && server.hub.to("room").sockets().is_empty());
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn adapters_open_with_the_first_socket_and_close_with_the_namespace_or_the_hub() {
        let (log, mut seen) = log();
        let (own, gate) = (log.clone(), Gate::default());
        let closes = gate.clone();
        let make =
            move |path: &str, local| Told { path: path.to_owned(), local, log: own.clone(), gate: closes.clone() };
        let builder = Hub::builder().adapter(make).namespace("/bad", |bad| bad).namespace("/room-{id}", |room| room);
        let hub = builder.build().expect("a hub");
        let (bad, plain) = (hub.of("/bad"), hub.clone());
        let room = move |upgrade: socketio::Upgrade| async move { plain.of("/room-1").websocket().accept(upgrade) };
        let app = axum::Router::new()
            .route("/bad", axum::routing::get(bad.websocket()))
            .route("/room", axum::routing::get(room));
        let server = serve_router(hub.clone(), app).await;
        // An adapter is not opened for a namespace without sockets.
        hub.of("/room-1").broadcast(Text("to nobody")).expect("sent");
        seen.expect_nothing();
        // Sockets do not wait for `open`, and a failed adapter does not disconnect them.
        let mut client = server.connect_to("/bad").await;
        client.settle().await;
        bad.broadcast(Text("hello")).expect("sent");
        assert_eq!(client.text().await, "hello");
        seen.expect(&["open /bad", "added true"]).await;
        let mut another = server.connect_to("/bad").await;
        another.settle().await;
        seen.expect(&["added true"]).await;
        for _ in 0..2 {
            let mut guest = server.connect_to("/room").await;
            guest.settle().await;
            let id = hub.of("/room-1").sockets().remove(0).id();
            seen.expect(&["open /room-1", "added true"]).await;
            guest.close(1000, "").await;
            seen.expect(&[&format!("removed {id}"), "close /room-1"]).await;
            gate.open_for(1);
            seen.expect(&["closed /room-1"]).await;
        }
        let (hub, is_shut) = (hub.clone(), log.clone());
        let shutdown = tokio::spawn(async move {
            hub.shutdown(Duration::from_secs(60)).await;
            is_shut.note("shut down");
        });
        for client in [&mut client, &mut another] {
            client.closed().await;
        }
        for _ in 0..2 {
            assert!(seen.next().await.starts_with("removed "));
        }
        // `shutdown` waits until the adapters are closed.
        seen.expect(&["close /bad"]).await;
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        seen.expect_nothing();
        gate.open();
        seen.expect(&["closed /bad", "shut down"]).await;
        shutdown.await.expect("no panic");
    }
}
