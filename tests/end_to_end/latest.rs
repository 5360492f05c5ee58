//! Of the events that are `latest`, only the newest value waits for a client that does not read.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::{AckError, Binary, EmitError, Hub, HubBuilder, OverflowPolicy, Socket, event, events};
use socketio_tests::{Client, Server, serve, soon};

#[event("price", latest(key = "symbol"))]
#[derive(Serialize)]
struct Price<'a> {
    symbol: &'a str,
    value: u32,
}

#[event("players", latest)]
#[derive(Serialize)]
struct Players(u32);

#[event("picture", latest(key = "0"))]
#[derive(Deserialize, Serialize)]
struct Picture(u8, Binary, Binary);

fn price(symbol: &str, value: u32) -> Price<'_> {
    Price { symbol, value }
}

async fn server(builder: HubBuilder) -> Server {
    serve(builder.build().expect("a hub")).await
}

async fn connected(server: &Server) -> (Client, Socket) {
    let mut client = server.connect("slow").await;
    client.settle().await;
    let socket = server.hub.sockets().pop().expect("a connected socket");
    (client, socket)
}

/// Connects a client that does not read, until it takes no more.
async fn slow(server: &Server) -> (Client, Socket) {
    let (client, socket) = connected(server).await;
    // This exceeds the kernel's buffers.
    socket.send("x".repeat(7_000_000)).expect("queued");
    soon("blocked client", async {
        while server.hub.stats().conflated == 0 {
            socket.latest().emit(("probe",)).expect("queued");
            tokio::task::yield_now().await;
        }
    })
    .await;
    (client, socket)
}

/// The events up to `end`, without those that made the client slow.
async fn events(client: &mut Client) -> Vec<(String, Value)> {
    assert_eq!(client.text().await.len(), 7_000_000);
    let mut events = Vec::new();
    loop {
        let mut event = client.json().await;
        let data = if event["args"].is_null() { event["data"].take() } else { event["args"].take() };
        match event["event"].as_str().expect("an event") {
            "probe" => {}
            "end" => return events,
            name => events.push((name.to_owned(), data)),
        }
    }
}

fn expected<const N: usize>(events: [(&str, Value); N]) -> Vec<(String, Value)> {
    events.into_iter().map(|(name, data)| (name.to_owned(), data)).collect()
}

/// How many messages were replaced since the client is slow.
fn conflated(server: &Server, before: u64) -> u64 {
    server.hub.stats().conflated - before
}

#[tokio::test]
async fn a_newer_value_comes_in_the_place_of_an_older_one_and_behind_all_others() {
    let server = server(Hub::builder()).await;
    let (mut client, socket) = slow(&server).await;
    socket.join("room").expect("there is room");
    let before = server.hub.stats().conflated;
    let price_of = |symbol, value| ("price", json!({ "symbol": symbol, "value": value }));
    socket.emit(&price("AAPL", 1)).expect("queued");
    socket.emit(&price("MSFT", 1)).expect("queued");
    socket.emit(("trade", 1)).expect("queued");
    server.hub.emit(&price("AAPL", 2)).expect("queued");
    socket.emit(("trade", 2)).expect("queued");
    server.hub.to("room").emit(&price("MSFT", 2)).expect("queued");
    server.hub.emit_to(socket.id(), &price("AAPL", 3)).expect("queued");
    socket.emit(("end",)).expect("queued");
    let expected = expected([("trade", json!(1)), ("trade", json!(2)), price_of("MSFT", 2), price_of("AAPL", 3)]);
    assert_eq!(events(&mut client).await, expected);
    assert_eq!(conflated(&server, before), 3);
}

