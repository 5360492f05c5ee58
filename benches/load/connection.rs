//! A non-blocking TCP connection that does not allocate once it is warm. All connections read into
//! one shared buffer. Only an incomplete rest is stored per connection.

use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

/// The size of the shared read buffer: several of the longest messages.
pub const BUFFER: usize = 4 << 20;

pub struct Connection {
    pub stream: TcpStream,
    unsent: Vec<u8>,
    rest: Vec<u8>,
    connected: bool,
}

impl Connection {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(address)?, unsent: Vec::new(), rest: Vec::new(), connected: false })
    }

    /// Writes what the kernel accepts now, and queues the rest.
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

    /// Reads once. The stored rest is put before the new bytes.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
        let kept = self.rest.len();
        let length = match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => return Ok(ReadOutcome::End),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(ReadOutcome::Nothing),
            Err(error) => return Err(error),
        };
        buffer[..kept].copy_from_slice(&self.rest);
        self.rest.clear();
        Ok(ReadOutcome::Bytes { end: kept + length, more: length == buffer.len() - kept })
    }

    /// Stores an incomplete rest until more bytes arrive.
    pub fn keep(&mut self, rest: &[u8]) {
        self.rest.extend_from_slice(rest);
    }
}

pub enum ReadOutcome {
    /// The buffer holds `end` bytes. `more`: it was filled, so there may be more to read. Readiness
    /// is edge-triggered.
    Bytes {
        end: usize,
        more: bool,
    },
    Nothing,
    /// The peer has closed the stream.
    End,
}
