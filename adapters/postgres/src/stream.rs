//! [`Stream`]: a connection to a server over TCP, TLS or a Unix socket, and how it is opened.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// After how long without a sign of the peer the kernel asks for one, and how often.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(2));
/// How long sent bytes may be unconfirmed.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection.
pub(crate) struct Stream(Box<dyn Io>);

impl Stream {
    pub(crate) fn new(stream: impl Io + 'static) -> Self {
        Self(Box::new(stream))
    }
}

/// Connects to the first address of a host that answers in its part of the time.
pub(crate) async fn connect(host: &str, port: u16, time: Duration) -> io::Result<Stream> {
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    let part = time / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(part, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                watch(&stream);
                return Ok(Stream::new(stream));
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

/// Connects to the Unix socket in a directory.
#[cfg(unix)]
pub(crate) async fn connect_unix(directory: &Path, port: u16) -> io::Result<Stream> {
    let path = directory.join(format!(".s.PGSQL.{port}"));
    Ok(Stream::new(tokio::net::UnixStream::connect(path).await?))
}

/// Has the kernel find out that the peer is gone, and discard what is unsent when the connection is
/// given up: it must not arrive later than what the next connection sends. The connection is usable
/// if it can't.
fn watch(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    _ = socket.set_tcp_keepalive(&KEEPALIVE);
    _ = socket.set_linger(Some(Duration::ZERO));
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
    {
        _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_shutdown(context)
    }
}
