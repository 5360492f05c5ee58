//! The kind of connections in this run: TCP, where the server takes over the socket from the HTTP
//! server; TLS; or memory, a stream type that the server does not know. Set it with `STREAM=tls
//! cargo test …`.

use axum::Router;
use axum::serve::Listener;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// Capacity in bytes of an in-memory connection, per direction.
const MEMORY_CAPACITY: usize = 64 * 1024;

/// The kind of this run's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TCP without TLS.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A pair of in-memory buffers.
    Memory,
}

/// The kind in the environment variable `STREAM`: `tcp`, `tls` or `memory`. Default: `tcp`.
pub fn kind() -> Kind {
    match std::env::var("STREAM").as_deref() {
        Err(_) | Ok("tcp") => Kind::Tcp,
        Ok("tls") => Kind::Tls,
        Ok("memory") => Kind::Memory,
        Ok(other) => panic!("STREAM is `tcp`, `tls` or `memory`, not `{other}`"),
    }
}

/// Both sides of TLS, with a certificate generated for this run.
struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

static TLS: LazyLock<Tls> = LazyLock::new(|| {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let mut trusted = RootCertStore::empty();
    trusted.add(cert.der().clone()).expect("a certificate");
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.into()], key.into());
    let mut server = server.expect("a key that fits");
    let mut client = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
    // No session state may outlive a connection: tests measure memory.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    client.resumption = Resumption::disabled();
    Tls { acceptor: TlsAcceptor::from(Arc::new(server)), connector: TlsConnector::from(Arc::new(client)) }
});

/// The client's side of a connection.
#[derive(Debug)]
pub enum Stream {
    /// TCP without TLS.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<client::TlsStream<TcpStream>>),
    /// A pair of in-memory buffers.
    Memory(DuplexStream),
}

impl Stream {
    /// The client's address as the server sees it, if there is one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket().and_then(|socket| socket.local_addr().ok())
    }

    /// Waits until the kernel has bytes for this client, and leaves them there. In memory there is
    /// nothing to wait for.
    pub async fn arrived(&self) {
        if let Some(socket) = self.socket() {
            socket.readable().await.expect("a whole line");
        }
    }

    /// Makes the kernel reset the connection on drop, if it is a socket.
    pub fn reset_on_drop(&self) {
        if let Some(socket) = self.socket() {
            socket.set_zero_linger().expect("an open socket");
        }
    }

    fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Tls(stream) => Some(stream.get_ref().0),
            Self::Memory(_) => None,
        }
    }

    fn inner(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream),
            Self::Memory(stream) => Pin::new(stream),
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}

/// The endpoint that a server's clients connect to.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    Tcp(SocketAddr),
    Tls(SocketAddr),
    Memory(mpsc::UnboundedSender<DuplexStream>),
}

impl Endpoint {
    /// Serves an app on this run's kind of connections.
    pub(crate) async fn serve(app: Router) -> Self {
        if kind() == Kind::Memory {
            let (sender, incoming) = mpsc::unbounded_channel();
            tokio::spawn(async move { socketio::serve(Memory(incoming), app).await });
            return Self::Memory(sender);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        if kind() == Kind::Tls {
            let listener = TlsListener { listener, handshakes: JoinSet::new() };
            tokio::spawn(async move { socketio::serve(listener, app).secure(true).await });
            return Self::Tls(address);
        }
        tokio::spawn(async move { socketio::serve(listener, app).await });
        Self::Tcp(address)
    }

    /// Opens a connection.
    pub(crate) async fn open(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(address) => Ok(Stream::Tcp(connect(*address).await?)),
            Self::Tls(address) => {
                let name = ServerName::try_from("localhost").expect("a name");
                Ok(Stream::Tls(Box::new(TLS.connector.connect(name, connect(*address).await?).await?)))
            }
            Self::Memory(sender) => {
                let (ours, theirs) = duplex(MEMORY_CAPACITY);
                sender.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
                Ok(Stream::Memory(ours))
            }
        }
    }

    pub(crate) fn host(&self) -> String {
        self.address().map_or_else(|| "localhost".to_owned(), |address| address.to_string())
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) | Self::Tls(address) => Some(*address),
            Self::Memory(_) => None,
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A TLS listener. Each handshake runs in its own task, so that many clients can connect at once.
struct TlsListener {
    listener: TcpListener,
    handshakes: JoinSet<io::Result<(server::TlsStream<TcpStream>, SocketAddr)>>,
}

impl Listener for TlsListener {
    type Io = server::TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.listener) => {
                    self.handshakes.spawn(async move {
                        stream.set_nodelay(true)?;
                        Ok((TLS.acceptor.accept(stream).await?, address))
                    });
                }
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(accepted) = done.expect("no panic") {
                        return accepted;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Memory(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Memory {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            // The test has dropped its server, so no client connects any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}
