//! The one loop: opens the clients, keeps their messages in flight, and notes what comes back.

use crate::client::{Client, Fault};
use crate::link::BUFFER;
use crate::messages::Messages;
use crate::options::{Options, Work};
use hdrhistogram::Histogram;
use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use std::time::{Duration, Instant};

/// A server that does nothing for so long has lost something.
const PATIENCE: Duration = Duration::from_secs(10);

/// Latencies beyond this, in nanoseconds, are noted as this.
const LONGEST: u64 = 60_000_000_000;

/// As many as a window has at most.
const WIDEST: usize = 64;

/// What a client has in flight: the messages from `first` up to `next`.
#[derive(Clone, Copy, Default)]
struct Window {
    first: u32,
    next: u32,
    /// A bit for each that has come back, the lowest for the first.
    arrived: u64,
}

impl Window {
    fn is_empty(self) -> bool {
        self.first == self.next
    }

    /// Takes note of a message, and tells whether an earlier one is still missing; nothing, if it is not in flight.
    fn note(&mut self, serial: u32) -> Option<bool> {
        let bit = serial.checked_sub(self.first).filter(|_| serial < self.next)?;
        if self.arrived & 1 << bit != 0 {
            return None;
        }
        let earlier = (1 << bit) - 1;
        self.arrived |= 1 << bit;
        Some(self.arrived & earlier != earlier)
    }

    /// Moves on past all that has come back.
    fn advance(&mut self) {
        let done = self.arrived.trailing_ones();
        self.first += done;
        self.arrived = self.arrived.checked_shr(done).unwrap_or(0);
    }
}

pub struct Run<'a> {
    options: &'a Options,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Option<Client>>,
    /// How many have been let in.
    ready: usize,
    messages: Messages,
    windows: Vec<Window>,
    /// When each client's messages were sent, by the lowest bits of their numbers.
    sent: Vec<[Instant; WIDEST]>,
    /// Nothing more is sent once this is set.
    ending: bool,
    /// How many clients have something in flight; of a broadcast, how many have not got all of it.
    under_way: usize,
    pub received: u64,
    /// Messages that arrived before one that was sent earlier.
    pub overtaking: u64,
    pub latency: Histogram<u64>,
}

