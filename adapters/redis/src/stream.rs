//! [`Stream`]: a connection to a server, over TCP, TLS or a Unix socket, and how it is opened.

use socket2::{SockRef, TcpKeepalive};
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::address::{Login, Place};
use crate::resp::{self, Unparsed};
use crate::tls::Tls;

/// A deadline for connecting and logging in.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A deadline for the reply to a command.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(1);
/// After how long without a sign of the peer the kernel asks for one, and how often.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(2));
/// How long sent bytes may be unconfirmed.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection.
pub(crate) struct Stream(Box<dyn Io>);

/// A server that was found. It is connected to more than once, and a name may resolve to several.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) login: Login,
    address: Option<SocketAddr>,
}

impl Found {
    pub(crate) fn new(place: Place, login: Login) -> Self {
        Self { place, login, address: None }
    }

    /// Opens a connection and logs in. Later connections go to the same address.
    pub(crate) async fn connect(&mut self, tls: &Tls) -> Result<Stream, String> {
        let connected = timeout(CONNECT_TIMEOUT, self.connect_and_log_in(tls)).await;
        connected.unwrap_or_else(|_| Err("connecting timed out".into()))
    }

    async fn connect_and_log_in(&mut self, tls: &Tls) -> Result<Stream, String> {
        let mut stream = self.open(tls).await.map_err(|error| error.to_string())?;
        stream.log_in(&self.login).await?;
        if self.login.database != 0 {
            stream.ask(&[b"SELECT", self.login.database.to_string().as_bytes()], |_| Some(())).await?;
        }
        Ok(stream)
    }

    async fn open(&mut self, tls: &Tls) -> io::Result<Stream> {
        match &self.place {
            #[cfg(unix)]
            Place::Unix(path) => Ok(Stream(Box::new(tokio::net::UnixStream::connect(path).await?))),
            #[cfg(not(unix))]
            Place::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Place::Tcp { host, port, tls: is_tls } => {
                let stream = match self.address {
                    Some(address) => TcpStream::connect(address).await?,
                    None => connect_first(lookup_host((&**host, *port)).await?.collect()).await?,
                };
                self.address = Some(stream.peer_addr()?);
                stream.set_nodelay(true)?;
                watch(&stream);
                Ok(Stream(if *is_tls { tls.connect(host, stream).await? } else { Box::new(stream) }))
            }
        }
    }
}

/// Connects to the first address that answers in its part of the time.
async fn connect_first(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let part = CONNECT_TIMEOUT * 4 / 5 / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(part, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
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

impl Stream {
    async fn log_in(&mut self, login: &Login) -> Result<(), String> {
        let Login { user, password, .. } = login;
        if user.is_none() && password.is_none() {
            return Ok(());
        }
        let mut arguments: Vec<&[u8]> = vec![b"AUTH"];
        arguments.extend(user.as_ref().map(String::as_bytes));
        // Without a password it is that user all the same, and not the default one.
        arguments.push(password.as_deref().unwrap_or_default().as_bytes());
        self.ask(&arguments, |_| Some(())).await.map_err(|error| format!("login failed: {error}"))
    }

    /// Sends a command on a connection that is not used otherwise, and reads the reply.
    pub(crate) async fn ask<T>(
        &mut self,
        command: &[&[u8]],
        read: impl FnOnce(&resp::Reply<'_>) -> Option<T>,
    ) -> Result<T, String> {
        let mut bytes = Vec::new();
        resp::command(&mut bytes, command);
        let asked = async {
            self.0.write_all(&bytes).await.map_err(text)?;
            self.0.flush().await.map_err(text)?;
            let mut answer = Vec::new();
            loop {
                if self.0.read_buf(&mut answer).await.map_err(text)? == 0 {
                    return Err("the server closed the connection".to_owned());
                }
                match resp::reply(&answer) {
                    Ok((reply, _)) => {
                        let reply = reply.ok()?;
                        return read(&reply).ok_or_else(|| format!("unexpected reply: {reply:?}"));
                    }
                    Err(Unparsed::Incomplete(_)) => {}
                    Err(malformed) => return Err(malformed.to_string()),
                }
            }
        };
        timeout(COMMAND_TIMEOUT, asked).await.unwrap_or_else(|_| Err("no reply in time".into()))
    }

    pub(crate) fn split(self) -> (ReadHalf<Self>, WriteHalf<Self>) {
        tokio::io::split(self)
    }
}

pub(crate) fn text(error: impl Display) -> String {
    error.to_string()
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
