//! [`serve`]: an HTTP/1.1 server with limits on request headers.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use futures_util::future::{Either, select};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::future::{IntoFuture, Pending, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower_service::Service;

use super::head::{HeadError, has_valid_host};
use super::secure::SecureConnection;
use super::setting::invalid_setting;
use super::tcp::TcpSettings;

/// The default of [`Serve::handshake_timeout`].
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The default of [`Serve::max_header_bytes`].
pub(crate) const MAX_HEADER_BYTES: usize = 16 * 1024;
/// The default size of hyper's read buffer, in bytes. A head that is longer does not fit.
const READ_BUFFER: usize = 400 * 1024;
/// The longest timeout that is passed to hyper: one year. A longer one could overflow a clock.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400 * 365);

/// Serves an application over HTTP/1.1, like [`axum::serve()`], and refuses clients whose request
/// headers are too slow, too large or without a `Host`.
///
/// It differs from `axum::serve` in these points:
///
/// - A client must send the request line and headers within 10 seconds, or its connection is
///   closed. See [`handshake_timeout`](Serve::handshake_timeout). `axum::serve` has no timeout, so
///   a slow client can keep a connection, its memory and its file descriptor for any length of
///   time.
/// - The request line and headers may have 16 KiB. A larger head gets the status 431. See
///   [`max_header_bytes`](Serve::max_header_bytes). `axum::serve` accepts about 400 KiB.
/// - A request that does not have one valid `Host` header gets the status 400. HTTP/1.0 needs none.
/// - Extractors can use [`ConnectInfo<SocketAddr>`](ConnectInfo), and
///   [`Socket::peer_addr`](crate::Socket::peer_addr) works over TLS too. Both need a listener whose
///   address type is [`SocketAddr`].
/// - TCP sockets get keep-alive probes and a timeout for unacknowledged bytes, so that the kernel
///   cuts the connection of a client that is gone. See [`tcp_keepalive`](Serve::tcp_keepalive) and
///   [`tcp_user_timeout`](Serve::tcp_user_timeout). `TCP_NODELAY` is set too. All three need a
///   listener whose stream is a [`TcpStream`].
/// - Handlers can find out whether the connection is encrypted. See [`secure`](Serve::secure).
/// - HTTP/2 is not supported.
///
/// There is no timeout for receiving a request body or sending a response. Layers of the
/// application can add one.
///
/// The listener can be any that axum accepts, such as TCP, a Unix socket or TLS. The application is
/// a [`Router`](axum::Router), or another tower service that takes axum's requests.
///
/// As with `axum::serve`, the future completes only after the signal of
/// [`with_graceful_shutdown`](Serve::with_graceful_shutdown), and never with an error. Dropping the
/// future stops the server at once. Requests in progress are still answered.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use socketio::Hub;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().build()?;
/// let app = Router::new().route("/ws/{id}", get(hub.websocket()));
/// socketio::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
/// # Ok(())
/// # }
/// ```
pub fn serve<L, S>(listener: L, app: S) -> Serve<L, S>
where
    L: Listener,
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    Serve {
        listener,
        app,
        handshake_timeout: HANDSHAKE_TIMEOUT,
        max_header_bytes: MAX_HEADER_BYTES,
        secure: false,
        tcp: TcpSettings::default(),
        signal: pending(),
    }
}

/// The server that [`serve`] returns. It runs when it is awaited.
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve<L, S, F = Pending<()>> {
    listener: L,
    app: S,
    handshake_timeout: Duration,
    max_header_bytes: usize,
    secure: bool,
    tcp: TcpSettings,
    signal: F,
}