impl<'a> Run<'a> {
    pub fn new(options: &'a Options) -> Result<Self, Fault> {
        let most = (options.clients + options.deaf).max(options.opening);
        Ok(Self {
            options,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; BUFFER],
            clients: Vec::new(),
            ready: 0,
            messages: Messages::new(options.flavour, options.work, options.payload, options.window),
            windows: vec![Window::default(); most],
            sent: vec![[Instant::now(); WIDEST]; most],
            ending: false,
            under_way: 0,
            received: 0,
            overtaking: 0,
            latency: Histogram::new_with_bounds(1, LONGEST, 3)?,
        })
    }

    /// Opens clients until there are so many, some at a time.
    pub fn open(&mut self, count: usize) -> Result<(), Fault> {
        while self.ready < count {
            while self.clients.len() < count && self.clients.len() - self.ready < self.options.opening {
                self.connect()?;
            }
            self.turn()?;
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Fault> {
        let reused = (self.options.work == Work::Open).then(|| self.clients.iter().position(Option::is_none));
        let free = reused.flatten();
        let number = free.unwrap_or(self.clients.len());
        let mut client = Client::connect(self.options, number as u32)?;
        for (stream, link) in client.streams().enumerate() {
            self.poll.registry().register(link, Token(2 * number + stream), Interest::READABLE | Interest::WRITABLE)?;
        }
        match free {
            Some(number) => self.clients[number] = Some(client),
            None => self.clients.push(Some(client)),
        }
        Ok(())
    }

    /// Opens clients and closes them, over and over, with so many at a time; every connection counts as a message.
    pub fn open_and_close(&mut self, duration: Duration) -> Result<(), Fault> {
        let end = Instant::now() + duration;
        loop {
            let free = self.clients.iter().filter(|client| client.is_none()).count();
            let open = self.clients.len() - free;
            let going_on = Instant::now() < end;
            if going_on && open < self.options.opening {
                self.connect()?;
            } else if going_on || open > 0 {
                self.turn()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Lets time pass, and answers what must be answered.
    pub fn hold(&mut self, duration: Duration) -> Result<(), Fault> {
        let end = Instant::now() + duration;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn_within(left)?;
        }
        Ok(())
    }

    /// Keeps messages in flight for so long, and then waits until all have come back.
    pub fn work(&mut self, duration: Duration) -> Result<(), Fault> {
        let end = Instant::now() + duration;
        self.ending = false;
        self.begin()?;
        while self.under_way > 0 {
            self.turn()?;
            self.ending |= Instant::now() >= end;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Fault> {
        if self.options.work.is_broadcast() {
            return self.broadcast();
        }
        for number in 0..self.options.clients {
            self.send(number)?;
        }
        Ok(())
    }

    /// The first client's messages go to all.
    fn broadcast(&mut self) -> Result<(), Fault> {
        self.under_way = self.options.clients - 1;
        for window in &mut self.windows[1..self.options.clients] {
            window.next += self.options.window;
        }
        self.send(0)
    }

    /// Fills a client's window.
    fn send(&mut self, number: usize) -> Result<(), Fault> {
        let (client, window) = (&mut self.clients[number], &mut self.windows[number]);
        self.under_way += usize::from(window.is_empty());
        let serials = window.next..window.first + self.options.window;
        if serials.is_empty() {
            return Ok(());
        }
        window.next = serials.end;
        let now = Instant::now();
        for serial in serials.clone() {
            self.sent[number][serial as usize % WIDEST] = now;
        }
        let messages = self.messages.burst(number as u32, serials);
        Ok(client.as_mut().ok_or("a client has gone")?.send(messages)?)
    }

    /// Waits for readiness once, and handles it.
    fn turn(&mut self) -> Result<(), Fault> {
        if self.turn_within(PATIENCE)? {
            return Ok(());
        }
        let open = self.clients.iter().flatten().filter(|client| !client.is_ready()).count();
        Err(format!(
            "nothing has come for {PATIENCE:?}: {} clients wait for messages, {open} to be let in",
            self.under_way
        )
        .into())
    }

    fn turn_within(&mut self, timeout: Duration) -> Result<bool, Fault> {
        self.poll.poll(&mut self.events, Some(timeout))?;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.handle(event)?;
        }
        let any = !events.is_empty();
        self.events = events;
        Ok(any)
    }

    fn handle(&mut self, event: &Event) -> Result<(), Fault> {
        let (number, stream) = (event.token().0 / 2, event.token().0 % 2);
        let Some(client) = &mut self.clients[number] else { return Ok(()) };
        if event.is_writable() {
            client.writable(stream)?;
        }
        if !event.is_readable() {
            return Ok(());
        }
        let (now, was_ready) = (Instant::now(), client.is_ready());
        if was_ready && number >= self.options.clients && self.options.work != Work::Open {
            return Ok(());
        }
        let sender = if self.options.work.is_broadcast() { 0 } else { number };
        let window = &mut self.windows[number];
        let before = self.received;
        let open = client.readable(stream, &mut self.buffer, &mut |message| {
            let serial = self.messages.check(message, sender as u32)?;
            let Some(overtaking) = window.note(serial) else {
                return Err(format!("client {number} got number {serial} a second time, or unasked").into());
            };
            let took = now - self.sent[sender][serial as usize % WIDEST];
            self.latency.saturating_record(took.as_nanos() as u64);
            self.overtaking += u64::from(overtaking);
            self.received += 1;
            Ok(())
        })?;
        if !open {
            if self.options.work != Work::Open {
                return Err(format!("the server has closed the connection of client {number}").into());
            }
            self.clients[number] = None;
            return Ok(());
        }
        if client.is_ready() && !was_ready {
            self.ready += 1;
            if self.options.work == Work::Open {
                self.received += 1;
                client.close()?;
            }
        }
        if self.received > before && self.options.work != Work::Open { self.arrived(number) } else { Ok(()) }
    }

    /// A client has got something.
    fn arrived(&mut self, number: usize) -> Result<(), Fault> {
        let window = &mut self.windows[number];
        window.advance();
        let all = window.is_empty();
        self.under_way -= usize::from(all);
        if self.ending {
            return Ok(());
        }
        match self.options.work {
            work if work.is_broadcast() => {
                if self.under_way == 0 {
                    self.broadcast()
                } else {
                    Ok(())
                }
            }
            _ if all || self.options.sliding => self.send(number),
            _ => Ok(()),
        }
    }
}
