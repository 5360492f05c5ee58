//! The failure reports of `socketio::testing`. They are the same in every run, and the same as for
//! clients over a network.

use serde::{Deserialize, Serialize};
use serde_json::json;
use socketio::testing::{Client, TestError};
use socketio::{Binary, EmitError, EventError, Events, Handshake, Hub, Refusal, Socket, State, event, events};
use socketio_tests::in_process::{both, kinds};
use socketio_tests::{Log, Seen, log};
use std::time::Duration;

#[event("moved")]
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Moved {
    x: u8,
}

#[event("sure?", ack = bool)]
#[derive(Debug, Deserialize, Serialize)]
struct Sure {
    what: String,
}

fn hub() -> Hub {
    Hub::builder().build().expect("a hub")
}

#[tokio::test(start_paused = true)]
async fn expect_event_reports_another_message() -> Result<(), TestError> {
    let hub = hub();
    for mut client in both(&hub).await? {
        let to = client.id();
        hub.emit_to(&to, ("said", "a \"b\"", 2))?;
        hub.emit_to(&to, &Moved { x: 7 })?;
        hub.emit_to(&to, ("picture", Binary::from(vec![1, 2, 3])))?;
        let picture = match client.expect_exact(("said", 1)).await.expect_err("another event came").to_string() {
            text if text.contains("placeholder") => r#"[{"_placeholder":true,"num":0}] with 3 bytes"#,
            _ => r#"["AQID"]"#,
        };
        let all = format!(
            "all received messages, with a `>` before those that no expectation has consumed:\n> event `said` [\"a \\\"b\\\"\",2]\n\
             > event `moved` [{{\"x\":7}}]\n> event `picture` {picture}"
        );
        let said = r#"event `said` ["a \"b\"",2]"#;
        for (error, wanted) in [
            (client.expect::<Moved>().await.expect_err("said"), "the event `moved`"),
            (client.expect_exact(&Moved { x: 7 }).await.expect_err("said"), r#"the event `moved` [{"x":7}]"#),
            (client.expect_exact(("said", 1)).await.expect_err("another"), "the event `said` [1]"),
            (client.expect_event("moved").await.map(|_| ()).expect_err("said"), "the event `moved`"),
            (client.expect_text().await.map(|_| Moved { x: 0 }).expect_err("said"), "a text"),
            (client.expect_binary().await.expect_err("said"), "a binary message"),
            (client.expect_end().await.expect_err("said"), "the end of the connection"),
            (client.answer(|_: Sure| true).await.expect_err("said"), "the event `sure?`"),
            (client.expect_nothing().await.expect_err("said"), "nothing"),
        ] {
            assert_eq!(error.to_string(), format!("expected {wanted}; the next message is {said}\n{all}"));
            assert_eq!(format!("{error:?}"), error.to_string());
        }
        // `expect_event` consumed no message.
        assert_eq!(client.wait_for::<Moved>().await?, Moved { x: 7 });
        client.expect_event("picture").await?;
        client.expect_nothing().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn expect_event_reports_different_contents() -> Result<(), TestError> {
    let hub = hub();
    for mut client in both(&hub).await? {
        let to = client.id();
        hub.emit_to(&to, ("moved", json!({ "x": 300 })))?;
        let error = client.expect::<Moved>().await.expect_err("not a Moved");
        let expected = r#"expected the event `moved`; it arrived as event `moved` [{"x":300}]: invalid value: integer `300`, expected u8 at `x`"#;
        assert_eq!(error.to_string().lines().next(), Some(expected));
        client.expect_event("moved").await?;
        hub.emit_to(&to, &Sure { what: "all".into() })?;
        let error = client.answer(|_: Sure| true).await.expect_err("no ack is pending");
        let expected =
            r#"expected the event `sure?`; it arrived as event `sure?` [{"what":"all"}]: the server wants no answer"#;
        assert_eq!(error.to_string().lines().next(), Some(expected));
    }
    Ok(())
}

#[event("length")]
fn length(text: &str) -> usize {
    text.len()
}

#[event("never")]
async fn never() {
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn expectations_report_that_no_message_came() -> Result<(), TestError> {
    let hub = Hub::builder().events(events![length, never]).build().expect("a hub");
    let [socketio, plain] = kinds(&hub).map(|client| client.patience(Duration::from_millis(1500)));
    for client in [socketio, plain] {
        let mut client = client.connect().await?;
        let error = client.expect::<Moved>().await.expect_err("nothing");
        let expected = "expected the event `moved`; nothing arrived for 1.5s\nthe client has received nothing";
        assert_eq!(error.to_string(), expected);

        let error = client.request::<String>("length", "four").await.expect_err("a number");
        let expected = "expected an answer to `length`; it arrived as [4]: invalid type: integer `4`, expected a string\n\
                        all received messages, with a `>` before those that no expectation has consumed:\n  answer to `length` [4]";
        assert_eq!(error.to_string(), expected);

        let error = client.request::<usize>("length", &json!({ "of": 4 })).await.expect_err("no text");
        let expected =
            "the answer to `length` is an error, invalid_payload: invalid type: map, expected a borrowed string";
        assert_eq!(error.to_string(), expected);

        client.emit(("never",))?;
        let error = client.request::<usize>("length", "four").await.expect_err("the handler before it never ends");
        assert!(error.to_string().starts_with("expected an answer to `length`; nothing arrived for 1.5s\n"), "{error}");
        let asked = tokio::join!(client.request::<usize>("length", "four"), async {
            hub.socket(client.id()).expect("the socket is connected").close_with(4001, "enough");
        });
        let error = asked.0.expect_err("the connection ends first");
        assert!(error.to_string().starts_with("expected an answer to `length`; the connection ended: "), "{error}");
        let error = client.expect::<Moved>().await.expect_err("the connection has ended");
        assert!(error.to_string().starts_with("expected the event `moved`; the connection ended: "), "{error}");
        let error = client.expect_nothing().await.expect_err("the connection has ended");
        assert!(error.to_string().starts_with("expected nothing; the connection ended: "), "{error}");
        client.expect_end().await?;
        client.expect_nothing().await?;
    }
    Ok(())
}

#[event(connect)]
async fn arrive(socket: &Socket, handshake: Handshake<'_>, log: State<Log>) -> Result<(), Refusal> {
    tokio::time::sleep(Duration::from_millis(3)).await;
    let name = handshake.query("name").ok_or("who are you?")?.into_owned();
    log.note(format_args!("{name} arrives"));
    let _ = socket.broadcast(("arrived", &name), true);
    socket.insert_extension(name);
    socket.join("room").map_err(|error| error.to_string().into())
}

#[event("say")]
async fn say(socket: &Socket, text: String, log: State<Log>) -> Result<usize, EmitError> {
    let name: String = socket.extension().unwrap_or_default();
    log.note(format_args!("{name} says {text}"));
    if text == "slowly" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    socket.to("room").emit(("said", name, &text))?;
    Ok(text.len())
}

#[event("fail")]
fn fail() -> Result<(), EventError> {
    Err(EventError::new("failed", "it failed").with_data(7))
}

#[event(disconnect)]
fn leave(socket: &Socket, log: State<Log>) {
    let name: String = socket.extension().unwrap_or_default();
    let _ = socket.to("room").emit(("left", &name));
    log.note(format_args!("{name} leaves"));
}

const CHAT: Events = events![arrive, say, fail, leave];

fn chat() -> (Hub, Seen) {
    let (log, seen) = log();
    (Hub::builder().state(log).events(CHAT).build().expect("a hub"), seen)
}

async fn scene() -> Result<Vec<String>, TestError> {
    let (hub, mut seen) = chat();
    let mut clients = Vec::new();
    for (at, name) in ["ann", "bob", "cid", "dan"].into_iter().enumerate() {
        clients.push(kinds(&hub)[at % 2].clone().query("name", name).connect().await?);
    }
    for text in ["hello", "slowly", "again"] {
        clients.iter().try_for_each(|client| client.emit(("say", text)))?;
    }
    clients[0].request::<usize>("say", "last").await?;
    let _ = clients[1].request::<()>("fail", &1).await;
    drop(clients.remove(3));
    clients.remove(2).disconnect().await;
    let mut record: Vec<_> = clients.iter().map(Client::record).collect();
    drop(clients);
    drop(hub);
    record.extend(seen.rest().await);
    Ok(record)
}

#[tokio::test(start_paused = true)]
async fn reports_are_identical_in_every_run() -> Result<(), TestError> {
    let first = scene().await?;
    assert!(first[0].starts_with("event `arrived` [\"bob\"]\n"), "{}", first[0]);
    assert_eq!(first[0].matches("event `said` [\"cid\",\"slowly\"]").count(), 1);
    for _ in 0..200 {
        assert_eq!(scene().await?, first);
    }
    Ok(())
}

#[test]
fn reports_are_identical_on_every_runtime() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(scene()).expect("it goes well")
    };
    let first = run();
    for _ in 0..50 {
        assert_eq!(run(), first);
    }
}

#[event("block")]
async fn block(socket: &Socket) -> Result<(), EmitError> {
    let blocked = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(100)));
    blocked.await.expect("the task does not panic");
    socket.emit(("blocked",))
}

#[tokio::test(start_paused = true)]
async fn the_paused_clock_waits_for_blocking_tasks() -> Result<(), TestError> {
    let hub = Hub::builder().events(events![block]).build().expect("a hub");
    let mut client = hub.test_client().connect().await?;
    client.emit(("block",))?;
    client.expect_nothing().await.expect_err("the event arrives");
    client.expect_event("blocked").await?;
    client.expect_nothing().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_clock_is_not_required() -> Result<(), TestError> {
    let (hub, _seen) = chat();
    let [ann, bob] = kinds(&hub);
    let (mut ann, bob) = (ann.query("name", "ann").connect().await?, bob.query("name", "bob").connect().await?);
    ann.expect_exact(("arrived", "bob")).await?;
    assert_eq!(bob.request::<usize>("say", "slowly").await?, 6);
    ann.expect_exact(("said", "bob", "slowly")).await?;
    bob.disconnect().await;
    ann.expect_exact(("left", "bob")).await?;
    ann.expect_nothing().await
}
