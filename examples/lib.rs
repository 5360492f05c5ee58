//! Shared parts of the examples: the listener, the shutdown, and the files of their pages.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::routing::{MethodRouter, get};
use socketio::Hub;
use std::future::IntoFuture;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long sockets and requests may take to finish after Ctrl-C.
const DEADLINE: Duration = Duration::from_secs(5);

/// The Content-Security-Policy of the pages. They may only load files from this server.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns a route that serves a file of a page.
pub fn file(content_type: &'static str, content: &'static str) -> MethodRouter {
    let headers = [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-cache")];
    get(move || async move { (headers, content) })
}

/// The directory of `socket.io-client`'s files: the environment variable `SOCKET_IO_CLIENT`, or
/// where `npm ci --prefix tests/node` installs them.
pub fn client_directory() -> PathBuf {
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/node/node_modules/socket.io-client/dist");
    std::env::var_os("SOCKET_IO_CLIENT").map_or_else(|| installed.into(), PathBuf::from)
}

/// Prints how to install `socket.io-client` if it is missing. Other pages work without it.
///
/// # Errors
///
/// The output is closed.
pub fn say_what_needs_the_client(page: &str) -> io::Result<()> {
    if client_directory().join("socket.io.esm.min.js").exists() {
        return Ok(());
    }
    writeln!(io::stdout(), "{page} needs socket.io-client. To install it: npm ci --prefix tests/node")
}

/// Serves an app on `127.0.0.1`, and prints the address. The port is the environment variable
/// `PORT`, or 3000. On Ctrl-C it stops accepting connections, shuts the hub down, waits for pending
/// requests, and returns.
///
/// # Errors
///
/// The port is in use, or `PORT` is not a port number.
pub async fn serve(name: &str, app: Router, hub: Hub) -> io::Result<()> {
    serve_on(name, "http", listener().await?, app, hub).await
}

/// Binds the port that [`serve`] listens on.
///
/// # Errors
///
/// The port is in use, or `PORT` is not a port number.
pub async fn listener() -> io::Result<TcpListener> {
    let port = match std::env::var("PORT") {
        Ok(port) => port.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "PORT is no port number"))?,
        Err(_) => 3000,
    };
    TcpListener::bind(("127.0.0.1", port)).await
}

/// Like [`serve`], on a listener of any kind.
///
/// # Errors
///
/// The listener's address is unknown.
pub async fn serve_on<L>(name: &str, scheme: &str, listener: L, app: Router, hub: Hub) -> io::Result<()>
where
    L: axum::serve::Listener<Addr = std::net::SocketAddr>,
{
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server =
        socketio::serve(listener, app).secure(scheme == "https").with_graceful_shutdown(async { _ = stopped.await });
    let server = tokio::spawn(server.into_future());
    writeln!(io::stdout(), "{name} listens on {scheme}://{address}")?;
    tokio::signal::ctrl_c().await?;
    drop(stop);
    hub.shutdown(DEADLINE).await;
    // Requests that still run are aborted.
    tokio::time::timeout(DEADLINE, server).await.unwrap_or(Ok(Ok(())))?
}