impl<L: Listener, S, F> Serve<L, S, F> {
    /// Sets the timeout for receiving the request line and headers. It starts when the connection
    /// is accepted, and again after each response. So it also closes idle keep-alive connections.
    /// WebSockets are not affected. Default: 10 seconds.
    ///
    /// # Panics
    ///
    /// Panics if the timeout is shorter than 1 ms.
    #[track_caller]
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        if timeout < Duration::from_millis(1) {
            invalid_setting("handshake_timeout", &format!("{timeout:?}"), "1 ms or more");
        }
        Self { handshake_timeout: timeout, ..self }
    }

    /// Sets the maximum size of the head of a request, in bytes: the request line and all headers.
    /// A larger one gets the status 431, and the connection is closed. The routes of a hub have a
    /// [limit of their own](crate::HubBuilder::max_header_bytes). Default: 16 KiB.
    ///
    /// # Panics
    ///
    /// Panics if the size is 0.
    #[track_caller]
    pub fn max_header_bytes(self, bytes: usize) -> Self {
        if bytes == 0 {
            invalid_setting("max_header_bytes", "0 bytes", "1 or more");
        }
        Self { max_header_bytes: bytes, ..self }
    }

    /// Sets whether the listener's streams are encrypted, for
    /// [`Handshake::is_secure`](crate::Handshake::is_secure). The server can't detect that itself.
    /// Default: `false`.
    pub fn secure(self, secure: bool) -> Self {
        Self { secure, ..self }
    }

    /// Sets how long a TCP connection may be idle before the kernel probes whether the client is
    /// still there. `None` turns probes off. Default: 60 seconds.
    ///
    /// The kernel repeats an unanswered probe every 15 seconds, and cuts the connection after the
    /// fourth. Some platforms have other intervals. This finds clients that are gone while no bytes
    /// are on their way to them, such as one whose request a handler is still answering. Clients
    /// with a heartbeat are found sooner by that.
    ///
    /// # Panics
    ///
    /// Panics if the time is shorter than 1 s.
    #[track_caller]
    pub fn tcp_keepalive(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.tcp.keepalive = idle.into();
        if let Some(idle) = self.tcp.keepalive.filter(|idle| *idle < Duration::from_secs(1)) {
            invalid_setting("tcp_keepalive", &format!("{idle:?}"), "1 s or more");
        }
        self
    }

    /// Sets how long sent bytes may stay unacknowledged, or may wait because the client's buffer is
    /// full, before the kernel cuts the TCP connection (`TCP_USER_TIMEOUT`). `None` leaves it to
    /// the kernel, which tries for about 15 minutes. Default: 120 seconds.
    ///
    /// Only Linux and Android have this option. On other platforms this does nothing. Choose a time
    /// that is longer than the heartbeat's [`ping_interval`](crate::HubBuilder::ping_interval) and
    /// [`ping_timeout`](crate::HubBuilder::ping_timeout) together, so that the heartbeat decides.
    ///
    /// # Panics
    ///
    /// Panics if the timeout is shorter than 1 ms.
    #[track_caller]
    pub fn tcp_user_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.tcp.user_timeout = timeout.into();
        if let Some(timeout) = self.tcp.user_timeout.filter(|timeout| *timeout < Duration::from_millis(1)) {
            invalid_setting("tcp_user_timeout", &format!("{timeout:?}"), "1 ms or more");
        }
        self
    }

    /// Stops accepting connections when `signal` completes. The server's future then completes once
    /// all requests in progress are answered. WebSockets stay open: [shut
    /// down](crate::Hub::shutdown) the hub to close them.
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<L, S, G>
    where
        G: Future<Output = ()> + Send + 'static,
    {
        let Self { listener, app, handshake_timeout, max_header_bytes, secure, tcp, .. } = self;
        Serve { listener, app, handshake_timeout, max_header_bytes, secure, tcp, signal }
    }

    /// Returns the address that the listener is bound to.
    ///
    /// # Errors
    ///
    /// Returns the listener's error if it can't determine the address.
    pub fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

impl<L, S, F> Serve<L, S, F>
where
    L: Listener,
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    F: Future<Output = ()> + Send + 'static,
{
    async fn run(self) {
        let Self { mut listener, app, handshake_timeout, max_header_bytes, secure, tcp, signal } = self;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(handshake_timeout.min(LONGEST_TIMEOUT));
        // A head never exceeds the buffer's own limit, which bodies need.
        http.max_header_size(max_header_bytes);
        if max_header_bytes > READ_BUFFER {
            http.max_buf_size(max_header_bytes);
        }
        let (stop, stopping) = watch::channel(());
        let mut signal = pin!(signal);
        while let Either::Left(((io, address), _)) = select(pin!(listener.accept()), &mut signal).await {
            if let Some(stream) = (&io as &dyn Any).downcast_ref::<TcpStream>() {
                tcp.apply(stream);
            }
            let peer = (&address as &dyn Any).downcast_ref::<SocketAddr>().copied();
            let app = app.clone();
            let service = service_fn(move |request| call_app(app.clone(), request, peer, secure));
            let connection = http.serve_connection(TokioIo::new(io), service).with_upgrades();
            let mut stopping = stopping.clone();
            tokio::spawn(async move {
                let mut connection = pin!(connection);
                let served = match select(connection.as_mut(), pin!(stopping.changed())).await {
                    Either::Left((served, _)) => served,
                    Either::Right(_) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(error) = served {
                    tracing::debug!(?peer, %error, "an HTTP connection failed");
                }
            });
        }
        drop(listener);
        drop(stopping);
        stop.send_replace(());
        stop.closed().await;
    }
}

/// Calls the application with one request, after adding the connection's extensions. A request
/// without a valid `Host` is refused.
pub(crate) async fn call_app<S>(
    mut app: S,
    request: Request<Incoming>,
    peer: Option<SocketAddr>,
    secure: bool,
) -> Result<Response, Infallible>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    if !has_valid_host(request.version(), request.headers()) {
        tracing::debug!(?peer, "refused a request without one valid `Host`");
        return Ok(HeadError::Host.into_response());
    }
    let mut request = request.map(Body::new);
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    if secure {
        request.extensions_mut().insert(SecureConnection(true));
    }
    poll_fn(|context| app.poll_ready(context)).await?;
    app.call(request).await
}

impl<L, S, F> IntoFuture for Serve<L, S, F>
where
    L: Listener,
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    F: Future<Output = ()> + Send + 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.run().await;
            Ok(())
        })
    }
}

impl<L, S, F> fmt::Debug for Serve<L, S, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Serve").field("handshake_timeout", &self.handshake_timeout).finish_non_exhaustive()
    }
}
