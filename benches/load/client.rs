//! One client: how it connects, sends and receives, for each flavour.

use crate::connection::{Connection, ReadOutcome};
use crate::frames;
use crate::http;
use crate::messages::{SEPARATOR, packets};
use crate::options::{Flavour, Options};
use std::io;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waiting for the response to the upgrade. Polling clients skip this.
    Upgrading,
    /// Waiting for Engine.IO's open packet.
    Opening,
    /// Waiting for Socket.IO's CONNECT.
    Joining,
    /// Waiting for the echo of the client's greeting.
    Greeting,
    Ready,
}

/// A polling client's second connection, for its POSTs.
struct Posts {
    connection: Connection,
    path: String,
    /// Whether a POST is pending.
    busy: bool,
    /// Packets for the next POST.
    waiting: Vec<u8>,
    /// A reused buffer for requests.
    request: Vec<u8>,
}

pub struct Client {
    connection: Connection,
    flavour: Flavour,
    host: String,
    stage: Stage,
    /// Whether the client sends a greeting. Its echo shows that the server has accepted the client
    /// and added it to its rooms. The response to a plain client's upgrade does not show that.
    greets: bool,
    rooms: usize,
    closing: bool,
    posts: Option<Posts>,
    /// The GET request of each poll.
    get: Vec<u8>,
}

pub type BoxError = Box<dyn std::error::Error>;

/// A callback for received messages.
pub type Receive<'a> = dyn FnMut(&[u8]) -> Result<(), BoxError> + 'a;

const GREETING: &str = r#"{"t":"","user":"","room":1,"text":""}"#;
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

impl Client {
    pub fn connect(options: &Options, number: u32) -> Result<Self, BoxError> {
        let Options { address, flavour, .. } = *options;
        let host = address.to_string();
        let mut connection = Connection::connect(address)?;
        let (request, stage) = match flavour {
            Flavour::Plain => (http::upgrade(&format!("/ws/c{number}"), &host), Stage::Upgrading),
            Flavour::SocketIo => (http::upgrade("/socket.io/?EIO=4&transport=websocket", &host), Stage::Upgrading),
            Flavour::Polling => (http::get(POLLING, &host), Stage::Opening),
        };
        connection.send(&request)?;
        let posts = match flavour {
            Flavour::Polling => Some(Posts {
                connection: Connection::connect(address)?,
                path: String::new(),
                busy: false,
                waiting: Vec::new(),
                request: Vec::new(),
            }),
            _ => None,
        };
        let greets = flavour == Flavour::Plain && options.work.is_broadcast() || options.rooms > 0;
        let rooms = options.rooms;
        Ok(Self { connection, flavour, host, stage, greets, rooms, closing: false, posts, get: Vec::new() })
    }

    /// Handles the acceptance by the server.
    fn accepted(&mut self) -> io::Result<()> {
        if !self.greets {
            self.stage = Stage::Ready;
            return Ok(());
        }
        self.stage = Stage::Greeting;
        for room in 1..=self.rooms {
            self.send_packet(self.event("join", &room.to_string()).as_bytes())?;
        }
        self.send_packet(self.event("echo", GREETING).as_bytes())
    }

