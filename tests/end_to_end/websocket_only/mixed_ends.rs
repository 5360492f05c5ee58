//! Hundreds of clients that connect and disconnect in every possible way at once. Each accepted
//! client fires `connect` once, and then `disconnect` once.

use futures_util::SinkExt;
use serde_json::json;
use socketio::{EmitError, Events, Handshake, Hub, Refusal, Socket, event, events};
use socketio_tests::{Gate, Server, log, masked_frame, soon, websocket_only};
use std::collections::HashSet;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::join;
use tokio::task::{JoinSet, yield_now};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

async fn serve(hub: Hub) -> Server {
    websocket_only();
    socketio_tests::serve(hub).await
}

#[event(connect)]
async fn connect(socket: &Socket, handshake: Handshake<'_>) -> Result<(), Refusal> {
    socket.join("room").expect("joined");
    yield_now().await;
    match handshake.query("begin").as_deref() {
        Some("refused") => return Err(Refusal::new("no")),
        Some("panic") => panic!("a secret of the server"),
        Some("closed") => socket.close(),
        _ => {}
    }
    Ok(())
}

#[event("slow")]
async fn slow() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[event("beside", concurrent)]
async fn beside() {
    yield_now().await;
    panic!("a secret of the server");
}

#[event("end")]
fn end(socket: &Socket, how: &str) -> Result<(), EmitError> {
    match how {
        "close" => socket.close(),
        "disconnect" => socket.disconnect(),
        "panic" => panic!("a secret of the server"),
        // This overflows the outbox.
        _ => (0..200).try_for_each(|_| socket.send("x"))?,
    }
    Ok(())
}

const EVENTS: Events = events![connect, slow, beside, end];

/// Connects, sends a few events, and ends in one of several ways.
async fn connect_and_end(server: Server, number: usize, shutdown: Gate) {
    let begin = ["", "", "", "refused", "", "panic", "", "closed"][number % 8];
    let mut client = server.connect_to(&format!("/ws/{number}?begin={begin}")).await;
    // A client that drops its connection with unread input resets it. The server may then not
    // receive the CONNECT packet of a Socket.IO client.
    match begin {
        "" if number % 11 == 5 => client.settle().await,
        "closed" if number % 11 == 5 => drop(client.closed().await),
        _ => {}
    }
    let mut send = async |message| {
        // The server may have closed the connection already.
        let _ = client.0.send(message).await;
    };
    for event in ["slow", "beside", "slow", "beside"].iter().take(number % 5) {
        send(Message::text(json!({ "event": event, "data": 1 }).to_string())).await;
    }
    match number % 11 {
        0 => send(Message::Close(None)).await,
        1 => send(Message::Close(Some(CloseFrame { code: 4000.into(), reason: "".into() }))).await,
        2 => send(Message::binary(vec![0; 20_000])).await,
        3 => drop(client.stream().write_all(&masked_frame(0x81, b"\xff")).await),
        4 => drop(client.stream().write_all(&masked_frame(0x83, b"")).await),
        5 => return,
        // The client is idle until the shutdown.
        6 => shutdown.pass().await,
        at => {
            let how = ["panic", "close", "disconnect", "overflow"][at - 7];
            send(Message::text(json!({ "event": "end", "data": how }).to_string())).await;
            send(Message::text(json!({ "event": "slow", "data": 1 }).to_string())).await;
        }
    }
    if number % 11 != 7 && !number.is_multiple_of(3) {
        client.closed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_connect_is_followed_by_one_disconnect_however_the_socket_ends() {
    let (log, mut seen) = log();
    let builder = Hub::builder().events(EVENTS).max_payload(10_000).outbox(100, 1_000_000);
    let server = serve(builder.build().expect("a hub")).await;
    for event in ["connect", "disconnect"] {
        let log = log.clone();
        server.hub.on(event, move |payload| {
            log.note(format_args!("{} {}", payload.name, payload.socket.params("id").unwrap_or_default()));
        });
    }
    let shutdown = Gate::default();
    let client = |number| connect_and_end(server.clone(), number, shutdown.clone());
    let mut clients: JoinSet<_> = (0..600).map(client).collect();
    // Only the idle clients are left.
    soon("end of the others", async {
        while clients.len() > 600 / 11 {
            clients.join_next().await.expect("there are more").expect("no panic");
        }
        while shutdown.waiting() < clients.len() {
            yield_now().await;
        }
    })
    .await;
    join!(server.hub.shutdown(Duration::from_secs(1)), async { shutdown.open_for(clients.len()) });
    clients.join_all().await;
    assert!(server.hub.is_empty() && server.hub.to("room").sockets().is_empty());
    log.note("end");
    let accepted = (0..600).filter(|number| !matches!(number % 8, 3 | 5)).count();
    let mut open = HashSet::new();
    let mut ended = HashSet::new();
    loop {
        let line = seen.next().await;
        match line.split_once(' ') {
            Some(("connect", name)) => assert!(open.insert(name.to_owned()), "{line}, again"),
            Some((_, name)) => assert!(open.remove(name) && ended.insert(name.to_owned()), "{line}, again or unknown"),
            None => break,
        }
    }
    assert_eq!((open.len(), ended.len()), (0, accepted), "{open:?}");
}
