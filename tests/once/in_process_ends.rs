//! How connections of `socketio::testing` end: by the server, by the client, at a limit, or by a
//! timeout.

use socketio::testing::{TestError, settle};
use socketio::{AckError, Disconnect, EventError, Hub, HubBuilder, Socket, State, Text, event, events};
use socketio_tests::in_process::{both, kinds};
use socketio_tests::{Log, Seen, log};
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[event("join")]
fn join(socket: &Socket, room: String) -> Result<(), EventError> {
    socket.join(&room).map_err(|error| EventError::new("not_joined", error.to_string()))?;
    socket.to(&room).emit(("joined", socket.id(), room)).map_err(EventError::from)
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(end);
}

fn builder() -> (HubBuilder, Seen) {
    let (log, seen) = log();
    (Hub::builder().state(log).events(events![join, disconnect]), seen)
}

fn hub() -> (Hub, Seen) {
    let (builder, seen) = builder();
    (builder.build().expect("a hub"), seen)
}

#[tokio::test(start_paused = true)]
async fn the_server_ends_connections() -> Result<(), TestError> {
    let shut = "transport close (1001): server shutting down";
    for (how, socketio, plain) in [
        ("disconnect", "io server disconnect", "transport close (1000)"),
        ("close", "io server disconnect", "transport close (1000)"),
        ("close with", "io server disconnect", "transport close (4001): bye"),
        ("shutdown", shut, shut),
    ] {
        for (at, expected) in [socketio, plain].into_iter().enumerate() {
            let (hub, _seen) = hub();
            let mut client = kinds(&hub)[at].clone().connect().await?;
            let socket = hub.socket(client.id()).expect("the socket is connected");
            socket.emit(("last",)).expect("queued");
            match how {
                "disconnect" => socket.disconnect(),
                "close" => socket.close(),
                "close with" => socket.close_with(4001, "bye"),
                _ => {
                    let hub = hub.clone();
                    tokio::spawn(async move { hub.shutdown(Duration::from_secs(1)).await });
                }
            }
            client.expect_event("last").await?;
            assert_eq!(client.expect_end().await?.to_string(), expected);
            settle().await;
            assert_eq!(hub.stats().connections, 0);
            let error = client.emit(("too late",)).expect_err("the connection has ended");
            assert_eq!(error.to_string(), format!("the connection has ended: {expected}"));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_client_ends_connections() -> Result<(), TestError> {
    let (hub, mut seen) = hub();
    let [socketio, plain] = kinds(&hub);
    socketio.clone().connect().await?.disconnect().await;
    plain.clone().connect().await?.disconnect().await;
    assert_eq!((hub.len(), hub.stats().connections), (0, 0));
    socketio.clone().connect().await?.close_with(4001, "tired").await;
    plain.clone().connect().await?.close_with(4001, "tired").await;
    drop(socketio.clone().connect().await?);
    settle().await;
    drop(plain.clone().connect().await?);
    settle().await;
    seen.expect(&["client namespace disconnect", "transport close (1005)"]).await;
    seen.expect(&["transport close (4001): tired", "transport close (4001): tired"]).await;
    seen.expect(&["transport close: the connection was cut", "transport error: the connection was cut"]).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_sent_before_a_cut_are_handled() -> Result<(), TestError> {
    let (hub, _seen) = hub();
    for [client, mut other] in [both(&hub).await?, both(&hub).await?] {
        other.request::<()>("join", "room").await?;
        client.emit(("join", "room"))?;
        let id = client.id();
        drop(client);
        other.expect_exact(("joined", id, "room")).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn limits_apply_to_in_process_clients() -> Result<(), TestError> {
    let (builder, mut seen) = builder();
    let hub = builder.max_payload(1000).max_rooms(2).build().expect("a hub");
    for mut client in both(&hub).await? {
        client.request::<()>("join", &"x".repeat(900)).await?;
        client.request::<()>("join", "second").await?;
        let error = client.request::<()>("join", "third").await.expect_err("one too many");
        assert_eq!(error.failed().map(EventError::code), Some("not_joined"));
        client.emit(("join", "x".repeat(1000)))?;
        let ended = client.expect_end().await?;
        assert_eq!((ended.reason(), ended.code()), ("transport close", Some(1009)));
        assert!(seen.next().await.starts_with("payload too large (1009)"));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_overflows_its_outbox() -> Result<(), TestError> {
    let (builder, mut seen) = builder();
    let hub = builder.outbox(10, 100_000).build().expect("a hub");
    for client in both(&hub).await? {
        client.freeze();
        settle().await;
        let text = "x".repeat(10_000);
        while hub.emit_to(client.id(), Text(&*text)).is_ok() {
            settle().await;
        }
        drop(client);
        seen.expect(&["overflow (1013)"]).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn heartbeats_use_the_paused_clock() -> Result<(), TestError> {
    let (hub, mut seen) = hub();
    let alive = both(&hub).await?;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(hub.len(), 2);
    drop(alive);
    for _ in 0..2 {
        assert!(seen.next().await.ends_with("the connection was cut"));
    }
    for client in kinds(&hub) {
        let client = client.connect().await?;
        client.freeze();
        sleep(Duration::from_millis(44_900)).await;
        seen.expect_nothing();
        sleep(Duration::from_millis(100)).await;
        seen.expect(&["ping timeout"]).await;
        let error = client.request::<()>("join", "room").await.expect_err("the client is frozen");
        assert!(error.to_string().starts_with("expected an answer to `join`; nothing arrived for 5s"), "{error}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_pending_ack_does_not_keep_the_connection_open() -> Result<(), TestError> {
    let (hub, _seen) = hub();
    for kind in kinds(&hub) {
        let mut client = kind.connect().await?;
        let asked = hub.socket(client.id()).expect("the socket is connected").emit_with_ack::<u8>(("which?",));
        let question = client.expect_event("which?").await?;
        drop(client);
        assert!(matches!(asked.await, Err(AckError::Closed)));
        let error = question.answer(7).expect_err("there is no client");
        assert_eq!(error.to_string(), "the client that received `which?` has been dropped");
    }
    Ok(())
}

#[event(connect)]
async fn never_returns() {
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_that_never_returns_times_out() -> Result<(), TestError> {
    let hub = Hub::builder().events(events![never_returns]).build().expect("a hub");
    for (client, how) in kinds(&hub).into_iter().zip(["", " with close code 1008"]) {
        let started = Instant::now();
        let error = client.connect().await.expect_err("the connect handler never returns");
        assert_eq!(error.to_string(), format!("the server refused the client{how}: the server took too long"));
        assert_eq!(started.elapsed().as_secs(), 10);
    }
    Ok(())
}