    fn event(&self, event: &str, data: &str) -> String {
        match self.flavour {
            Flavour::Plain => format!(r#"{{"event":"{event}","data":{data}}}"#),
            _ => format!(r#"42["{event}",{data}]"#),
        }
    }

    /// Handles a message that arrives before the client is ready. Only its greeting is expected.
    fn greeting_returned(&mut self, message: &[u8]) -> Result<(), BoxError> {
        if self.stage != Stage::Greeting || message != self.event("echo", GREETING).as_bytes() {
            return Err(format!("unexpected message: {}", String::from_utf8_lossy(message)).into());
        }
        self.stage = Stage::Ready;
        Ok(())
    }

    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Its TCP streams, in the order of their indices in [`Self::readable`] and [`Self::writable`].
    pub fn streams(&mut self) -> impl Iterator<Item = &mut mio::net::TcpStream> {
        std::iter::once(&mut self.connection.stream)
            .chain(self.posts.as_mut().map(|posts| &mut posts.connection.stream))
    }

    pub fn writable(&mut self, stream: usize) -> io::Result<()> {
        match &mut self.posts {
            Some(posts) if stream == 1 => posts.connection.writable(),
            _ => self.connection.writable(),
        }
    }

    /// Sends a burst that [`crate::messages::Messages`] encoded for this flavour.
    pub fn send(&mut self, burst: &[u8]) -> io::Result<()> {
        match &mut self.posts {
            Some(posts) => posts.send(burst, &self.host),
            None => self.connection.send(burst),
        }
    }

    /// Sends one packet.
    fn send_packet(&mut self, packet: &[u8]) -> io::Result<()> {
        if self.posts.is_some() {
            return self.send(packet);
        }
        self.send_frame(frames::TEXT, packet)
    }

    fn send_frame(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        frames::append(&mut frame, opcode, payload);
        self.connection.send(&frame)
    }

    /// Starts to close the connection.
    pub fn close(&mut self) -> io::Result<()> {
        self.closing = true;
        match self.flavour {
            Flavour::Polling => self.send_packet(b"1"),
            _ => self.send_frame(frames::CLOSE, &1000_u16.to_be_bytes()),
        }
    }

    /// Reads and handles the available bytes. `false`: the connection has ended.
    pub fn readable(&mut self, stream: usize, buffer: &mut [u8], receive: &mut Receive<'_>) -> Result<bool, BoxError> {
        loop {
            let connection = match &mut self.posts {
                Some(posts) if stream == 1 => &mut posts.connection,
                _ => &mut self.connection,
            };
            let (end, more) = match connection.read(buffer)? {
                ReadOutcome::Bytes { end, more } => (end, more),
                ReadOutcome::Nothing => return Ok(true),
                // Servers close HTTP connections that are idle for a while. This one need not be
                // reopened: nothing is posted after a pause.
                ReadOutcome::End if stream == 1 && self.posts.as_ref().is_some_and(|posts| !posts.busy) => {
                    return Ok(true);
                }
                ReadOutcome::End => return Ok(false),
            };
            let bytes = &buffer[..end];
            let done = match self.flavour {
                Flavour::Polling if stream == 1 => self.posted(bytes)?,
                Flavour::Polling => self.polled(bytes, receive)?,
                _ => self.frames(bytes, receive)?,
            };
            let Some(done) = done else { return Ok(false) };
            match &mut self.posts {
                Some(posts) if stream == 1 => posts.connection.keep(&bytes[done..]),
                _ => self.connection.keep(&bytes[done..]),
            }
            if !more {
                return Ok(true);
            }
        }
    }

    fn frames(&mut self, bytes: &[u8], receive: &mut Receive<'_>) -> Result<Option<usize>, BoxError> {
        let mut done = 0;
        if self.stage == Stage::Upgrading {
            let Some(end) = http::upgraded(bytes)? else { return Ok(Some(0)) };
            done = end;
            match self.flavour {
                Flavour::Plain => self.accepted()?,
                _ => self.stage = Stage::Opening,
            }
        }
        while let Some((opcode, payload)) = frames::first(&bytes[done..])? {
            let (payload, end) = (&bytes[done..][payload.clone()], done + payload.end);
            match opcode {
                frames::TEXT if self.flavour == Flavour::Plain && self.stage == Stage::Ready => receive(payload)?,
                frames::TEXT if self.flavour == Flavour::Plain => self.greeting_returned(payload)?,
                frames::TEXT => self.packet(payload, receive)?,
                frames::PING => {}
                frames::CLOSE => return Ok(None),
                _ => return Err(format!("unexpected opcode {opcode}").into()),
            }
            done = end;
        }
        Ok(Some(done))
    }

    fn polled(&mut self, bytes: &[u8], receive: &mut Receive<'_>) -> Result<Option<usize>, BoxError> {
        if self.closing {
            return Ok(None);
        }
        let Some(body) = http::response(bytes)? else { return Ok(Some(0)) };
        let end = body.end;
        for packet in packets(&bytes[body]) {
            match packet {
                b"1" => return Ok(None),
                // The server answers the pending GET with a noop when the client closes.
                b"6" => {}
                packet => self.packet(packet, receive)?,
            }
        }
        self.connection.send(&self.get)?;
        Ok(Some(end))
    }

    /// Handles an Engine.IO packet.
    fn packet(&mut self, packet: &[u8], receive: &mut Receive<'_>) -> Result<(), BoxError> {
        match (self.stage, packet) {
            (Stage::Ready, [b'4', ..]) => receive(packet),
            (_, b"2") => Ok(self.send_packet(b"3")?),
            (Stage::Opening, [b'0', open @ ..]) => {
                self.stage = Stage::Joining;
                if let Some(posts) = &mut self.posts {
                    let open: serde_json::Value = serde_json::from_slice(open)?;
                    let session = open["sid"].as_str().ok_or("an open packet without a session")?;
                    posts.path = format!("{POLLING}&sid={session}");
                    self.get = http::get(&posts.path, &self.host);
                }
                Ok(self.send_packet(b"40")?)
            }
            (Stage::Joining, [b'4', b'0', ..]) => Ok(self.accepted()?),
            (Stage::Greeting, [b'4', ..]) => self.greeting_returned(packet),
            _ => Err(format!("unexpected packet: {}", String::from_utf8_lossy(packet)).into()),
        }
    }

    /// Handles the response to a POST. At most one is pending.
    fn posted(&mut self, bytes: &[u8]) -> Result<Option<usize>, BoxError> {
        let (Some(posts), Some(body)) = (&mut self.posts, http::response(bytes)?) else { return Ok(Some(0)) };
        if !bytes[body.clone()].eq_ignore_ascii_case(b"ok") {
            return Err(format!("unexpected response to a POST: {}", String::from_utf8_lossy(&bytes[body])).into());
        }
        posts.busy = false;
        if !posts.waiting.is_empty() {
            let waiting = std::mem::take(&mut posts.waiting);
            posts.send(&waiting, &self.host)?;
        }
        Ok(Some(body.end))
    }
}

impl Posts {
    fn send(&mut self, body: &[u8], host: &str) -> io::Result<()> {
        if self.busy {
            if !self.waiting.is_empty() {
                self.waiting.push(SEPARATOR);
            }
            self.waiting.extend_from_slice(body);
            return Ok(());
        }
        self.busy = true;
        self.request.clear();
        http::post(&mut self.request, &self.path, host, body);
        self.connection.send(&self.request)
    }
}
