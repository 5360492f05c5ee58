//! A TCP connection that neither blocks nor, once it is warm, allocates: what has arrived is read into one buffer that all
//! share, and only an incomplete rest of it is kept.

use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

/// Long enough for several messages of the longest kind.
pub const BUFFER: usize = 4 << 20;

pub struct Link {
    pub stream: TcpStream,
    unsent: Vec<u8>,
    rest: Vec<u8>,
    connected: bool,
}

impl Link {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(address)?, unsent: Vec::new(), rest: Vec::new(), connected: false })
    }

    /// Writes now what goes, and the rest when there is room.
    pub fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if self.connected && self.unsent.is_empty() {
            while !bytes.is_empty() {
                match self.stream.write(bytes) {
                    Ok(written) => bytes = &bytes[written..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        self.unsent.extend_from_slice(bytes);
        Ok(())
    }

    pub fn writable(&mut self) -> io::Result<()> {
        if !self.connected {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            self.stream.set_nodelay(true)?;
            self.connected = true;
        }
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        self.send(&unsent)
    }

    /// Reads once, behind what was kept.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Arrived> {
        let kept = self.rest.len();
        let length = match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => return Ok(Arrived::End),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Arrived::Nothing),
            Err(error) => return Err(error),
        };
        buffer[..kept].copy_from_slice(&self.rest);
        self.rest.clear();
        Ok(Arrived::Bytes { end: kept + length, more: length == buffer.len() - kept })
    }

    /// Keeps what is incomplete, until more has arrived.
    pub fn keep(&mut self, rest: &[u8]) {
        self.rest.extend_from_slice(rest);
    }
}

pub enum Arrived {
    /// So many bytes lie in the buffer. Readiness is told once: whoever reads less than there was room for has all of it.
    Bytes {
        end: usize,
        more: bool,
    },
    Nothing,
    /// The stream has ended.
    End,
}
