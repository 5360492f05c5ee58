//! The byte stream under a connection: the TCP socket itself where it can be had, anything else behind a box.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(crate) enum Stream {
    Tcp(TcpStream),
    /// TLS, or whatever else the HTTP server runs over.
    Other(Box<dyn Duplex>),
    Closed,
}

impl Stream {
    fn duplex(&mut self) -> io::Result<Pin<&mut dyn Duplex>> {
        match self {
            Self::Tcp(stream) => Ok(Pin::new(stream)),
            Self::Other(stream) => Ok(Pin::new(&mut **stream)),
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        let polled = self.duplex()?.poll_read(context, &mut buffer);
        polled.map_ok(|()| buffer.filled().len())
    }

    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match slices {
            [slice] => self.duplex()?.poll_write(context, slice),
            slices => self.duplex()?.poll_write_vectored(context, slices),
        }
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.duplex()?.poll_flush(context)
    }

    /// Tells the peer that nothing more comes. Over TLS this sends its closing alert, as far as the peer takes it now.
    pub(crate) fn finish(&mut self, context: &mut Context<'_>) {
        if let Ok(stream) = self.duplex() {
            let _ = stream.poll_shutdown(context);
        }
    }

    /// Ends the stream in both directions.
    pub(crate) fn close(&mut self, context: &mut Context<'_>) {
        self.finish(context);
        *self = Self::Closed;
    }
}
