//! The clients of a server. They verify every message that they receive.

use crate::BoxError;
use crate::frames;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

/// The timeout for the next message. A server that sends nothing for this long has lost one.
const PATIENCE: Duration = Duration::from_secs(20);
const BUFFER: usize = 1 << 20;

/// The rooms of the clients: nobody is in `none`, and the messages to `end` end a measurement.
pub const ROOMS: [&str; 4] = ["none", "one", "many", "end"];
pub const MANY: usize = 1_000;
/// The index of the room `end`.
pub const END: usize = 3;

pub struct Receivers {
    poll: Poll,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// The messages that the clients of each room wait for.
    missing: [usize; ROOMS.len()],
    /// The length of the texts of the messages.
    text: usize,
}

struct Client {
    stream: TcpStream,
    room: usize,
    /// The number of the next message.
    next: u64,
    rest: Vec<u8>,
}

impl Receivers {
    pub fn connect(address: SocketAddr) -> Result<Self, BoxError> {
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for room in [vec![1, END], vec![2; MANY]].concat() {
            let mut stream = TcpStream::from_std(join(address, ROOMS[room])?);
            poll.registry().register(&mut stream, Token(clients.len()), Interest::READABLE)?;
            clients.push(Client { stream, room, next: 0, rest: Vec::new() });
        }
        Ok(Self { poll, clients, buffer: vec![0; BUFFER], missing: [0; ROOMS.len()], text: 0 })
    }

    pub fn size(room: usize) -> usize {
        [0, 1, MANY, 1][room]
    }

    /// Expects messages to a room, with texts of this length.
    pub fn expect(&mut self, room: usize, messages: usize, text: usize) {
        self.missing[room] += messages * Self::size(room);
        self.text = text;
    }

    /// Waits until all expected messages have arrived.
    pub fn receive(&mut self) -> Result<(), BoxError> {
        let mut events = Events::with_capacity(1024);
        while self.missing.iter().any(|missing| *missing > 0) {
            let begin = Instant::now();
            self.poll.poll(&mut events, Some(PATIENCE))?;
            if events.is_empty() && begin.elapsed() >= PATIENCE {
                return Err(format!("{:?} messages are missing", self.missing).into());
            }
            for event in &events {
                let client = &mut self.clients[event.token().0];
                let received = client.read(&mut self.buffer, self.text)?;
                let missing = &mut self.missing[client.room];
                *missing = missing.checked_sub(received).ok_or("more messages than were sent")?;
            }
        }
        Ok(())
    }
}

impl Client {
    /// Reads what has arrived. Returns the number of messages.
    fn read(&mut self, buffer: &mut [u8], text: usize) -> Result<usize, BoxError> {
        let mut messages = 0;
        loop {
            let kept = self.rest.len();
            let length = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(messages),
                Err(error) => return Err(error.into()),
            };
            buffer[..kept].copy_from_slice(&self.rest);
            let mut bytes = &buffer[..kept + length];
            while let Some((opcode, payload)) = frames::first(bytes)? {
                let (message, rest) = (&bytes[payload.clone()], &bytes[payload.end..]);
                match opcode {
                    frames::TEXT if number(message, text) == Some(self.next) => {
                        self.next += 1;
                        messages += 1;
                    }
                    frames::PING => {}
                    frames::CLOSE => return Err("the server has closed a connection".into()),
                    _ => {
                        let message = String::from_utf8_lossy(message);
                        return Err(format!("expected message {}, received {message}", self.next).into());
                    }
                }
                bytes = rest;
            }
            self.rest.clear();
            self.rest.extend_from_slice(bytes);
            if kept + length < buffer.len() {
                return Ok(messages);
            }
        }
    }
}

/// The number of a message whose text has this length, or is empty.
fn number(message: &[u8], text: usize) -> Option<u64> {
    let rest = message.strip_prefix(br#"42["message",{"n":"#)?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let found = rest[digits..].strip_prefix(br#","text":""#)?.strip_suffix(br#""}]"#)?;
    (found.is_empty() || found.len() == text).then_some(number)
}

/// Connects a client, and adds it to a room.
fn join(address: SocketAddr, room: &str) -> Result<net::TcpStream, BoxError> {
    let mut stream = net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let mut is_upgraded = false;
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
            && !is_upgraded
        {
            is_upgraded = true;
            bytes.drain(..end + 4);
        }
        while is_upgraded && let Some((_, payload)) = frames::first(&bytes)? {
            let end = payload.end;
            let answer = match &bytes[payload] {
                [b'0', ..] => Some("40".to_owned()),
                [b'4', b'0', ..] => Some(format!(r#"420["join","{room}"]"#)),
                // The acknowledgement of `join`.
                [b'4', b'3', b'0', ..] => {
                    stream.set_nonblocking(true)?;
                    return Ok(stream);
                }
                other => return Err(format!("unexpected: {}", String::from_utf8_lossy(other)).into()),
            };
            if let Some(answer) = answer {
                let mut frame = Vec::new();
                frames::append(&mut frame, frames::TEXT, answer.as_bytes());
                stream.write_all(&frame)?;
            }
            bytes.drain(..end);
        }
        match stream.read(&mut buffer)? {
            0 => return Err("the server has closed a connection".into()),
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
}
