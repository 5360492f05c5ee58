//! A server with the Admin UI of Socket.IO: `cargo run --example admin`, then open
//! <http://127.0.0.1:3000/admin-ui/>. Log in to that address as `admin` with the password
//! `changeit`. To see something, connect clients of `socket.io-client`:
//!
//! ```js
//! const socket = io("http://127.0.0.1:3000/chat");
//! socket.emit("name", "ann");
//! socket.emit("join", "lobby");
//! socket.emit("say", "lobby", "hello");
//! ```
//!
//! Environment variables change what admins see and may do:
//!
//! | variable | value |
//! | --- | --- |
//! | `ADMIN_MODE` | `development`, the default, or `production` |
//! | `ADMIN_READ_ONLY` | `yes`: admins can't change anything, or `no`, the default |
//! | `ADMIN_UI` | the directory of the pages, `ui/dist` of the package `@socket.io/admin-ui`. By default where `npm ci --prefix tests/node` installs them |

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;
use socketio::{Admin, EmitError, Hub, JoinError, Socket, event, events};
use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Of the password `changeit`.
const PASSWORD_HASH: &str = "$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS";

#[event("name")]
fn name(socket: &Socket, name: String) {
    socket.set_attribute("name", name);
}

#[event("join")]
fn join(socket: &Socket, room: String) -> Result<(), String> {
    socket.join(room).map_err(|error: JoinError| error.to_string())
}

#[event("say")]
fn say(socket: &Socket, room: String, text: String) -> Result<(), EmitError> {
    socket.within(room).emit(("said", text))
}

/// Fails if a variable has another value than those above: a typo must not give admins more rights.
fn admin() -> Result<Admin, String> {
    let of = |variable: &str| env::var(variable).unwrap_or_default();
    let admin = Admin::new("admin", PASSWORD_HASH);
    let admin = match &*of("ADMIN_MODE") {
        "" | "development" => admin.development(),
        "production" => admin,
        other => return Err(format!("ADMIN_MODE is `development` or `production`, not {other:?}")),
    };
    match &*of("ADMIN_READ_ONLY") {
        "" | "no" => Ok(admin),
        "yes" => Ok(admin.read_only()),
        other => Err(format!("ADMIN_READ_ONLY is `yes` or `no`, not {other:?}")),
    }
}

/// Serves the files of a directory below a path.
fn pages(mut app: Router, path: &str, directory: &Path) -> io::Result<Router> {
    for entry in directory.read_dir()? {
        let file = entry?.path();
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        if file.is_dir() {
            app = pages(app, &format!("{path}{name}/"), &file)?;
            continue;
        }
        let kind = match file.extension().and_then(|extension| extension.to_str()) {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            _ => continue,
        };
        let content = axum::body::Bytes::from(std::fs::read(&file)?);
        let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")];
        let path = format!("{path}{}", if name == "index.html" { "" } else { name });
        app = app.route(&path, get(move || async move { (headers, content) }));
    }
    Ok(app)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let handlers = events![name, join, say];
    let hub =
        Hub::builder().events(handlers).namespace("/chat", |chat| chat.events(handlers)).admin(admin()?).build()?;
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/node/node_modules/@socket.io/admin-ui/ui/dist");
    let directory = env::var_os("ADMIN_UI").map_or_else(|| installed.into(), PathBuf::from);
    let mut app = Router::new().merge(hub.socketio());
    if directory.is_dir() {
        app = pages(app, "/admin-ui/", &directory)?;
    } else {
        writeln!(io::stdout(), "the pages are missing. To install them: npm ci --prefix tests/node")?;
    }
    socketio_examples::serve("admin", app, hub).await?;
    Ok(())
}
