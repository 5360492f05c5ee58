//! axum's WebSocket with a hand-written `match`, as a server without a framework. One task per
//! client waits for its messages and for broadcasts in a `select!`, similar to axum's chat example.

mod message;
mod shared;

use axum::Router;
use axum::extract::ws::{Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use axum::serve::ListenerExt;
use message::Message;
use serde::{Deserialize, Serialize};
use shared::listen;
use std::io;
use tokio::sync::broadcast;

/// How many broadcast messages are queued for a slow client.
const QUEUE_CAPACITY: usize = 1024;

/// The read buffer of a connection. It is allocated at the start, and 128 KiB by default.
const READ_BUFFER: usize = 4096;

#[derive(Deserialize)]
struct Envelope<'a> {
    event: &'a str,
    id: Option<u64>,
    #[serde(borrow)]
    data: Message<'a>,
}

#[derive(Serialize)]
struct Event<'a> {
    event: &'a str,
    data: Message<'a>,
}

#[derive(Serialize)]
struct Ack<'a> {
    id: u64,
    data: Message<'a>,
}

type Everyone = broadcast::Sender<Utf8Bytes>;

async fn serve(mut socket: WebSocket, everyone: Everyone) {
    let mut broadcast = everyone.subscribe();
    loop {
        let done = tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Frame::Text(text))) => handle(&mut socket, &everyone, &text).await,
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => return,
            },
            message = broadcast.recv() => match message {
                Ok(message) => socket.send(Frame::Text(message)).await,
                Err(_) => return,
            },
        };
        if done.is_err() {
            return;
        }
    }
}

async fn handle(socket: &mut WebSocket, everyone: &Everyone, text: &str) -> Result<(), axum::Error> {
    let Envelope { event, id, data } = serde_json::from_str(text).map_err(axum::Error::new)?;
    match event {
        "echo" => socket.send(text_of(&Event { event, data })).await,
        "ack" => socket.send(text_of(&Ack { id: id.unwrap_or_default(), data })).await,
        "broadcast" => {
            if let Frame::Text(text) = text_of(&Event { event, data }) {
                _ = everyone.send(text);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn text_of(value: &impl Serialize) -> Frame {
    Frame::text(serde_json::to_string(value).unwrap_or_default())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let everyone = Everyone::new(QUEUE_CAPACITY);
    let route = any(move |upgrade: WebSocketUpgrade| {
        let everyone = everyone.clone();
        async move { upgrade.read_buffer_size(READ_BUFFER).on_upgrade(move |socket| serve(socket, everyone)) }
    });
    let listener = listen("axum").await?.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, Router::new().route("/ws/{id}", route)).await
}
