//! Two servers of the chat that are one cluster over Redis: `cargo run --example cluster`, then
//! open <http://127.0.0.1:3000>. The page shows both servers side by side. A message that is typed
//! on one of them appears on the other.
//!
//! Both servers are in one process, and listen on the ports 3000 and 3001. They share nothing but
//! Redis: that of the environment variable `REDIS_URL`, or a `redis-server` or `valkey-server` of
//! this machine, which is started as a child. To see what happens without Redis, end it with
//! `kill PID` and start it again with `redis-server --port PORT`; the program prints both numbers.
//!
//! The handlers are those of the example `chat`: the line `.cluster(Redis::new(url)?)` is all that
//! makes its servers a cluster. `figures.rs` sends the event `cluster` once a second, with the
//! health and the counters of the server that the client is connected to.
//!
//! A third server, on Node.js, has the same events. The page shows it if the environment variable
//! `NODE_URL` is set:
//!
//! ```sh
//! npm install --prefix examples/cluster/node
//! REDIS_URL=redis://127.0.0.1:6379 node examples/cluster/node/server.mjs
//! REDIS_URL=redis://127.0.0.1:6379 NODE_URL=http://127.0.0.1:4000 cargo run --example cluster
//! ```
//!
//! `compose.yaml` runs such servers in containers, behind nginx.
//! <http://127.0.0.1:3000/docs/> shows the contract.

#[path = "../chat/server/mod.rs"]
mod chat;
mod figures;
mod page;
mod redis;

use axum::Router;
use axum::routing::get;
use socketio::{AsyncApiInfo, Hub, contract};
use socketio_examples::{client_directory, listener_after, serve_on};
use socketio_redis::Redis;

use chat::people::{self, Arrived, Farewell, Left, Told, Welcome};
use chat::rooms::{Joined, Parted, Rooms, Said, Typing};
use figures::Figures;
use page::Page;
use redis::Store;

contract! {
    /// A chat on several servers, with the figures of the server that the client is connected to.
    #[export(asyncapi)]
    ClusterChat {
        "/" {
            receives [people::tell, Rooms::join, Rooms::part, Rooms::say, Rooms::typing]
            emits [Welcome, Arrived, Left, Joined, Parted, Said, Typing, Told, Farewell, Figures]
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listeners = [listener_after(0).await?, listener_after(1).await?];
    let page = Page::of([listeners[0].local_addr()?, listeners[1].local_addr()?], std::env::var("NODE_URL").ok());
    if page.has_node() {
        socketio_examples::say_what_needs_the_client("The server on Node.js")?;
    }
    // A server that was started here runs until the end of this function.
    let store = Store::find().map_err(|error| error.to_string())?;
    let hubs = [hub(&store, &page)?, hub(&store, &page)?];
    for hub in &hubs {
        tokio::spawn(figures::send(hub.clone()));
    }
    let [one, two] = hubs;
    let apps = [app(&one, &page), app(&two, &page)];
    let ([first, second], [one_app, two_app]) = (listeners, apps);
    tokio::try_join!(
        serve_on("server 1", "http", first, one_app, one),
        serve_on("server 2", "http", second, two_app, two),
    )?;
    Ok(())
}

/// One server of the cluster.
fn hub(store: &Store, page: &Page) -> Result<Hub, Box<dyn std::error::Error>> {
    let engine = Redis::new(store.url())?;
    let builder = chat::add(Hub::builder()).contract::<ClusterChat>();
    // The page of one server connects to the other one, too.
    Ok(builder.cluster(engine).allow_origins(page.origins()).build()?)
}

fn app(hub: &Hub, page: &Page) -> Router {
    let info = AsyncApiInfo::new("Cluster", env!("CARGO_PKG_VERSION"));
    page.router()
        .route("/ws", get(hub.websocket()))
        .merge(hub.socketio().serve_client(client_directory()))
        .merge(hub.docs::<ClusterChat>(info).websocket("/", "/ws?name=reader"))
}
