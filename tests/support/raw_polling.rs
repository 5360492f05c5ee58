//! The long-polling variant of the client in [`raw`](crate::raw): it blocks, and allocates nothing
//! per message.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A Socket.IO session that sends its requests in sequence on one connection.
#[derive(Debug)]
pub struct RawPolling {
    stream: TcpStream,
    buffer: Box<[u8]>,
    poll: Vec<u8>,
    target: String,
}

impl RawPolling {
    /// Opens a session, and connects to `/`.
    ///
    /// # Errors
    ///
    /// The server refuses the client, or the connection has failed.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(crate::PATIENCE))?;
        let target = "/socket.io/?EIO=4&transport=polling".to_owned();
        let mut client = Self { stream, buffer: vec![0; 256 * 1024].into(), poll: Vec::new(), target };
        client.poll = client.request("GET", "");
        let open = String::from_utf8_lossy(client.poll()?).into_owned();
        let sid = open.split('"').nth(3).ok_or_else(|| io::Error::other(open.clone()))?;
        client.target = format!("{}&sid={sid}", client.target);
        client.poll = client.request("GET", "");
        client.send(&client.request("POST", "40"))?;
        client.poll()?;
        Ok(client)
    }

    /// A POST request with these packets.
    pub fn post(&self, packets: &str) -> Vec<u8> {
        self.request("POST", packets)
    }

    fn request(&self, method: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("{method} {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}", self.target).into()
    }

    /// Sends a [request](Self::post).
    ///
    /// # Errors
    ///
    /// The server rejects it, or the connection has failed.
    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)?;
        match self.response()? {
            b"ok" => Ok(()),
            other => Err(io::Error::other(String::from_utf8_lossy(other))),
        }
    }

    /// Polls until this many packets have been received.
    ///
    /// # Errors
    ///
    /// The session has ended, or nothing arrives within [`PATIENCE`](crate::PATIENCE).
    pub fn receive(&mut self, count: usize) -> io::Result<()> {
        let mut remaining = count;
        while remaining > 0 {
            let body = self.poll()?;
            remaining = remaining.saturating_sub(1 + body.iter().filter(|byte| **byte == 0x1e).count());
        }
        Ok(())
    }

    fn poll(&mut self) -> io::Result<&[u8]> {
        self.stream.write_all(&self.poll)?;
        self.response()
    }

    /// Reads the body of the next response.
    fn response(&mut self) -> io::Result<&[u8]> {
        let mut filled = 0;
        loop {
            match self.stream.read(&mut self.buffer[filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => filled += length,
            }
            if let Some((start, end)) = body(&self.buffer[..filled]) {
                return Ok(&self.buffer[start..end]);
            }
        }
    }
}

/// The range of the response's body, if it is complete.
fn body(received: &[u8]) -> Option<(usize, usize)> {
    const LENGTH: &[u8] = b"content-length: ";
    let start = 4 + received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let digits = LENGTH.len() + received[..start].windows(LENGTH.len()).position(|window| window == LENGTH)?;
    let digits = received[digits..start].iter().take_while(|byte| byte.is_ascii_digit());
    let end = start + digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    (received.len() >= end).then_some((start, end))
}
