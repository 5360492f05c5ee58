//! Connections over something else than TCP: here a Unix socket, on which the HTTP server keeps its own stream.

use axum::Router;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use socketio::{Hub, Socket, event, events};
use tokio::net::{UnixListener, UnixStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

#[event("double")]
async fn double(socket: &Socket, text: String) -> String {
    assert_eq!(socket.peer_addr(), None);
    text.repeat(2)
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let hub = Hub::builder().events(events![double]).build().expect("a hub");
    let app: Router = Router::new().route("/ws", get(hub.websocket()));
    let path = std::env::temp_dir().join(format!("socketio-streams-{}", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a new socket");
    tokio::spawn(async move { axum::serve(listener, app).await });

    let stream = UnixStream::connect(&path).await.expect("the server listens");
    std::fs::remove_file(&path).expect("the socket's file");
    let (mut client, _) = client_async("ws://localhost/ws", stream).await.expect("the server accepts");
    // Small, and larger than every buffer on the way.
    for length in [1, 1_000, 400_000] {
        let text = "x".repeat(length);
        client
            .send(Message::text(format!(r#"{{"event":"double","data":"{text}","id":1}}"#)))
            .await
            .expect("it is taken");
        let answer = client.next().await.expect("an answer").expect("a message");
        assert_eq!(answer.to_text().expect("a text"), format!(r#"{{"id":1,"data":"{text}{text}"}}"#));
    }
    client.close(None).await.expect("it can be closed");
    while let Some(Ok(message)) = client.next().await {
        assert!(message.is_close());
    }
    while !hub.is_empty() {
        tokio::task::yield_now().await;
    }
}
