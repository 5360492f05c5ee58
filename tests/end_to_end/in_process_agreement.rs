//! In-process clients of `socketio::testing` and clients over this run's stream have identical
//! conversations with one server.

use serde_json::{Value, json};
use socketio::testing::{self, TestError};
use socketio::{
    Args, Disconnect, EmitError, EventError, Events, Handshake, Hub, Refusal, Socket, State, event, events,
};
use socketio_tests::{Client, Log, Seen, Server, flavour, log, serve, websocket_only};

#[event(connect)]
fn connect(socket: &Socket, handshake: Handshake<'_>, log: State<Log>) -> Result<(), Refusal> {
    log.note(format_args!("connect {:?} {:?}", handshake.query("name"), handshake.is_cross_domain()));
    socket.emit(("welcome", handshake.query("name"))).map_err(|error| error.to_string().into())
}

#[event("echo")]
fn echo(socket: &Socket, text: String) -> Result<String, EmitError> {
    socket.emit(("echoed", &text, 1))?;
    Ok(text)
}

#[event("both")]
fn both(a: i32, b: Option<i32>) -> Args<(Option<i32>, i32)> {
    Args((b, a))
}

#[event("nothing")]
fn nothing() {}

#[event("fail")]
fn fail(code: u16) -> Result<(), EventError> {
    Err(EventError::new("failed", format!("with {code}")).with_data(code))
}

#[event("ask")]
async fn ask(socket: &Socket, log: State<Log>) {
    let answer = socket.emit_with_ack::<Value>(("question", 42)).await;
    log.note(format_args!("answer: {answer:?}"));
}

#[event("close")]
fn close(socket: &Socket, code: u16) -> Result<(), EmitError> {
    socket.emit(("farewell", code))?;
    socket.close_with(code, "as asked");
    Ok(())
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    // The description of a cut depends on the stream.
    log.note(format_args!("disconnect: {}, {:?}", end.reason(), end.code()));
}

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(format_args!("error: {}", error.code()));
}

const EVENTS: Events = events![connect, echo, both, nothing, fail, ask, close, disconnect, error];

/// A client of either kind.
enum AnyClient {
    Network(Box<Client>),
    InProcess(testing::Client),
}

impl AnyClient {
    async fn emit(&mut self, event: &str, data: Value) {
        match self {
            Self::Network(client) => client.emit(event, data).await,
            Self::InProcess(client) => client.emit((event, data)).expect("sent"),
        }
    }

    /// The first argument of the ack, or its error.
    async fn request(&mut self, event: &str, data: Value) -> Value {
        match self {
            Self::Network(client) => {
                let mut answer = client.ask(event, data).await;
                let first = answer["args"].get_mut(0).map(Value::take);
                match first.or_else(|| answer.get_mut("data").map(Value::take)) {
                    Some(value) => value,
                    None => answer["error"].take(),
                }
            }
            Self::InProcess(client) => match client.request(event, &data).await {
                Ok(value) => value,
                Err(TestError::Failed(error)) => serde_json::to_value(error).expect("JSON"),
                Err(error) => panic!("{error}"),
            },
        }
    }

    /// The arguments of the next message, which must be an event of this name.
    async fn expect(&mut self, event: &str) -> Vec<Value> {
        match self {
            Self::Network(client) => {
                let envelope = client.json().await;
                assert_eq!(envelope["event"], event);
                match envelope.get("data") {
                    Some(data) => vec![data.clone()],
                    None => envelope["args"].as_array().cloned().unwrap_or_default(),
                }
            }
            Self::InProcess(client) => {
                client.expect_event(event).await.expect("that event").args().all().expect("values")
            }
        }
    }

    /// Acknowledges the next message, which must be an event of this name.
    async fn answer(&mut self, event: &str, answer: Value) {
        match self {
            Self::Network(client) => {
                let question = client.json().await;
                assert_eq!(question["event"], event);
                client.send(json!({ "id": question["id"], "data": answer }).to_string()).await;
            }
            Self::InProcess(client) => {
                client.expect_event(event).await.expect("that event").answer(answer).expect("it asks");
            }
        }
    }

