//! One client: how it is let in, and how its messages travel, for each flavour.

use crate::frames;
use crate::http;
use crate::link::{Arrived, Link};
use crate::messages::{SEPARATOR, packets};
use crate::options::{Flavour, Options};
use std::io;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The upgrade is asked for; a polling client has none.
    Upgrading,
    /// Engine.IO's open packet is to come.
    Opening,
    /// Socket.IO's CONNECT is to come.
    Joining,
    /// The client's greeting is to come back.
    Greeting,
    Ready,
}

/// A polling client's second connection, for its POSTs.
struct Posts {
    link: Link,
    path: String,
    /// One is under way.
    busy: bool,
    /// What must wait for it.
    waiting: Vec<u8>,
    /// Where requests are put together.
    request: Vec<u8>,
}

pub struct Client {
    link: Link,
    flavour: Flavour,
    host: String,
    stage: Stage,
    /// Whether the client must know that the server has taken it in, and into its rooms: a plain client's upgrade does not
    /// say so.
    greets: bool,
    rooms: usize,
    closing: bool,
    posts: Option<Posts>,
    /// The request that is repeated.
    get: Vec<u8>,
}

/// What a fault is called.
pub type Fault = Box<dyn std::error::Error>;

/// Takes the messages that arrive.
pub type Receive<'a> = dyn FnMut(&[u8]) -> Result<(), Fault> + 'a;

const GREETING: &str = r#"{"t":"","user":"","room":1,"text":""}"#;
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

impl Client {
    pub fn connect(options: &Options, number: u32) -> Result<Self, Fault> {
        let Options { address, flavour, .. } = *options;
        let host = address.to_string();
        let mut link = Link::connect(address)?;
        let (request, stage) = match flavour {
            Flavour::Plain => (http::upgrade(&format!("/ws/c{number}"), &host), Stage::Upgrading),
            Flavour::SocketIo => (http::upgrade("/socket.io/?EIO=4&transport=websocket", &host), Stage::Upgrading),
            Flavour::Polling => (http::get(POLLING, &host), Stage::Opening),
        };
        link.send(&request)?;
        let posts = match flavour {
            Flavour::Polling => Some(Posts {
                link: Link::connect(address)?,
                path: String::new(),
                busy: false,
                waiting: Vec::new(),
                request: Vec::new(),
            }),
            _ => None,
        };
        let greets = flavour == Flavour::Plain && options.work.is_broadcast() || options.rooms > 0;
        let rooms = options.rooms;
        Ok(Self { link, flavour, host, stage, greets, rooms, closing: false, posts, get: Vec::new() })
    }