#[tokio::test]
async fn each_emit_can_choose_that_only_the_latest_value_waits() {
    let server = server(Hub::builder()).await;
    let (mut client, socket) = slow(&server).await;
    let before = server.hub.stats().conflated;
    for round in 0..3 {
        socket.latest().emit(("position", round)).expect("queued");
        server.hub.latest_by("a").emit(("position", "a", round)).expect("queued");
        server.hub.of("/").latest_by(7).emit(("position", 7, round)).expect("queued");
        server.hub.to(socket.id()).latest_by(String::from("a")).emit(("other", round)).expect("queued");
        socket.latest().emit(&price("AAPL", round)).expect("queued");
        socket.latest_by(round).emit(&Players(round)).expect("queued");
        socket.emit(&Players(10 + round)).expect("queued");
        socket.latest_by("").send("position").expect("queued");
    }
    assert_eq!(conflated(&server, before), 2 * 7);
    socket.emit(("end",)).expect("queued");
    assert_eq!(client.text().await.len(), 7_000_000);
    let mut received = Vec::new();
    loop {
        let text = client.text().await;
        match serde_json::from_str::<Value>(&text) {
            Ok(event) if event["event"] == "end" => break,
            Ok(event) if event["event"] == "probe" => {}
            _ => received.push(text),
        }
    }
    let of = |event: Value| event.to_string();
    let player = |number: u32| of(json!({ "event": "players", "data": number }));
    let expected = [
        player(0),
        player(1),
        of(json!({ "event": "position", "data": 2 })),
        of(json!({ "event": "position", "args": ["a", 2] })),
        of(json!({ "event": "position", "args": [7, 2] })),
        of(json!({ "event": "other", "data": 2 })),
        of(json!({ "event": "price", "data": { "symbol": "AAPL", "value": 2 } })),
        player(2),
        player(12),
        "position".to_owned(),
    ];
    let parsed = |text: &String| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text));
    assert_eq!(received.iter().map(parsed).collect::<Vec<_>>(), expected.iter().map(parsed).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_with_binary_data_is_replaced_as_a_whole() {
    let server = server(Hub::builder()).await;
    let (mut client, socket) = slow(&server).await;
    let before = server.hub.stats().conflated;
    // Some attachments are copied into the outbox, and some are shared.
    let picture = |key, fill, length| Picture(key, vec![fill; length].into(), vec![fill; 10_000 - length].into());
    for fill in 0..9 {
        socket.emit(&picture(fill % 2, fill, usize::from(fill) * 1_000)).expect("queued");
        socket.emit(("number", fill)).expect("queued");
    }
    socket.emit(("end",)).expect("queued");
    let mut received = events(&mut client).await;
    received.retain(|(name, _)| name == "picture");
    assert_eq!(conflated(&server, before), 7);
    let decoded = received.into_iter().map(|(_, data)| serde_json::from_value::<Picture>(data).expect("a picture"));
    let lengths: Vec<_> = decoded.map(|Picture(key, a, b)| (key, a.len(), b.len(), a.last().copied())).collect();
    assert_eq!(lengths, [(1, 7_000, 3_000, Some(7)), (0, 8_000, 2_000, Some(8))]);
}

#[tokio::test]
async fn values_that_are_replaced_fill_no_outbox() {
    let server = server(Hub::builder().outbox(10, 8_000_000).overflow(OverflowPolicy::DropNewest)).await;
    let (mut client, socket) = slow(&server).await;
    for number in 0..10_000 {
        socket.emit(&Players(number)).expect("there is room");
    }
    // They, `players`, `probe` and what is left of the large message are ten.
    let taken = (0..20).take_while(|number| socket.emit(("other", number)).is_ok()).count();
    assert!((5..=9).contains(&taken), "{taken}");
    socket.emit(&Players(10_000)).expect("it takes the place of another");
    assert!(matches!(socket.emit(&price("AAPL", 0)), Err(EmitError::Overflow)), "it is another event");
    socket.volatile().emit(&Players(10_001)).expect("dropped without an error");
    assert_eq!(server.hub.stats().overflows, 1);
    assert_eq!(client.text().await.len(), 7_000_000);
    let mut last = Value::Null;
    while last["event"] != "players" {
        last = client.json().await;
    }
    assert_eq!(last["data"], 10_000);
    client.settle().await;
}

#[tokio::test]
async fn of_what_is_emitted_before_the_client_is_accepted_it_gets_the_latest() {
    #[event(connect)]
    fn connect(socket: &Socket) -> Result<(), EmitError> {
        socket.emit(&Players(1))?;
        socket.emit(("hello",))?;
        socket.emit(&Players(2))
    }
    let server = server(Hub::builder().events(events![connect])).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.json().await["event"], "hello");
    assert_eq!(client.json().await, json!({ "event": "players", "data": 2 }));
    assert_eq!(server.hub.stats().conflated, 1);
}

#[tokio::test]
async fn events_that_await_an_ack_cannot_be_latest() {
    let server = server(Hub::builder()).await;
    let (mut client, socket) = connected(&server).await;
    let wrong = |asked: Result<u8, AckError>| matches!(asked, Err(AckError::Emit(EmitError::LatestWithAck)));
    assert!(wrong(socket.emit_with_ack(&Players(1)).await));
    assert!(wrong(socket.timeout(std::time::Duration::from_secs(1)).emit_with_ack(&Players(1)).await));
    for asked in [
        server.hub.emit_with_ack::<u8>(&Players(1)).await,
        server.hub.latest().emit_with_ack(("players?",)).await,
        socket.latest_by("x").emit_with_ack(("players?",)).await,
    ] {
        assert!(matches!(asked, Err(AckError::Emit(EmitError::LatestWithAck))), "{asked:?}");
    }
    assert!(matches!(socket.reliable().emit(&Players(1)), Err(EmitError::LatestWithAck)));
    socket.send("nothing else was sent").expect("sent");
    assert_eq!(client.text().await, "nothing else was sent");
}

mod websocket_only {
    use super::*;
    use socketio_tests::websocket_only;

    #[event("count")]
    fn count(socket: &Socket, to: u32) -> Result<(), EmitError> {
        (0..to).try_for_each(|number| socket.emit(&Players(number)))
    }

    // A client that polls takes nothing between its polls.
    #[tokio::test]
    async fn a_client_that_reads_gets_every_value() {
        websocket_only();
        let server = server(Hub::builder().events(events![count])).await;
        let (mut client, _) = connected(&server).await;
        client.emit("count", 1_000).await;
        for number in 0..1_000 {
            assert_eq!(client.json().await, json!({ "event": "players", "data": number }));
        }
        assert_eq!(server.hub.stats().conflated, 0);
    }
}
