//! The event loop: opens the clients, keeps their messages in flight, and records the answers.

use crate::client::{BoxError, Client};
use crate::connection::BUFFER;
use crate::messages::Messages;
use crate::options::{Options, Work};
use hdrhistogram::Histogram;
use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use std::time::{Duration, Instant};

/// The timeout for the next message. A server that sends nothing for this long has lost one.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest latency that is recorded, in nanoseconds.
const MAX_LATENCY: u64 = 60_000_000_000;

/// The largest window, in messages.
const MAX_WINDOW: usize = 64;

/// The messages of a client that are in flight: `first..next`.
#[derive(Clone, Copy, Default)]
struct Window {
    first: u32,
    next: u32,
    /// A bit for each message that has been answered. The lowest bit is for `first`.
    arrived: u64,
}

impl Window {
    fn is_empty(self) -> bool {
        self.first == self.next
    }

    /// Records an answer. Returns whether an earlier one is still missing, or `None` if the message
    /// is not in flight.
    fn record(&mut self, serial: u32) -> Option<bool> {
        let bit = serial.checked_sub(self.first).filter(|_| serial < self.next)?;
        if self.arrived & 1 << bit != 0 {
            return None;
        }
        let earlier = (1 << bit) - 1;
        self.arrived |= 1 << bit;
        Some(self.arrived & earlier != earlier)
    }

    /// Advances past the leading answered messages.
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
    /// The number of connected clients.
    ready: usize,
    messages: Messages,
    windows: Vec<Window>,
    /// When each client's messages were sent, by serial number modulo [`MAX_WINDOW`].
    sent: Vec<[Instant; MAX_WINDOW]>,
    /// Set when no more messages are to be sent.
    ending: bool,
    /// The number of clients with messages in flight. For broadcasts: of clients that have not
    /// received all.
    pending: usize,
    pub received: u64,
    /// The number of messages that arrived before a message that was sent earlier.
    pub overtaking: u64,
    pub latency: Histogram<u64>,
}

impl<'a> Run<'a> {
    pub fn new(options: &'a Options) -> Result<Self, BoxError> {
        let most = (options.clients + options.stalled).max(options.opening);
        Ok(Self {
            options,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; BUFFER],
            clients: Vec::new(),
            ready: 0,
            messages: Messages::new(options.flavour, options.work, options.payload, options.window),
            windows: vec![Window::default(); most],
            sent: vec![[Instant::now(); MAX_WINDOW]; most],
            ending: false,
            pending: 0,
            received: 0,
            overtaking: 0,
            latency: Histogram::new_with_bounds(1, MAX_LATENCY, 3)?,
        })
    }

    /// Opens clients until `count` are connected, with a limited number at a time.
    pub fn open(&mut self, count: usize) -> Result<(), BoxError> {
        while self.ready < count {
            while self.clients.len() < count && self.clients.len() - self.ready < self.options.opening {
                self.connect()?;
            }
            self.poll_events()?;
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), BoxError> {
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

    /// Opens and closes clients repeatedly. Every connection counts as a message.
    pub fn open_and_close(&mut self, duration: Duration) -> Result<(), BoxError> {
        let end = Instant::now() + duration;
        loop {
            let free = self.clients.iter().filter(|client| client.is_none()).count();
            let open = self.clients.len() - free;
            let is_running = Instant::now() < end;
            if is_running && open < self.options.opening {
                self.connect()?;
            } else if is_running || open > 0 {
                self.poll_events()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Waits for this long, and answers heartbeats meanwhile.
    pub fn wait(&mut self, duration: Duration) -> Result<(), BoxError> {
        let end = Instant::now() + duration;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.poll_within(left)?;
        }
        Ok(())
    }

    /// Keeps messages in flight for this long, or until so many have arrived, then waits for all
    /// answers.
    pub fn work(&mut self, duration: Duration, messages: Option<u64>) -> Result<(), BoxError> {
        let end = Instant::now() + duration;
        self.ending = false;
        self.begin()?;
        while self.pending > 0 {
            self.poll_events()?;
            self.ending |= match messages {
                Some(messages) => self.received >= messages,
                None => Instant::now() >= end,
            };
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), BoxError> {
        if self.options.work.is_broadcast() {
            return self.broadcast();
        }
        for number in 0..self.options.clients {
            self.send(number)?;
        }
        Ok(())
    }

    /// Sends the first client's window, which all clients receive.
    fn broadcast(&mut self) -> Result<(), BoxError> {
        self.pending = self.options.clients - 1;
        for window in &mut self.windows[1..self.options.clients] {
            window.next += self.options.window;
        }
        self.send(0)
    }

    /// Fills a client's window.
    fn send(&mut self, number: usize) -> Result<(), BoxError> {
        let (client, window) = (&mut self.clients[number], &mut self.windows[number]);
        self.pending += usize::from(window.is_empty());
        let serials = window.next..window.first + self.options.window;
        if serials.is_empty() {
            return Ok(());
        }
        window.next = serials.end;
        let now = Instant::now();
        for serial in serials.clone() {
            self.sent[number][serial as usize % MAX_WINDOW] = now;
        }
        let messages = self.messages.burst(number as u32, serials);
        Ok(client.as_mut().ok_or("a client is not connected")?.send(messages)?)
    }

    /// Waits for events once, and handles them.
    fn poll_events(&mut self) -> Result<(), BoxError> {
        if self.poll_within(PATIENCE)? {
            return Ok(());
        }
        let open = self.clients.iter().flatten().filter(|client| !client.is_ready()).count();
        Err(format!(
            "nothing received for {PATIENCE:?}: {} clients wait for messages, {open} for their connection",
            self.pending
        )
        .into())
    }

    fn poll_within(&mut self, timeout: Duration) -> Result<bool, BoxError> {
        self.poll.poll(&mut self.events, Some(timeout))?;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.handle(event)?;
        }
        let any = !events.is_empty();
        self.events = events;
        Ok(any)
    }

    fn handle(&mut self, event: &Event) -> Result<(), BoxError> {
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
            let Some(overtaking) = window.record(serial) else {
                return Err(format!("client {number} received message {serial} twice, or without sending it").into());
            };
            let took = now - self.sent[sender][serial as usize % MAX_WINDOW];
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

    /// Handles the progress of a client's window.
    fn arrived(&mut self, number: usize) -> Result<(), BoxError> {
        let window = &mut self.windows[number];
        window.advance();
        let all = window.is_empty();
        self.pending -= usize::from(all);
        if self.ending {
            return Ok(());
        }
        match self.options.work {
            work if work.is_broadcast() => {
                if self.pending == 0 {
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
