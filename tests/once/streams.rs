//! The stream of a connection: the TCP socket itself for every HTTP server, or the server's own
//! stream, here a Unix socket.

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::map_request;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use socketio::{EmitError, Hub, Socket, event, events};
use socketio_tests::serve;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

#[event("double")]
async fn double(socket: &Socket, text: String) -> String {
    assert_eq!(socket.peer_addr(), None);
    text.repeat(2)
}

#[tokio::test]
async fn hubs_can_be_served_on_a_unix_socket() {
    let hub = Hub::builder().events(events![double]).build().expect("a hub");
    let app: Router = Router::new().route("/ws", get(hub.websocket()));
    let path = std::env::temp_dir().join(format!("socketio-streams-{}", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a new socket");
    tokio::spawn(async move { axum::serve(listener, app).await });

    let stream = UnixStream::connect(&path).await.expect("the server listens");
    std::fs::remove_file(&path).expect("the socket's file");
    let (mut client, _) = client_async("ws://localhost/ws", stream).await.expect("the server accepts");
    // From small to larger than every buffer.
    for length in [1, 1_000, 400_000] {
        let text = "x".repeat(length);
        client.send(Message::text(format!(r#"{{"event":"double","data":"{text}","id":1}}"#))).await.expect("sent");
        let answer = client.next().await.expect("an answer").expect("a message");
        assert_eq!(answer.to_text().expect("a text"), format!(r#"{{"id":1,"data":"{text}{text}"}}"#));
    }
    client.close(None).await.expect("closed");
    while let Some(Ok(message)) = client.next().await {
        assert!(message.is_close());
    }
    while !hub.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[event("peer")]
fn peer(socket: &Socket) -> Option<String> {
    socket.peer_addr().map(|address| address.to_string())
}

/// The client address that a socket of this server reports.
async fn seen_address(server: SocketAddr) -> (Value, SocketAddr) {
    let stream = TcpStream::connect(server).await.expect("connected");
    let own = stream.local_addr().expect("an address");
    let (mut client, _) = client_async("ws://localhost/ws", stream).await.expect("the server accepts");
    client.send(Message::text(r#"{"event":"peer","id":1}"#)).await.expect("sent");
    let answer = client.next().await.expect("an answer").expect("a message");
    let mut answer: Value = serde_json::from_str(answer.to_text().expect("a text")).expect("JSON");
    (answer["data"].take(), own)
}

/// The HTTP server's own address is removed, so that the socket must read it from its stream.
#[tokio::test]
async fn the_tcp_stream_is_extracted_for_every_http_server() {
    async fn remove_connect_info(mut request: Request) -> Request {
        request.extensions_mut().remove::<ConnectInfo<SocketAddr>>();
        request
    }
    let hub = Hub::builder().events(events![peer]).build().expect("a hub");
    let app: Router = Router::new().route("/ws", get(hub.websocket())).layer(map_request(remove_connect_info));
    let listen = async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        (listener, address)
    };

    let (listener, axums) = listen().await;
    let service = app.clone();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let (listener, ours) = listen().await;
    let service = app.clone();
    tokio::spawn(async move { socketio::serve(listener, service).await });
    let (listener, hypers) = listen().await;
    let route = hub.websocket();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let service = TowerToHyperService::new(route);
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await
    });

    for server in [axums, ours, hypers] {
        let (seen, own) = seen_address(server).await;
        assert_eq!(seen, own.to_string());
    }
}

/// Broadcasts far more messages than an outbox holds to all other sockets.
#[event("flood")]
fn flood(socket: &Socket) -> Result<(), EmitError> {
    (0..3_000).try_for_each(|number| socket.broadcast(("flooded", number), true))
}

#[tokio::test]
async fn messages_that_the_kernel_accepts_do_not_count_for_the_outbox() {
    let server = serve(Hub::builder().events(events![flood]).outbox(300, 1_000_000).build().expect("a hub")).await;
    let mut sender = server.connect("sender").await;
    let mut receiver = server.connect("receiver").await;
    assert_eq!(sender.ask("flood", ()).await, json!({ "id": "ask" }));
    for number in 0..3_000 {
        assert_eq!(receiver.json().await, json!({ "event": "flooded", "data": number }));
    }
    assert_eq!(receiver.ask("flood", ()).await, json!({ "id": "ask" }));
}