    /// The client is let in.
    fn enter(&mut self) -> io::Result<()> {
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

    /// Something that the server says before the client is ready: only its greeting can come back.
    fn greeted(&mut self, message: &[u8]) -> Result<(), Fault> {
        if self.stage != Stage::Greeting || message != self.event("echo", GREETING).as_bytes() {
            return Err(format!("a message out of place: {}", String::from_utf8_lossy(message)).into());
        }
        self.stage = Stage::Ready;
        Ok(())
    }

    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Its connections, in the order of their numbers in [`Self::readable`] and [`Self::writable`].
    pub fn streams(&mut self) -> impl Iterator<Item = &mut mio::net::TcpStream> {
        std::iter::once(&mut self.link.stream).chain(self.posts.as_mut().map(|posts| &mut posts.link.stream))
    }

    pub fn writable(&mut self, stream: usize) -> io::Result<()> {
        match &mut self.posts {
            Some(posts) if stream == 1 => posts.link.writable(),
            _ => self.link.writable(),
        }
    }

    /// Sends what [`crate::messages::Messages`] made for this flavour.
    pub fn send(&mut self, burst: &[u8]) -> io::Result<()> {
        match &mut self.posts {
            Some(posts) => posts.send(burst, &self.host),
            None => self.link.send(burst),
        }
    }

    /// Sends one packet of the protocol.
    fn send_packet(&mut self, packet: &[u8]) -> io::Result<()> {
        if self.posts.is_some() {
            return self.send(packet);
        }
        self.send_frame(frames::TEXT, packet)
    }

    fn send_frame(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        frames::append(&mut frame, opcode, payload);
        self.link.send(&frame)
    }

    /// Begins to end the connection.
    pub fn close(&mut self) -> io::Result<()> {
        self.closing = true;
        match self.flavour {
            Flavour::Polling => self.send_packet(b"1"),
            _ => self.send_frame(frames::CLOSE, &1000_u16.to_be_bytes()),
        }
    }

    /// Reads what has arrived; says whether the connection goes on.
    pub fn readable(&mut self, stream: usize, buffer: &mut [u8], receive: &mut Receive<'_>) -> Result<bool, Fault> {
        loop {
            let link = match &mut self.posts {
                Some(posts) if stream == 1 => &mut posts.link,
                _ => &mut self.link,
            };
            let (end, more) = match link.read(buffer)? {
                Arrived::Bytes { end, more } => (end, more),
                Arrived::Nothing => return Ok(true),
                // Servers end connections that have had no request for a while. None is reopened here: nothing is posted
                // after a rest.
                Arrived::End if stream == 1 && self.posts.as_ref().is_some_and(|posts| !posts.busy) => return Ok(true),
                Arrived::End => return Ok(false),
            };
            let bytes = &buffer[..end];
            let done = match self.flavour {
                Flavour::Polling if stream == 1 => self.posted(bytes)?,
                Flavour::Polling => self.polled(bytes, receive)?,
                _ => self.frames(bytes, receive)?,
            };
            let Some(done) = done else { return Ok(false) };
            match &mut self.posts {
                Some(posts) if stream == 1 => posts.link.keep(&bytes[done..]),
                _ => self.link.keep(&bytes[done..]),
            }
            if !more {
                return Ok(true);
            }
        }
    }

    fn frames(&mut self, bytes: &[u8], receive: &mut Receive<'_>) -> Result<Option<usize>, Fault> {
        let mut done = 0;
        if self.stage == Stage::Upgrading {
            let Some(end) = http::upgraded(bytes)? else { return Ok(Some(0)) };
            done = end;
            match self.flavour {
                Flavour::Plain => self.enter()?,
                _ => self.stage = Stage::Opening,
            }
        }
        while let Some((opcode, payload)) = frames::first(&bytes[done..])? {
            let (payload, end) = (&bytes[done..][payload.clone()], done + payload.end);
            match opcode {
                frames::TEXT if self.flavour == Flavour::Plain && self.stage == Stage::Ready => receive(payload)?,
                frames::TEXT if self.flavour == Flavour::Plain => self.greeted(payload)?,
                frames::TEXT => self.packet(payload, receive)?,
                frames::PING => {}
                frames::CLOSE => return Ok(None),
                _ => return Err(format!("a frame with the opcode {opcode}").into()),
            }
            done = end;
        }
        Ok(Some(done))
    }

    fn polled(&mut self, bytes: &[u8], receive: &mut Receive<'_>) -> Result<Option<usize>, Fault> {
        if self.closing {
            return Ok(None);
        }
        let Some(body) = http::response(bytes)? else { return Ok(Some(0)) };
        let end = body.end;
        for packet in packets(&bytes[body]) {
            match packet {
                b"1" => return Ok(None),
                // What is sent when the client goes, to end its GET.
                b"6" => {}
                packet => self.packet(packet, receive)?,
            }
        }
        self.link.send(&self.get)?;
        Ok(Some(end))
    }

    /// A packet of Engine.IO.
    fn packet(&mut self, packet: &[u8], receive: &mut Receive<'_>) -> Result<(), Fault> {
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
            (Stage::Joining, [b'4', b'0', ..]) => Ok(self.enter()?),
            (Stage::Greeting, [b'4', ..]) => self.greeted(packet),
            _ => Err(format!("a packet out of place: {}", String::from_utf8_lossy(packet)).into()),
        }
    }

    /// The answer to a POST: at most one is under way.
    fn posted(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let (Some(posts), Some(body)) = (&mut self.posts, http::response(bytes)?) else { return Ok(Some(0)) };
        if !bytes[body.clone()].eq_ignore_ascii_case(b"ok") {
            return Err(format!("a POST is answered: {}", String::from_utf8_lossy(&bytes[body])).into());
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
        self.link.send(&self.request)
    }
}
