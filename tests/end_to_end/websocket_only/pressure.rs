//! Slow clients, slow senders and broken connections: nothing hangs, no queued message is lost, and
//! no live client times out.

use futures_util::{SinkExt, StreamExt};
use socketio::{EventPayload, Hub, Socket};
use socketio_tests::{Client, Seen, Server, log, serve_route, soon, websocket_only};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::interval;
use tokio_tungstenite::tungstenite::Message;

async fn serve(hub: Hub) -> Server {
    websocket_only();
    socketio_tests::serve(hub).await
}

/// This many messages exceed the kernel's buffers of both sides.
const LARGE: usize = 7;

async fn connected(server: &Server) -> Socket {
    let connected = async {
        loop {
            if let Some(socket) = server.hub.sockets().pop() {
                break socket;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("socket", connected).await
}

/// Fills the connection of a client that does not read.
fn fill(socket: &Socket) {
    for _ in 0..LARGE {
        socket.send("x".repeat(1_000_000)).expect("the outbox has room");
    }
}

/// All messages until the connection ends.
async fn rest(client: &mut Client) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(Ok(message)) = soon("message, or the end", client.0.next()).await {
        messages.push(message);
    }
    messages
}

#[tokio::test]
async fn a_connection_that_breaks_during_a_write_is_ended() {
    let hub = Hub::builder().build().expect("a hub");
    let (log, mut seen) = log();
    hub.on("disconnect", move |payload: EventPayload| log.note(String::from_utf8_lossy(&payload.data)));
    let server = serve(hub).await;
    for _ in 0..20 {
        let mut client = server.connect("a").await;
        let socket = connected(&server).await;
        socket.send("never read").expect("the socket is open");
        soon("message", client.stream().arrived()).await;
        // Closing with unread data sends a reset. The emit makes the server write before it reads.
        drop(client);
        let _ = socket.send("too late");
        soon("end", socket.closed()).await;
        assert_eq!(seen.next().await, "transport error");
    }
}

#[tokio::test]
async fn a_client_that_closes_during_a_download_receives_started_messages_and_the_close_frame() {
    let server = serve(Hub::builder().build().expect("a hub")).await;
    let mut client = server.connect("a").await;
    fill(&connected(&server).await);
    client.0.send(Message::Close(None)).await.expect("sent");
    let messages = rest(&mut client).await;
    assert!(messages.last().is_some_and(Message::is_close), "{} messages, but no close frame", messages.len());
}

#[tokio::test]
async fn a_client_that_exceeds_max_payload_during_a_download_receives_the_close_code() {
    let server = serve(Hub::builder().max_payload(1000).build().expect("a hub")).await;
    let mut client = server.connect("a").await;
    fill(&connected(&server).await);
    client.send("y".repeat(2000)).await;
    let messages = rest(&mut client).await;
    let Some(Message::Close(Some(frame))) = messages.last() else { panic!("no close frame") };
    assert_eq!(u16::from(frame.code), 1009);
}

#[tokio::test]
async fn a_ping_during_a_download_is_answered_after_the_queued_messages() {
    let server = serve(Hub::builder().build().expect("a hub")).await;
    let mut client = server.connect("a").await;
    fill(&connected(&server).await);
    client.ping(b"there?").await;
    let mut large = 0;
    loop {
        match soon("pong", client.0.next()).await {
            Some(Ok(Message::Pong(payload))) => break assert_eq!(&payload[..], b"there?"),
            Some(Ok(_)) => large += 1,
            end => panic!("{end:?} after {large} messages"),
        }
    }
}

/// A hub with a short ping interval, and a receiver for the disconnect reason of its only client.
async fn serve_with_short_ping_interval() -> (Server, Seen) {
    let (log, seen) = log();
    let builder = Hub::builder().ping_interval(Duration::from_millis(50)).ping_timeout(Duration::from_secs(1));
    let hub = builder.outbox(100, 50_000_000).build().expect("a hub");
    hub.on("disconnect", move |payload: EventPayload| log.note(String::from_utf8_lossy(&payload.data)));
    (serve(hub).await, seen)
}

#[tokio::test]
async fn a_client_that_reads_slowly_does_not_time_out() {
    let (server, mut seen) = serve_with_short_ping_interval().await;
    let mut client = server.connect("a").await;
    let socket = connected(&server).await;
    // The kernel's buffers must not hold all of the data. Only data that the client reads proves
    // that it is alive.
    for _ in 0..4 {
        fill(&socket);
    }
    let stream = client.stream();
    // Three times the timeout, and long before the client reaches the ping behind the data.
    let mut pace = interval(Duration::from_millis(20));
    let mut buffer = vec![0; 40_000];
    for _ in 0..150 {
        pace.tick().await;
        stream.read_exact(&mut buffer).await.expect("the server goes on");
    }
    assert_eq!(server.hub.len(), 1);
    drop(client);
    assert_eq!(seen.next().await, "transport error");
}

#[tokio::test]
async fn a_client_that_sends_slowly_does_not_time_out() {
    let (server, mut seen) = serve_with_short_ping_interval().await;
    let mut client = server.connect("a").await;
    connected(&server).await;
    let stream = client.stream();
    // The header of a binary message of 800,000 bytes.
    stream.write_all(&[0x82, 0xff, 0, 0, 0, 0, 0, 0x0c, 0x35, 0, 0, 0, 0, 0]).await.expect("sent");
    let mut pace = interval(Duration::from_millis(10));
    for _ in 0..150 {
        pace.tick().await;
        stream.write_all(&[0; 4000]).await.expect("sent");
    }
    assert_eq!(server.hub.len(), 1);
    drop(client);
    assert_eq!(seen.next().await, "transport error");
}

#[tokio::test]
async fn delivered_messages_no_longer_count_for_the_outbox() {
    let (log, mut seen) = log();
    // The outbox holds the messages of one event a hundred times over, but not those of all events
    // that are read at once.
    let hub = Hub::builder().outbox(300, 1_000_000).build().expect("a hub");
    hub.on("flood", |payload: EventPayload| {
        for number in 0..3 {
            let _ = payload.socket.emit(("flooded", number));
        }
    });
    hub.on("disconnect", move |payload: EventPayload| log.note(String::from_utf8_lossy(&payload.data)));
    let server = serve(hub).await;
    let client = server.connect("a").await;
    let (mut sink, mut stream) = client.0.split();
    let reading = tokio::spawn(async move {
        for at in 0..1_200 {
            match soon("message", stream.next()).await {
                Some(Ok(Message::Text(_))) => {}
                end => panic!("{end:?} after {at} messages"),
            }
        }
        stream
    });
    for _ in 0..400 {
        sink.feed(Message::text(r#"{"event":"flood"}"#)).await.expect("sent");
    }
    sink.flush().await.expect("sent");
    let _stream = reading.await.expect("all of them");
    seen.expect_nothing();
}

#[tokio::test]
async fn timeouts_may_be_as_long_as_duration_max() {
    let forever = Duration::MAX;
    let builder = Hub::builder().ping_interval(forever).ping_timeout(forever).connect_timeout(forever);
    let server = serve(builder.close_timeout(forever).ack_timeout(forever).build().expect("a hub")).await;
    let mut client = server.connect("a").await;
    assert_eq!(client.ask("nothing", 1).await["error"]["code"], "unknown_event");
    connected(&server).await.close();
    assert!(rest(&mut client).await.last().is_some_and(Message::is_close));
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn a_listener_that_captures_its_socket_is_dropped_with_the_socket() {
        let held = Arc::new(());
        let weak = Arc::downgrade(&held);
        let hub = Hub::builder().build().expect("a hub");
        let route = hub.websocket().on_open(move |socket: Socket| {
            let (own, held) = (socket.clone(), Arc::clone(&held));
            socket.on("hello", move |_| {
                let _ = (&held, own.send("hello"));
            });
        });
        let server = serve_route(hub, route).await;
        let mut client = server.connect("a").await;
        client.send(r#"{"event":"hello"}"#).await;
        client.next().await.expect("an answer");
        assert_eq!(weak.strong_count(), 2);
        drop(client);
        let gone = async {
            while weak.strong_count() != 1 {
                tokio::task::yield_now().await;
            }
        };
        soon("end of the listener", gone).await;
    }
}
