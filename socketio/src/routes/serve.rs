//! [`serve`]: an HTTP server that bounds the time for the head of a request.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
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

use super::secure::SecureConnection;
use super::setting::refuse;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Effectively forever, and short enough for every clock.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400 * 365);

/// Serves an application as [`axum::serve()`] does, but protects it from slow and hostile clients.
///
/// What it adds:
///
/// - A client has 10 seconds to send the head of a request, then its connection is ended: see
///   [`handshake_timeout`](Serve::handshake_timeout). `axum::serve` waits for ever, and a client
///   that sends a byte now and then holds a connection, its memory and its file descriptor, for as
///   long as it likes.
/// - [`ConnectInfo<SocketAddr>`](ConnectInfo) is there for extractors, and
///   [`Socket::peer_addr`](crate::Socket::peer_addr) is known over TLS too, wherever the listener's
///   addresses are of that type.
/// - `TCP_NODELAY` is set where the stream is a [`TcpStream`].
/// - Handlers know whether the connection is encrypted: see [`secure`](Serve::secure).
///
/// The times for the body of a request and for reading the response are not bounded. Layers of the
/// application can do that.
///
/// It speaks HTTP/1.1 alone. The listener can be any that axum accepts: TCP, a Unix socket, TLS.
/// The application is a [`Router`](axum::Router) or another tower service over axum's requests.
///
/// As with `axum::serve`, the future ends only after the signal of
/// [`with_graceful_shutdown`](Serve::with_graceful_shutdown), and never with an error. Dropping it
/// stops the server at once; requests in progress are still answered.
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
    Serve { listener, app, handshake_timeout: HANDSHAKE_TIMEOUT, secure: false, signal: pending() }
}

/// The server that [`serve`] returns. It runs when it is awaited.
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve<L, S, F = Pending<()>> {
    listener: L,
    app: S,
    handshake_timeout: Duration,
    secure: bool,
    signal: F,
}

impl<L: Listener, S, F> Serve<L, S, F> {
    /// How long a client may take for the head of a request. The time begins when the connection is
    /// accepted, and again after each response. A kept-alive connection without a request ends
    /// after that time too. WebSockets are not affected. Default: 10 seconds.
    ///
    /// # Panics
    ///
    /// Panics if the timeout is shorter than 1 ms: no request would be in time.
    #[track_caller]
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        if timeout < Duration::from_millis(1) {
            refuse("handshake_timeout", &format!("{timeout:?}"), "1 ms or more");
        }
        Self { handshake_timeout: timeout, ..self }
    }

    /// Whether the listener's streams are encrypted, for
    /// [`Handshake::is_secure`](crate::Handshake::is_secure). A stream does not tell by itself.
    /// Default: no.
    pub fn secure(self, secure: bool) -> Self {
        Self { secure, ..self }
    }

    /// Stops accepting connections at the signal. The server ends when the requests in progress are
    /// answered. To end the WebSockets, [shut down](crate::Hub::shutdown) the hub.
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<L, S, G>
    where
        G: Future<Output = ()> + Send + 'static,
    {
        let Self { listener, app, handshake_timeout, secure, .. } = self;
        Serve { listener, app, handshake_timeout, secure, signal }
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    ///
    /// The listener does not know it.
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
        let Self { mut listener, app, handshake_timeout, secure, signal } = self;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(handshake_timeout.min(LONGEST_TIMEOUT));
        let (stop, stopping) = watch::channel(());
        let mut signal = pin!(signal);
        while let Either::Left(((io, address), _)) = select(pin!(listener.accept()), &mut signal).await {
            if let Some(stream) = (&io as &dyn Any).downcast_ref::<TcpStream>() {
                // Without it a response may wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
            }
            let peer = (&address as &dyn Any).downcast_ref::<SocketAddr>().copied();
            let app = app.clone();
            let service = service_fn(move |request| answer(app.clone(), request, peer, secure));
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

/// Passes one request to the application.
pub(crate) async fn answer<S>(
    mut app: S,
    request: Request<Incoming>,
    peer: Option<SocketAddr>,
    secure: bool,
) -> Result<Response, Infallible>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
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
