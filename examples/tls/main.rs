//! Events over TLS: `cargo run --example tls`, then
//!
//! ```sh
//! npx wscat --no-check --connect wss://127.0.0.1:3000/ws
//! > {"event": "shout", "data": "hello", "id": 1}
//! ```
//!
//! The certificate is generated at the start, and self-signed: clients must skip its verification.
//! A real server reads its certificate from a file instead.

use axum::Router;
use axum::routing::get;
use axum::serve::Listener;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use socketio::{Hub, Socket, event, events};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::server::TlsStream;

#[event("shout")]
fn shout(text: String) -> String {
    text.to_uppercase()
}

/// Answers with the client's address, which is known over TLS too.
#[event("address")]
fn address(socket: &Socket) -> Option<SocketAddr> {
    socket.peer_addr()
}

/// A listener that accepts TLS connections.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    /// The pending handshakes. Each runs in its own task, so a slow one delays nobody.
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.tcp) => {
                    // Otherwise Nagle's algorithm delays small messages.
                    let _ = stream.set_nodelay(true);
                    let handshake = timeout(Duration::from_secs(10), self.acceptor.accept(stream));
                    self.handshakes.spawn(async move { Some((handshake.await.ok()?.ok()?, address)) });
                }
                Some(handshake) = self.handshakes.join_next() => {
                    if let Ok(Some(accepted)) = handshake {
                        return accepted;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

fn acceptor() -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.into()], key.into())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder().events(events![shout, address]).build()?;
    let app = Router::new().route("/ws", get(hub.websocket()));
    let tcp = socketio_examples::listener().await?;
    let listener = TlsListener { tcp, acceptor: acceptor()?, handshakes: JoinSet::new() };
    socketio_examples::serve_on("tls", "https", listener, app, hub).await?;
    Ok(())
}
