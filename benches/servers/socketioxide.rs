//! socketioxide on axum, as its documentation has it, with `TCP_NODELAY`.

mod shared;

use axum::Router;
use axum::serve::ListenerExt;
use shared::{Message, listen};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use std::io;

#[tokio::main]
async fn main() -> io::Result<()> {
    let (layer, io) = SocketIo::new_layer();
    let all = io.clone();
    io.ns("/", async move |socket: SocketRef| {
        socket.on("echo", async |socket: SocketRef, Data(message): Data<Message<'static>>| {
            _ = socket.emit("echo", &message);
        });
        socket.on("ack", async |ack: AckSender, Data(message): Data<Message<'static>>| {
            _ = ack.send(&message);
        });
        socket.on("broadcast", async move |Data(message): Data<Message<'static>>| {
            _ = all.emit("broadcast", &message).await;
        });
    });
    let listener = listen("socketioxide").await?.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, Router::new().layer(layer)).await
}
