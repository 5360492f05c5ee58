//! The command line options.

use crate::client::BoxError;
use std::net::SocketAddr;
use std::time::Duration;

pub const USAGE: &str = "\
usage: load --address HOST:PORT --pid PID [options]

  --flavour plain|socketio|polling       the protocol: WebSocket envelopes, Socket.IO over WebSocket,
                                         Socket.IO over polling (default: plain)
  --work echo|ack|broadcast|room|idle|open
                                         the workload: echoed events, acks, broadcasts of one client,
                                         the same to a room, opening idle connections, opening and
                                         closing connections (default: echo)
  --clients N        connections (default: 50)
  --stalled N        additional clients that stop reading once connected (default: 0)
  --rooms N          rooms that every client joins (default: 0; for `room`: 1)
  --window N         messages in flight per client, 64 at most; the next window is sent
                     when all have been answered (default: 16)
  --sliding          for echo and ack: send the next message for each answer
  --payload BYTES    length of the text in each message (default: 64)
  --seconds S        length of the measurement (default: 2)
  --messages N       for echo, ack, broadcast and room: end the measurement after so many messages,
                     whatever --seconds says
  --warm-up S        length of the warm-up (default: 0.5)
  --hold S           how long connections are idle before memory is read (default: 1)
  --opening N        connections opened concurrently (default: 50)
  --strace           also count the server's system calls; this slows it down and falsifies the times";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    Plain,
    SocketIo,
    Polling,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Echo,
    Ack,
    Broadcast,
    /// A broadcast to a room that contains all clients.
    Room,
    Idle,
    Open,
}

impl Work {
    /// Whether one client's messages are sent to all clients.
    pub fn is_broadcast(self) -> bool {
        matches!(self, Self::Broadcast | Self::Room)
    }
}

pub struct Options {
    pub address: SocketAddr,
    pub pid: u32,
    pub flavour: Flavour,
    pub work: Work,
    pub clients: usize,
    pub stalled: usize,
    pub rooms: usize,
    pub window: u32,
    pub payload: usize,
    pub measured: Duration,
    pub messages: Option<u64>,
    pub warm_up: Duration,
    pub hold: Duration,
    pub opening: usize,
    pub sliding: bool,
    pub strace: bool,
}

fn seconds(text: &str) -> Result<Duration, BoxError> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let mut options = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            pid: 0,
            flavour: Flavour::Plain,
            work: Work::Echo,
            clients: 50,
            stalled: 0,
            rooms: 0,
            window: 16,
            payload: 64,
            measured: Duration::from_secs(2),
            messages: None,
            warm_up: Duration::from_millis(500),
            hold: Duration::from_secs(1),
            opening: 50,
            sliding: false,
            strace: false,
        };
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--strace" => options.strace = true,
                "--sliding" => options.sliding = true,
                _ => {
                    let value = arguments.next().ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"))?;
                    options.set(&name, &value)?;
                }
            }
        }
        if options.pid == 0
            || options.address.port() == 0
            || !(1..=64).contains(&options.window)
            || options.clients == 0
        {
            return Err(USAGE.into());
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), BoxError> {
        match (name, value) {
            ("--address", value) => self.address = value.parse()?,
            ("--pid", value) => self.pid = value.parse()?,
            ("--flavour", "plain") => self.flavour = Flavour::Plain,
            ("--flavour", "socketio") => self.flavour = Flavour::SocketIo,
            ("--flavour", "polling") => self.flavour = Flavour::Polling,
            ("--work", "echo") => self.work = Work::Echo,
            ("--work", "ack") => self.work = Work::Ack,
            ("--work", "broadcast") => self.work = Work::Broadcast,
            ("--work", "room") => (self.work, self.rooms) = (Work::Room, self.rooms.max(1)),
            ("--work", "idle") => self.work = Work::Idle,
            ("--work", "open") => self.work = Work::Open,
            ("--clients", value) => self.clients = value.parse()?,
            ("--stalled", value) => self.stalled = value.parse()?,
            ("--rooms", value) => self.rooms = value.parse()?,
            ("--window", value) => self.window = value.parse()?,
            ("--payload", value) => self.payload = value.parse()?,
            ("--seconds", value) => self.measured = seconds(value)?,
            ("--messages", value) => self.messages = Some(value.parse()?),
            ("--warm-up", value) => self.warm_up = seconds(value)?,
            ("--hold", value) => self.hold = seconds(value)?,
            ("--opening", value) => self.opening = value.parse()?,
            _ => return Err(format!("{name} {value} is not known\n\n{USAGE}").into()),
        }
        Ok(())
    }
}
