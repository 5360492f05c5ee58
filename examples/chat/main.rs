//! A chat with rooms and direct messages, and two pages for it: `cargo run --example chat`, then open
//! <http://127.0.0.1:3000> in one tab and <http://127.0.0.1:3000/socketio/> in another.
//!
//! The first page is a plain WebSocket client. It connects to `/ws?name=…` and sends and receives envelopes,
//! `{"event": "say", "data": {"room": "lobby", "text": "hello"}, "id": 7}`; the answer is `{"id": 7, "data": {"at": …}}`.
//! The second one is a Socket.IO client, with `socket.io-client` from npm (`npm ci --prefix tests/node`):
//! `io({ auth: { name: … } })`, `socket.emit("say", {…}, (answer) => …)`. The handlers are the same, and do not know which it is.
//!
//! | clients send | with | and are answered |
//! | --- | --- | --- |
//! | `join` | a room's name | who is there and what was said |
//! | `part` | a room's name | – |
//! | `say` | `Say`: a room and a text | when it was said |
//! | `typing` | a room's name | – |
//! | `tell` | `Tell`: a person and a text | when it was delivered to that person's page |
//!
//! | clients receive | when |
//! | --- | --- |
//! | `welcome` | they are let in; it says who is there |
//! | `arrived`, `left` | somebody comes or goes |
//! | `joined`, `parted`, `said`, `typing` | something happens in one of their rooms |
//! | `told` | somebody tells them something; the page answers, and that is what "delivered" means |
//! | `farewell` | the server closes their connection, and says why |
//!
//! `people.rs` has free handlers with [`State`](socketio::State), `rooms.rs` has handlers that share `self`: both ways do
//! the same, and go together. `names.rs` shows payloads that can't be wrong, `error.rs` errors that clients understand.
//! `contract.rs` gathers all of it, and is exported to `page/ts/contract.ts`; with that, `page/ts/connection.ts` is all that a plain
//! client needs, `page/ts/socketio.ts` the same over `socket.io-client`. The pages load what `node tests/node/bundle.mjs` makes of them.
//! <http://127.0.0.1:3000/docs/> shows the contract, and sends its events.
//! `tests.rs` talks to the hub as pages do, in the process of the tests.

mod contract;
mod error;
mod names;
mod page;
mod people;
mod rooms;

#[cfg(test)]
mod tests;

use axum::routing::get;
use socketio::{AsyncApiInfo, BuildError, Hub};
use std::time::{SystemTime, UNIX_EPOCH};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = hub()?;
    let info = AsyncApiInfo::new("Chat", env!("CARGO_PKG_VERSION"));
    let app = page::router()
        .route("/ws", get(hub.websocket()))
        .merge(hub.socketio().serve_client(socketio_examples::client_directory()))
        .merge(hub.docs::<contract::Chat>(info).websocket("/", "/ws?name=reader"));
    socketio_examples::serve("chat", app, hub).await?;
    Ok(())
}

fn hub() -> Result<Hub, BuildError> {
    Hub::builder()
        .state(people::People::default())
        .events(people::EVENTS)
        .events(rooms::Rooms::default())
        .contract::<contract::Chat>()
        .max_rooms(20)
        .build()
}

/// The time in milliseconds since 1970, as browsers count it.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
