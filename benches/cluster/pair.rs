//! A pair of servers: A emits, and B has the clients.

use crate::receivers::{END, ROOMS, Receivers};
use crate::servers::{Kind, Redis, Server};
use crate::{BoxError, Pace, Workload};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long messages are emitted at a rate. With many receivers a message is a lot of work.
const TIME: Duration = Duration::from_millis(400);
const TIME_FOR_MANY: Duration = Duration::from_millis(800);
/// For how long new windows begin.
const WINDOWS_TIME: Duration = Duration::from_millis(300);

pub struct Pair {
    name: String,
    /// `None` if B emits to its own clients, without a cluster.
    from: Option<Server>,
    to: Server,
    /// Servers without clients.
    _others: Vec<Server>,
    receivers: Receivers,
    /// The number of the next message to each room.
    next: [u64; ROOMS.len()],
}

/// The CPU time of one measurement.
#[derive(Clone)]
pub struct Measured {
    /// The name of the pair.
    pub pair: String,
    pub workload: Workload,
    /// Of A, of B and of Redis, in microseconds per message.
    pub from: f64,
    pub to: f64,
    pub redis: f64,
    sent: u64,
    received: u64,
    lost: u64,
    seconds: f64,
}

impl Measured {
    pub fn json(&self) -> Value {
        json!({
            "pair": self.pair,
            "pace": format!("{:?}", self.workload.pace),
            "bytes": self.workload.size,
            "receivers": Receivers::size(self.workload.room),
            "emit_us": self.from,
            "receive_us": self.to,
            "redis_us": self.redis,
            "sent": self.sent,
            "received": self.received,
            "lost": self.lost,
            "seconds": self.seconds,
        })
    }
}

pub fn name(from: Option<Kind>, to: Kind) -> String {
    match from {
        Some(from) => format!("{} → {}", from.name(), to.name()),
        None => format!("{} alone", to.name().split(',').next().unwrap_or_default()),
    }
}

impl Pair {
    /// Starts A and B, and more servers like B until the cluster has this number.
    pub fn start(from: Option<Kind>, to: Kind, servers: usize, redis: &Redis) -> Result<Self, BoxError> {
        let name = name(from, to);
        // Each pair is a cluster of its own.
        let prefix: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let prefix = from.map(|_| prefix.as_str());
        let others = (2..servers).filter(|_| from.is_some()).map(|_| Server::start(to, redis, prefix));
        let others = others.collect::<Result<_, _>>()?;
        let to = Server::start(to, redis, prefix)?;
        let from = from.map(|from| Server::start(from, redis, prefix)).transpose()?;
        let receivers = Receivers::connect(to.address)?;
        Ok(Self { name, from, to, _others: others, receivers, next: [0; ROOMS.len()] })
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }

    pub fn is_alone(&self) -> bool {
        self.from.is_none()
    }

    pub fn measure(&mut self, workload: Workload, redis: &Redis) -> Result<Measured, BoxError> {
        let before = self.counted()?;
        let cpu = self.cpu(redis)?;
        let begin = Instant::now();
        let mut sent = 0;
        match workload.pace {
            Pace::Rate => {
                let time = if Receivers::size(workload.room) > 1 { TIME_FOR_MANY } else { TIME };
                let messages = (workload.rate() as f64 * time.as_secs_f64()) as usize;
                sent += self.emit(workload, messages, workload.rate())?;
            }
            Pace::Windows => {
                while begin.elapsed() < WINDOWS_TIME {
                    sent += self.emit(workload, workload.window(), 0)?;
                }
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        let after = self.cpu(redis)?;
        let each = |index: usize| (after[index] - cpu[index]).as_secs_f64() * 1e6 / sent as f64;
        let counted = self.counted()?;
        let (received, lost) = (counted.0 - before.0, counted.1 - before.1);
        if !self.is_alone() && received + lost != sent {
            return Err(format!("{sent} sent, {received} received, {lost} counted as lost").into());
        }
        Ok(Measured {
            pair: self.name(),
            workload,
            from: each(0),
            to: each(1),
            redis: each(2),
            sent,
            received,
            lost,
            seconds,
        })
    }

    /// Emits messages, and one more to the room `end`. Returns when all have arrived.
    fn emit(&mut self, workload: Workload, messages: usize, rate: usize) -> Result<u64, BoxError> {
        let Workload { size, room, .. } = workload;
        for (room, messages, size, rate) in [(room, messages, size, rate), (END, 1, 0, 0)] {
            let first = self.next[room];
            self.next[room] += messages as u64;
            self.receivers.expect(room, messages, workload.size);
            let command = format!("emit {} {first} {messages} {size} {rate}", ROOMS[room]);
            self.from.as_mut().unwrap_or(&mut self.to).command(&command)?;
        }
        self.receivers.receive()?;
        for _ in 0..2 {
            self.from.as_mut().unwrap_or(&mut self.to).answer()?;
        }
        Ok(messages as u64 + 1)
    }

    /// What B received, and what A and B counted as lost.
    fn counted(&mut self) -> Result<(u64, u64), BoxError> {
        let to = self.to.counted()?;
        let lost = match &mut self.from {
            Some(from) => from.counted()?.lost,
            None => 0,
        };
        Ok((to.received, to.lost + lost))
    }

    /// The CPU time of A, B and Redis.
    fn cpu(&self, redis: &Redis) -> Result<[Duration; 3], BoxError> {
        let from = self.from.as_ref().map(Server::cpu).transpose()?;
        Ok([from.unwrap_or_default(), self.to.cpu()?, redis.cpu()?])
    }
}
