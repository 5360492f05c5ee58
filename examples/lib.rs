//! Shared parts of the examples: the listener, the shutdown, and the files of their pages.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::routing::{MethodRouter, get};
use socketio::Hub;
use std::future::IntoFuture;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
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

/// Returns a route that serves a page whose scripts may also connect to these origins.
pub fn page_that_connects_to(content: &'static str, origins: &[String]) -> MethodRouter {
    let policy = format!("{POLICY}; connect-src 'self' {}", origins.join(" "));
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
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

/// Serves an app, and prints the address. The environment variable `HOST` is the IP address, by
/// default `127.0.0.1`, and `PORT` the port, by default 3000. On Ctrl-C or SIGTERM it stops
/// accepting connections, shuts the hub down, waits for pending requests, and returns.
///
/// # Errors
///
/// The port is in use, or a variable is invalid.
pub async fn serve(name: &str, app: Router, hub: Hub) -> io::Result<()> {
    serve_on(name, "http", listener().await?, app, hub).await
}

/// Binds the port that [`serve`] listens on.
///
/// # Errors
///
/// The port is in use, or a variable is invalid.
pub async fn listener() -> io::Result<TcpListener> {
    listener_after(0).await
}

/// Binds a port that many after the one that [`serve`] listens on. If `PORT` is 0, the system
/// chooses the port.
///
/// # Errors
///
/// The port is in use, or a variable is invalid.
pub async fn listener_after(ports: u16) -> io::Result<TcpListener> {
    let host: IpAddr = variable("HOST")?.unwrap_or(Ipv4Addr::LOCALHOST.into());
    let port = match variable("PORT")?.unwrap_or(3000_u16) {
        0 => 0,
        port => port.checked_add(ports).ok_or_else(|| invalid("PORT"))?,
    };
    TcpListener::bind((host, port)).await
}

/// The value of an environment variable, if it is set.
fn variable<T: FromStr>(name: &str) -> io::Result<Option<T>> {
    std::env::var(name).ok().map(|value| value.parse().map_err(|_| invalid(name))).transpose()
}

fn invalid(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("the environment variable {name} is invalid"))
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
    told_to_stop().await?;
    drop(stop);
    hub.shutdown(DEADLINE).await;
    // Requests that still run are aborted.
    tokio::time::timeout(DEADLINE, server).await.unwrap_or(Ok(Ok(())))?
}

/// Waits for Ctrl-C, or for SIGTERM, which container engines send.
async fn told_to_stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            told = tokio::signal::ctrl_c() => told,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
