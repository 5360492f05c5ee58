//! Live builds of projects, in several namespaces over one connection: `cargo run --example
//! dashboard`, then with `socket.io-client`
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
//! | `/` | everyone | `projects`, answered with the projects that have viewers | `notice` |
//! | `/project-{id}` | everyone; the namespace exists while it has sockets | `watch` and `unwatch` a branch, `report` a build | `built`, for the branches that they watch |
//! | `/admin` | clients with the token | `clients`, `announce`, `dismiss` | `visited` and `left`, for all projects |
//!
//! Each namespace has its own file. Branches are rooms of their project's namespace.
//! <http://127.0.0.1:3000/docs/> shows the contract of all namespaces.

mod admin;
mod project;

use axum::Router;
use socketio::{AsyncApiInfo, Hub, contract, event, events};
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
        "/" { receives [projects] emits [admin::Notice] }
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
    let hub = Hub::builder()
        .events(events![projects])
        .namespace("/project-{id}", |project| project.events(project::EVENTS))
        .namespace("/admin", |admin| {
            admin.middleware(move |socket| admin::authorize(socket, token.clone())).events(admin::EVENTS)
        })
        .contract::<Dashboard>()
        .build()?;
    let info = AsyncApiInfo::new("Dashboard", env!("CARGO_PKG_VERSION"));
    let app = Router::new().merge(hub.socketio()).merge(hub.docs::<Dashboard>(info));
    socketio_examples::serve("dashboard", app, hub).await?;
    Ok(())
}
