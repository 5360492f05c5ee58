//! A chat with rooms and direct messages, and two pages for it: `cargo run --example chat`, then
//! open <http://127.0.0.1:3000> in one tab and <http://127.0.0.1:3000/socketio/> in another.
//!
//! The first page is a plain WebSocket client. It connects to `/ws?name=…`, and sends and receives
//! envelopes such as `{"event": "say", "data": {"room": "lobby", "text": "hello"}, "id": 7}`. The
//! answer is `{"id": 7, "data": {"at": …}}`. The second page uses `socket.io-client` from npm (`npm
//! ci --prefix tests/node`): `io({ auth: { name: … } })`, `socket.emit("say", {…}, (answer) => …)`.
//! Both use the same handlers.
//!
//! | clients send | with | the answer is |
//! | --- | --- | --- |
//! | `join` | a room's name | its members and recent messages |
//! | `part` | a room's name | – |
//! | `say` | `Say`: a room and a text | the time of the message |
//! | `typing` | a room's name | – |
//! | `tell` | `Tell`: a person and a text | the time of the message, after that person's page acknowledged it |
//!
//! | clients receive | when |
//! | --- | --- |
//! | `welcome` | they have connected; it lists who is there |
//! | `arrived`, `left` | somebody connects or disconnects |
//! | `joined`, `parted`, `said`, `typing` | something happens in one of their rooms |
//! | `told` | somebody sends them a direct message; the page acknowledges it |
//! | `farewell` | the server closes their connection; it gives the reason |
//!
//! In `server`, `people.rs` has free handlers with [`State`](socketio::State), `rooms.rs` has
//! handlers that share `self`. Both styles are equivalent, and can be combined. `names.rs` shows
//! payload types that validate, `error.rs` errors that clients understand. `contract.rs` declares
//! the contract, which is exported to `page/ts/contract.ts`. `page/ts/connection.ts` uses it over a
//! plain WebSocket, `page/ts/socketio.ts` over `socket.io-client`. `node tests/node/bundle.mjs`
//! bundles them for the pages. <http://127.0.0.1:3000/docs/> shows the contract, and can send its
//! events. `tests.rs` tests the hub with in-process clients.
//!
//! The button beside your name cuts the page off from the network. When it is back, the page
//! resumes its session, and shows what was said meanwhile.
//!
//! If the environment variable `REDIS_URL` is set, all servers with that Redis are one chat. The
//! example `cluster` shows two such servers side by side. With `REDIS_STREAMS_URL` instead, they
//! are one chat over Redis Streams: pages resume their sessions at any server, also after theirs
//! was killed.

mod contract;
mod page;
mod server;

#[cfg(test)]
mod tests;

use axum::routing::get;
use socketio::{AsyncApiInfo, Hub, HubBuilder, Persist, Recovery};
use socketio_redis::{Redis, RedisStreams};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = builder();
    if let Ok(url) = std::env::var("REDIS_STREAMS_URL") {
        builder = builder.cluster(RedisStreams::new(url)?).recovery(Recovery::new().persist(Persist::Eager));
    } else if std::env::var_os("REDIS_URL").is_some() {
        builder = builder.cluster(Redis::from_env()?);
    }
    let hub = builder.build()?;
    let info = AsyncApiInfo::new("Chat", env!("CARGO_PKG_VERSION"));
    let app = page::router()
        .route("/ws", get(hub.websocket()))
        .merge(hub.socketio().serve_client(socketio_examples::client_directory()))
        .merge(hub.docs::<contract::Chat>(info).websocket("/", "/ws?name=reader"));
    socketio_examples::say_what_needs_the_client("The page /socketio/")?;
    socketio_examples::serve("chat", app, hub).await?;
    Ok(())
}

fn builder() -> HubBuilder {
    // Pages whose connection was cut receive what was said in the meantime.
    server::add(Hub::builder()).recovery(Recovery::new()).contract::<contract::Chat>()
}