    /// How the connection ends, by the code of the close frame. A Socket.IO client does not receive
    /// the code of `close_with`. It receives a DISCONNECT and closes the connection itself.
    async fn end(&mut self) -> Option<u16> {
        match self {
            Self::Network(client) => client.closed().await.map(|(code, _)| code).filter(|code| *code != 1000),
            Self::InProcess(client) => client.expect_end().await.expect("the end").code(),
        }
    }
}

/// Exchanges messages of every kind, and logs what the client receives.
async fn converse(speaker: &mut AnyClient) -> Vec<String> {
    let mut heard = vec![format!("{:?}", speaker.expect("welcome").await)];
    for (event, data) in [
        ("both", json!(1)),
        ("nothing", json!(1)),
        ("fail", json!(7)),
        ("fail", json!("seven")),
        ("both", json!({ "a": 1 })),
        ("nobody handles this", json!(null)),
    ] {
        heard.push(format!("{event} {data}: {}", speaker.request(event, data.clone()).await));
    }
    speaker.emit("echo", json!("é \"\\\u{1f600}")).await;
    heard.push(format!("{:?}", speaker.expect("echoed").await));
    speaker.emit("ask", json!(null)).await;
    speaker.answer("question", json!({ "number": 42 })).await;
    heard.push(format!("{}", speaker.request("nothing", json!(null)).await));
    heard
}

/// Runs the conversation with a client of each kind; `last` ends it.
async fn compare(last: impl AsyncFn(&mut AnyClient) -> String) {
    let mut all = Vec::new();
    for is_in_process in [false, true] {
        let (log, seen) = log();
        let hub = Hub::builder().state(log).max_payload(5000).events(EVENTS).build().expect("a hub");
        let mut server = None;
        let mut speaker = match is_in_process {
            false => AnyClient::Network(Box::new(
                server.insert(serve(hub.clone()).await).connect_to("/ws/1?name=a%20b").await,
            )),
            true => {
                let client = hub.test_client().query("name", "a b");
                let client = if flavour().is_plain() { client.plain() } else { client };
                AnyClient::InProcess(client.connect().await.expect("connected"))
            }
        };
        let mut heard = converse(&mut speaker).await;
        heard.push(last(&mut speaker).await);
        drop(speaker);
        all.push([heard, logged(hub, server, seen).await]);
    }
    assert_eq!(all[0], all[1]);
    assert!(all[0][1].iter().any(|line| line.starts_with("disconnect: ")), "{all:?}");
}

/// Everything that the server logged.
async fn logged(hub: Hub, server: Option<Server>, mut seen: Seen) -> Vec<String> {
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.starts_with("disconnect: ")) {
        lines.push(seen.next().await);
    }
    hub.shutdown(std::time::Duration::from_secs(5)).await;
    drop(server);
    lines
}

#[tokio::test]
async fn conversations_ended_by_the_server_are_identical() {
    compare(async |speaker| {
        speaker.emit("close", json!(4001)).await;
        format!("{:?} {:?}", speaker.expect("farewell").await, speaker.end().await)
    })
    .await;
}

mod websocket_only {
    use super::*;

    #[tokio::test]
    async fn conversations_ended_by_an_oversized_message_are_identical() {
        // A POST that is too large gets an HTTP status.
        websocket_only();
        compare(async |speaker| {
            speaker.emit("echo", json!("x".repeat(5000))).await;
            format!("{:?}", speaker.end().await)
        })
        .await;
    }

    #[tokio::test]
    async fn conversations_ended_by_a_cut_are_identical() {
        // A polling client has no single connection that could be cut.
        websocket_only();
        compare(async |speaker| speaker.request("echo", json!("last")).await.to_string()).await;
    }
}
