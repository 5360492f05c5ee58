//! [`Client`]: a client that resumes its session, and whose connection can be cut at any byte.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use socketio::cluster::Offset;
use socketio_tests::masked_frame;
use socketio_tests::raw::text_frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::yield_now;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `socket.io-client`: it resumes with `pid` and `offset`.
    SocketIo,
    /// A plain WebSocket client that resumes with its token.
    Plain,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) kind: Kind,
    token: Option<String>,
    offset: Option<String>,
    pub(crate) line: Option<Line>,
    /// What it has received in each of its sessions. The last is the current one.
    pub(crate) segments: Vec<Segment>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    stream: DuplexStream,
    read: Vec<u8>,
    is_open: bool,
    pub(crate) is_connected: bool,
    /// The number of the server.
    pub(crate) server: usize,
    /// Tells the connection from all others.
    pub(crate) attempt: usize,
    /// What the server had read of the log before the connection.
    pub(crate) opened_at: Offset,
    /// The number of emits before the connection.
    pub(crate) emits: usize,
}

/// What was received in one session.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) sid: String,
    pub(crate) opened_at: Offset,
    pub(crate) received: Vec<Received>,
    /// The server that has the session.
    pub(crate) server: usize,
}

/// A message that was received. Only those of the log have an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) number: u64,
    pub(crate) offset: Option<Offset>,
}

/// What a server has sent.
#[derive(Debug)]
pub(crate) enum Seen {
    Connected { recovered: bool },
    News(Received),
    Other,
}

/// Where a client connects to.
pub(crate) struct Address<'a> {
    pub(crate) app: &'a Router,
    pub(crate) server: usize,
    pub(crate) attempt: usize,
    pub(crate) opened_at: Offset,
    pub(crate) emits: usize,
}

