//! A client whose connection can be cut at any byte. It behaves like `socket.io-client` as far as
//! recovery is concerned.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::masked_frame;
use crate::raw::{frame, text_frame};

/// What a client remembers between its connections.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The token of the session.
    pub pid: Option<String>,
    /// The last argument of the last event that ended in a string.
    pub offset: Option<String>,
    /// The socket's id.
    pub sid: String,
}

/// A connection, with the bytes that it has read.
#[derive(Debug)]
pub struct Line {
    stream: DuplexStream,
    read: Vec<u8>,
    is_open: bool,
}

/// A packet of the server.
#[derive(Debug, PartialEq)]
pub enum Packet {
    /// The client is connected to the namespace. Whether it has resumed its session.
    Connected(bool),
    /// An event, without the offset.
    Event(Vec<Value>),
    /// Anything else.
    Other(String),
}

impl Line {
    /// Opens a connection and sends the packets of a client that connects to `/`.
    pub async fn open(app: &Router, memory: &Memory, auth: Value) -> Self {
        let mut line = Self::open_at(app, "/socket.io/?EIO=4&transport=websocket").await;
        let mut connect = json!({});
        if let Some(pid) = &memory.pid {
            connect["pid"] = json!(pid);
        }
        if let Some(offset) = memory.offset.as_ref().filter(|_| memory.pid.is_some()) {
            connect["offset"] = json!(offset);
        }
        if let Value::Object(auth) = auth {
            connect.as_object_mut().expect("an object").extend(auth);
        }
        line.send(&format!("40{connect}")).await;
        line
    }

    /// Opens a connection, and sends nothing but the request for a WebSocket.
    pub async fn open_at(app: &Router, path: &str) -> Self {
        let (client, server) = duplex(256 * 1024);
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service).with_upgrades());
        let mut line = Self { stream: client, read: Vec::new(), is_open: false };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        line.stream.write_all(request.as_bytes()).await.expect("there is room");
        line
    }

    /// Sends a text message.
    pub async fn send(&mut self, packet: &str) {
        // The server may have closed the connection.
        let _ = self.stream.write_all(&text_frame(packet)).await;
    }

    /// Sends a close frame.
    pub async fn close(&mut self, code: u16) {
        let _ = self.stream.write_all(&masked_frame(0x88, &code.to_be_bytes())).await;
    }

    /// Reads at most this many bytes of those that have arrived, waiting for the first.
    pub async fn read(&mut self, most: usize) -> usize {
        let mut bytes = vec![0; most];
        let count = self.stream.read(&mut bytes).await.unwrap_or(0);
        self.read.extend_from_slice(&bytes[..count]);
        count
    }

    /// Waits until the client is accepted. Returns the events that arrive until then.
    ///
    /// # Panics
    ///
    /// The connection ends.
    pub async fn joined(&mut self, memory: &mut Memory) -> Vec<Value> {
        let mut events = Vec::new();
        let mut is_connected = false;
        while !is_connected {
            assert!(self.read(4_096).await > 0, "the connection has ended");
            while let Some(packet) = self.next(memory) {
                match packet {
                    Packet::Connected(_) => is_connected = true,
                    Packet::Event(event) => events.push(event.into()),
                    Packet::Other(_) => {}
                }
            }
        }
        events
    }

    /// Takes the next packet that has been read completely.
    pub fn next(&mut self, memory: &mut Memory) -> Option<Packet> {
        self.next_text().map(|text| Self::packet(text, memory))
    }

    /// Takes the payload of the next message that has been read completely.
    pub fn next_text(&mut self) -> Option<String> {
        if !self.is_open {
            let end = self.read.windows(4).position(|window| window == b"\r\n\r\n")?;
            self.read.drain(..end + 4);
            self.is_open = true;
        }
        let (start, end) = frame(&self.read)?;
        let text = String::from_utf8_lossy(&self.read[start..end]).into_owned();
        self.read.drain(..end);
        Some(text)
    }

    fn packet(text: String, memory: &mut Memory) -> Packet {
        if let Some(connected) = text.strip_prefix("40") {
            let told: Value = serde_json::from_str(connected).expect("JSON");
            let pid = told["pid"].as_str().map(str::to_owned);
            let recovered = pid.is_some() && memory.pid == pid;
            (memory.pid, memory.sid) = (pid, told["sid"].as_str().expect("an id").to_owned());
            return Packet::Connected(recovered);
        }
        match text.strip_prefix("42").and_then(|event| serde_json::from_str::<Vec<Value>>(event).ok()) {
            Some(mut event) => {
                if memory.pid.is_some() && event.len() > 1 && event.last().is_some_and(Value::is_string) {
                    memory.offset = event.pop().and_then(|offset| offset.as_str().map(str::to_owned));
                }
                Packet::Event(event)
            }
            None => Packet::Other(text),
        }
    }
}
