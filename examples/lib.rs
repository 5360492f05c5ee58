//! What the examples have in common: where they listen, how they end, and what their pages are made of.

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

/// How long what is under way may take after Ctrl-C.
const DEADLINE: Duration = Duration::from_secs(5);

/// Pages load nothing but what is served here.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of a page.
pub fn file(content_type: &'static str, content: &'static str) -> MethodRouter {
    let headers = [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-cache")];
    get(move || async move { (headers, content) })
}

/// Where `npm ci --prefix tests/node` has put the files of `socket.io-client`, or what the environment variable
/// `SOCKET_IO_CLIENT` says.
pub fn client_directory() -> PathBuf {
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/node/node_modules/socket.io-client/dist");
    std::env::var_os("SOCKET_IO_CLIENT").map_or_else(|| installed.into(), PathBuf::from)
}

/// Serves an application on `127.0.0.1`, port 3000 or what the environment variable `PORT` says, and prints the address.
/// On Ctrl-C it accepts no more connections, shuts the hub down, waits for the requests under way, and returns.
///
/// # Errors
///
/// The port is taken, or `PORT` is no number of one.
pub async fn serve(name: &str, app: Router, hub: Hub) -> io::Result<()> {
    serve_on(name, "http", listener().await?, app, hub).await
}

/// Binds the port that [`serve`] listens on.
///
/// # Errors
///
/// The port is taken, or `PORT` is no number of one.
pub async fn listener() -> io::Result<TcpListener> {
    let port = match std::env::var("PORT") {
        Ok(port) => port.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "PORT is no port number"))?,
        Err(_) => 3000,
    };
    TcpListener::bind(("127.0.0.1", port)).await
}

/// Does what [`serve`] does, on a listener of any kind.
///
/// # Errors
///
/// The listener does not know its address.
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
    // A download that goes on even then is cut off.
    tokio::time::timeout(DEADLINE, server).await.unwrap_or(Ok(Ok(())))?
}