impl Client {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, token: None, offset: None, line: None, segments: Vec::new() }
    }

    /// Everything that the client sends to connect.
    fn hello(&self, attempt: usize) -> Vec<u8> {
        let path = match (self.kind, &self.token) {
            (Kind::SocketIo, _) => format!("/socket.io/?EIO=4&transport=websocket&attempt={attempt}"),
            (Kind::Plain, None) => format!("/ws?resume=1&attempt={attempt}"),
            (Kind::Plain, Some(_)) => format!("/ws?resume=token&attempt={attempt}"),
        };
        let mut hello = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .into_bytes();
        let mut claim = json!({});
        if let Some(token) = &self.token {
            claim[if self.kind == Kind::SocketIo { "pid" } else { "token" }] = json!(token);
            if let Some(offset) = &self.offset {
                claim["offset"] = json!(offset);
            }
        }
        match (self.kind, &self.token) {
            (Kind::SocketIo, _) => hello.extend(text_frame(&format!("40{claim}"))),
            (Kind::Plain, Some(_)) => hello.extend(text_frame(&json!({ "resume": claim }).to_string())),
            (Kind::Plain, None) => {}
        }
        hello
    }

    /// Connects. With `most`, the connection is cut when so many bytes have been sent. Returns the
    /// old connection, whose end the server has not noticed.
    pub(crate) async fn connect(&mut self, to: Address<'_>, most: Option<usize>) -> Option<Line> {
        let (stream, server) = duplex(256 * 1024);
        let service = TowerToHyperService::new(to.app.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service).with_upgrades());
        let hello = self.hello(to.attempt);
        let sent = most.unwrap_or(hello.len()).min(hello.len());
        let Address { server, attempt, opened_at, emits, .. } = to;
        let mut line =
            Line { stream, read: Vec::new(), is_open: false, is_connected: false, server, attempt, opened_at, emits };
        line.write(&hello[..sent]).await;
        if sent < hello.len() {
            // The server has read what was sent before the cut.
            for _ in 0..attempt % 7 {
                yield_now().await;
            }
            return self.line.take();
        }
        self.line.replace(line)
    }

    /// The session, if the client has one.
    pub(crate) fn segment(&mut self) -> Option<&mut Segment> {
        self.segments.last_mut()
    }

    /// Reads at most this many bytes of those that have arrived. Returns how many there were. At
    /// their end the connection is gone.
    pub(crate) async fn read(&mut self, most: usize) -> usize {
        let Some(line) = &mut self.line else { return 0 };
        let mut bytes = vec![0; most];
        let count = tokio::select! {
            biased;
            count = line.stream.read(&mut bytes) => Some(count.unwrap_or(0)),
            () = yield_now() => None,
        };
        match count {
            Some(0) => self.line = None,
            Some(count) => line.read.extend_from_slice(&bytes[..count]),
            None => {}
        }
        count.unwrap_or(0)
    }

    /// Handles the next message that has been read completely.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        let line = self.line.as_mut()?;
        let (opcode, text) = line.next()?;
        if opcode == 9 {
            line.write(&masked_frame(0x8a, text.as_bytes())).await;
            return Some(Seen::Other);
        }
        if opcode != 1 {
            self.line = None;
            return Some(Seen::Other);
        }
        Some(match self.kind {
            Kind::SocketIo => self.socketio(&text).await,
            Kind::Plain => self.plain(&text),
        })
    }

    async fn socketio(&mut self, text: &str) -> Seen {
        if text == "2" {
            if let Some(line) = &mut self.line {
                line.write(&text_frame("3")).await;
            }
            return Seen::Other;
        }
        if let Some(told) = text.strip_prefix("40").and_then(|told| serde_json::from_str::<Value>(told).ok()) {
            let pid = told["pid"].as_str().map(str::to_owned);
            let recovered = pid.is_some() && self.token == pid;
            self.token = pid;
            return Seen::Connected { recovered };
        }
        let event = text.strip_prefix("42").and_then(|event| serde_json::from_str::<Vec<Value>>(event).ok());
        let Some(mut event) = event else { return Seen::Other };
        let mut offset = None;
        if event.len() > 1 && event.last().is_some_and(Value::is_string) {
            offset = event.pop().and_then(|offset| offset.as_str().map(str::to_owned));
            self.offset.clone_from(&offset);
        }
        news(event.first(), event.get(1), offset)
    }

    fn plain(&mut self, text: &str) -> Seen {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return Seen::Other };
        if message["event"] == "session" {
            self.token = message["data"]["token"].as_str().map(str::to_owned);
            return Seen::Connected { recovered: message["data"]["recovered"] == true };
        }
        let offset = message["offset"].as_str().map(str::to_owned);
        if offset.is_some() {
            self.offset.clone_from(&offset);
        }
        news(message.get("event"), message.get("data"), offset)
    }
}

fn news(name: Option<&Value>, number: Option<&Value>, offset: Option<String>) -> Seen {
    match number.and_then(Value::as_u64).filter(|_| name.is_some_and(|name| name == "news")) {
        Some(number) => Seen::News(Received { number, offset: offset.and_then(|offset| Offset::parse(&offset)) }),
        None => Seen::Other,
    }
}

impl Line {
    async fn write(&mut self, bytes: &[u8]) {
        // The server may have closed the connection.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Takes the next frame: its opcode, and its payload.
    fn next(&mut self) -> Option<(u8, String)> {
        if !self.is_open {
            let end = self.read.windows(4).position(|window| window == b"\r\n\r\n")?;
            self.read.drain(..end + 4);
            self.is_open = true;
        }
        let (first, short) = (*self.read.first()?, usize::from(self.read.get(1)? & 0x7f));
        let (start, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes(self.read.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(self.read.get(2..10)?.try_into().ok()?)).ok()?),
            length => (2, length),
        };
        let payload = self.read.get(start..start + length)?;
        let text = String::from_utf8_lossy(payload).into_owned();
        self.read.drain(..start + length);
        Some((first & 0x0f, text))
    }
}
