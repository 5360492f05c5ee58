//! Live builds of projects, in several namespaces over one connection: `cargo run --example
//! dashboard`, then open <http://127.0.0.1:3000>. The page is a plain WebSocket client of the
//! namespace `/`. It shows who is connected, and the events per second. With `socket.io-client`:
//!
//! ```js
//! const project = io("http://127.0.0.1:3000/project-7");
//! project.on("built", ({ branch, passed }) => console.log(branch, passed));
//! await project.emitWithAck("watch", "main");
//!
//! // The token is the server's environment variable `ADMIN_TOKEN`.
//! const admin = io("http://127.0.0.1:3000/admin", { auth: { token: "…" } });
//! ```
//!
//! | namespace | who may connect | clients send | clients receive |
//! | --- | --- | --- | --- |
//! | `/` | everyone | `projects`, answered with the projects that have viewers; `observe`, `wave` | `notice`; after `observe`, `figures` and `waved` |
//! | `/project-{id}` | everyone; the namespace exists while it has sockets | `watch` and `unwatch` a branch, `report` a build | `built`, for the branches that they watch |
//! | `/admin` | clients with the token | `clients`, `announce`, `dismiss` | `visited` and `left`, for all projects |
//!
//! Each namespace has its own file. Branches are rooms of their project's namespace.
//! <http://127.0.0.1:3000/docs/> shows the contract of all namespaces.

mod admin;
mod overview;
mod project;

use axum::Router;
use axum::routing::get;
use socketio::{AsyncApiInfo, Hub, contract, event, events};
use socketio_examples::{file, serve};
use std::sync::Arc;

/// Answers with the ids of the projects that have viewers.
#[event("projects")]
fn projects(hub: &Hub) -> Vec<String> {
    hub.namespaces().iter().filter_map(|path| project::id_of(path)).map(str::to_owned).collect()
}

contract! {
    /// Live builds of projects.
    #[export(asyncapi)]
    Dashboard {
        "/" {
            receives [projects, overview::observe, overview::wave]
            emits [admin::Notice, overview::Figures, overview::Waved]
        }
        "/project-{id}" {
            receives [project::watch, project::unwatch, project::report]
            emits [project::Build]
        }
        "/admin" {
            receives [admin::clients, admin::announce, admin::dismiss]
            emits [project::Visited, project::Left]
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let token: Option<Arc<str>> = std::env::var("ADMIN_TOKEN").ok().map(Into::into);
    let received = overview::Received::default();
    let counted = received.clone();
    let hub = Hub::builder()
        .events(events![projects])
        .events(overview::EVENTS)
        .event_middleware(move |event, next| counted.clone().count(event, next))
        .namespace("/project-{id}", |project| project.events(project::EVENTS))
        .namespace("/admin", |admin| {
            admin.middleware(move |socket| admin::authorize(socket, token.clone())).events(admin::EVENTS)
        })
        .contract::<Dashboard>()
        .build()?;
    let info = AsyncApiInfo::new("Dashboard", env!("CARGO_PKG_VERSION"));
    let app = Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("page/index.html")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("page/style.css")))
        .route("/dashboard.js", file("text/javascript; charset=utf-8", include_str!("page/dashboard.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("../chat/page/icon.svg")))
        .route("/ws", get(hub.websocket()))
        .merge(hub.socketio())
        .merge(hub.docs::<Dashboard>(info).websocket("/", "/ws"));
    tokio::spawn(overview::send_figures(hub.clone(), received));
    serve("dashboard", app, hub).await?;
    Ok(())
}
