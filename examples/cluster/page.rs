//! Serves the page, from files embedded in the program, and tells it where the servers are.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use serde::Serialize;
use serde_json::json;
use socketio_examples::{file, page_that_connects_to};
use std::net::SocketAddr;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The page, which connects to all servers.
pub(crate) struct Page {
    servers: Vec<Server>,
}

/// A server as the page is told it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Server {
    name: String,
    /// The address of the server, without a path.
    url: String,
    /// A server on Node.js has no route for plain WebSockets.
    is_node: bool,
}

impl Page {
    pub(crate) fn of(addresses: [SocketAddr; 2], node: Option<String>) -> Self {
        let servers = addresses.iter().zip(1..).map(|(address, number)| Server {
            name: format!("Server {number}"),
            url: format!("http://{address}"),
            is_node: false,
        });
        let node = node.map(|url| Server {
            name: "Node.js".to_owned(),
            url: url.trim_end_matches('/').to_owned(),
            is_node: true,
        });
        Self { servers: servers.chain(node).collect() }
    }

    pub(crate) fn has_node(&self) -> bool {
        self.servers.iter().any(|server| server.is_node)
    }

    /// The origins of the page, which each server has to allow.
    pub(crate) fn origins(&self) -> Vec<String> {
        let own = self.servers.iter().filter(|server| !server.is_node);
        own.flat_map(|server| [server.url.clone(), server.url.replace("127.0.0.1", "localhost")]).collect()
    }

    pub(crate) fn router(&self) -> Router {
        let servers = json!(self.servers).to_string();
        let urls = self.servers.iter().map(|server| server.url.clone());
        let connected: Vec<_> = urls.flat_map(|url| [url.replacen("http", "ws", 1), url]).collect();
        Router::new()
            .route("/", page_that_connects_to(include_str!("page/index.html"), &connected))
            .route("/style.css", file(STYLE, include_str!("page/style.css")))
            .route("/cluster.js", file(SCRIPT, include_str!("page/cluster.js")))
            .route("/column.js", file(SCRIPT, include_str!("page/column.js")))
            .route("/connection.js", file(SCRIPT, include_str!("page/connection.js")))
            .route("/icon.svg", file("image/svg+xml", include_str!("../chat/page/icon.svg")))
            .route("/servers.json", get(move || async { ([(CONTENT_TYPE, "application/json")], servers) }))
    }
}
