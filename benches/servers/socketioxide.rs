//! socketioxide on axum, as in its documentation, with `TCP_NODELAY`.

mod shared;

use axum::Router;
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use shared::listen;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use std::io;

/// The largest payload in bytes, as for the other servers.
const MAX_PAYLOAD: u64 = 1_000_000;

/// The payload. It owns its data, because handlers of socketioxide can't borrow.
#[derive(Serialize, Deserialize)]
struct Message {
    t: String,
    user: String,
    room: u32,
    text: String,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (layer, io) = SocketIo::builder().max_payload(MAX_PAYLOAD).build_layer();
    let all = io.clone();
    io.ns("/", async move |socket: SocketRef| {
        socket.on("echo", async |socket: SocketRef, Data(message): Data<Message>| {
            _ = socket.emit("echo", &message);
        });
        socket.on("ack", async |ack: AckSender, Data(message): Data<Message>| {
            _ = ack.send(&message);
        });
        socket.on("broadcast", async move |Data(message): Data<Message>| {
            _ = all.emit("broadcast", &message).await;
        });
    });
    let listener = listen("socketioxide").await?.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, Router::new().layer(layer)).await
}
