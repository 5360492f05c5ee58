//! What the tests have in common: servers on a free port, and clients that are tungstenite's.

pub mod raw;

use axum::Router;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use socketio::{Hub, WebSocketRoute};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a test waits for what must come, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct Server {
    /// Its hub.
    pub hub: Hub,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Serves a hub's own route at `/ws/{id}`.
pub async fn serve(hub: Hub) -> Server {
    let route = hub.websocket();
    serve_route(hub, route).await
}

/// Serves a route at `/ws/{id}`.
pub async fn serve_route(hub: Hub, route: WebSocketRoute) -> Server {
    let app = Router::new().route("/ws/{id}", get(route));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { hub, address }
}

impl Server {
    /// Connects a client as `/ws/{id}`.
    pub async fn connect(&self, id: &str) -> Client {
        let url = format!("ws://{}/ws/{id}", self.address);
        Client(connect_async(url).await.expect("the server accepts").0)
    }
}

/// A client.
#[derive(Debug)]
pub struct Client(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Sends a text message.
    pub async fn send(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.expect("the server takes it");
    }

    /// The next message that is not a ping or pong; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message in time") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message, as JSON.
    pub async fn json(&mut self) -> Value {
        let message = self.next().await.expect("a message");
        serde_json::from_str(message.to_text().expect("a text message")).expect("JSON")
    }

    /// Sends an event with one argument and waits for the answer, other messages left aside.
    pub async fn ask(&mut self, event: &str, data: Value) -> Value {
        self.send(serde_json::json!({ "event": event, "data": data, "id": "ask" }).to_string()).await;
        loop {
            let answer = self.json().await;
            if answer["id"] == "ask" {
                return answer;
            }
        }
    }
}
