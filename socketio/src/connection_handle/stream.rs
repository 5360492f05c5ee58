//! [`Stream`]: the byte stream under a connection: a TCP socket, or a boxed stream of another type.
//!
//! With the [`Writer`] of a TCP socket, other tasks can write while the connection's task sleeps.

use socket2::SockRef;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(crate) enum Stream {
    Tcp(OwnedReadHalf, Option<Writer>),
    /// TLS, or another stream type of the HTTP server.
    Other(Box<dyn Duplex>),
    Closed,
}

/// Writes to a TCP socket from other tasks than the connection's.
#[derive(Debug)]
pub(crate) struct Writer(Option<OwnedWriteHalf>);

impl Writer {
    /// Writes without waiting. Returns the number of bytes that the kernel has accepted.
    pub(crate) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.as_ref().map_or(Ok(0), |half| write(half.as_ref(), slices))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Dropping the half would shut the socket down for writing.
        if let Some(half) = self.0.take() {
            half.forget();
        }
    }
}

impl Stream {
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self::Tcp(read, Some(Writer(Some(write))))
    }

    /// Takes the writer for other tasks. `None` if it was taken, or if this is not a TCP socket.
    pub(crate) fn take_writer(&mut self) -> Option<Writer> {
        if let Self::Tcp(_, writer) = self { writer.take() } else { None }
    }

    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        let polled = match self {
            Self::Tcp(stream, _) => Pin::new(stream).poll_read(context, &mut buffer),
            Self::Other(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Self::Closed => return closed(),
        };
        polled.map_ok(|()| buffer.filled().len())
    }

    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream, _) => loop {
                let stream: &TcpStream = (*stream).as_ref();
                ready!(stream.poll_write_ready(context))?;
                match write(stream, slices) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    written => return Poll::Ready(written),
                }
            },
            Self::Other(stream) => match slices {
                [slice] => Pin::new(stream).poll_write(context, slice),
                slices => Pin::new(stream).poll_write_vectored(context, slices),
            },
            Self::Closed => closed(),
        }
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(..) => Poll::Ready(Ok(())),
            Self::Other(stream) => Pin::new(stream).poll_flush(context),
            Self::Closed => closed(),
        }
    }

    /// Shuts down the writing side without waiting. Over TLS this tries to send the `close_notify`
    /// alert.
    pub(crate) fn finish(&mut self, context: &mut Context<'_>) {
        match self {
            Self::Tcp(stream, _) => {
                let stream: &TcpStream = (*stream).as_ref();
                let _ = SockRef::from(stream).shutdown(Shutdown::Write);
            }
            Self::Other(stream) => {
                let _ = Pin::new(stream).poll_shutdown(context);
            }
            Self::Closed => {}
        }
    }

    /// Closes the stream in both directions.
    pub(crate) fn close(&mut self, context: &mut Context<'_>) {
        self.finish(context);
        *self = Self::Closed;
    }
}

/// Writes without waiting. A plain write is cheaper than a vectored write of one slice.
fn write(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [slice] => stream.try_write(slice),
        slices => stream.try_write_vectored(slices),
    }
}

fn closed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}
