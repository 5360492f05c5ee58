//! A cheap client, for measuring the server: it blocks, allocates nothing per message, and only
//! parses frame headers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A WebSocket connection.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    buffer: Box<[u8]>,
    filled: usize,
}

impl RawClient {
    /// Connects and upgrades.
    ///
    /// # Errors
    ///
    /// The server does not respond with 101.
    pub fn connect(address: SocketAddr, path: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(crate::PATIENCE))?;
        let mut client = Self { stream, buffer: vec![0; 256 * 1024].into(), filled: 0 };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.stream.write_all(request.as_bytes())?;
        loop {
            client.fill()?;
            let received = &client.buffer[..client.filled];
            if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                if !received.starts_with(b"HTTP/1.1 101 ") {
                    return Err(io::Error::other(String::from_utf8_lossy(&received[..end])));
                }
                client.consume(end + 4);
                return Ok(client);
            }
        }
    }

    /// The TCP socket, for a client that only needs to stay connected.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn fill(&mut self) -> io::Result<()> {
        match self.stream.read(&mut self.buffer[self.filled..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.filled += length;
                Ok(())
            }
        }
    }

    fn consume(&mut self, length: usize) {
        self.buffer.copy_within(length..self.filled, 0);
        self.filled -= length;
    }

    /// Sends bytes unchanged: frames made with [`text_frame`].
    ///
    /// # Errors
    ///
    /// The connection has failed.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Receives this many frames, and passes the payload of each to `check`.
    ///
    /// # Errors
    ///
    /// The connection has failed, or nothing arrives within [`PATIENCE`](crate::PATIENCE).
    pub fn receive(&mut self, count: usize, mut check: impl FnMut(&[u8])) -> io::Result<()> {
        let mut remaining = count;
        while remaining > 0 {
            let mut at = 0;
            while remaining > 0
                && let Some((start, end)) = frame(&self.buffer[at..self.filled])
            {
                check(&self.buffer[at + start..at + end]);
                at += end;
                remaining -= 1;
            }
            self.consume(at);
            if remaining > 0 {
                self.fill()?;
            }
        }
        Ok(())
    }
}

/// The range of the first frame's payload, if it is complete.
pub(crate) fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= start + length).then_some((start, start + length))
}

/// A client's text frame, masked with zeros.
pub fn text_frame(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload.as_bytes());
    frame
}
