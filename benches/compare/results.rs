//! The measurements of each round, workload and server, and their medians.

use crate::servers::{FLOOR, PEER, POLLING_PEER, SERVERS, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// A workload that the servers are measured with.
pub struct Workload {
    pub key: &'static str,
    pub title: &'static str,
    /// For workloads with idle connections: the title of the memory per connection.
    pub idle: Option<&'static str>,
    /// Whether it only runs on this crate's servers. The other servers have no rooms.
    pub own: bool,
    /// The load generator's arguments.
    pub arguments: &'static [&'static str],
}

impl Workload {
    const fn busy(key: &'static str, title: &'static str, arguments: &'static [&'static str]) -> Self {
        Self { key, title, idle: None, own: false, arguments }
    }

    const fn of_rooms(self) -> Self {
        Self { own: true, ..self }
    }

    const fn idle(
        key: &'static str,
        title: &'static str,
        idle: &'static str,
        arguments: &'static [&'static str],
    ) -> Self {
        Self { key, title, idle: Some(idle), own: false, arguments }
    }
}

const BROADCAST_1: Workload = Workload::busy(
    "broadcast-1",
    "broadcast to 500, one at a time, per delivery",
    &["--work", "broadcast", "--clients", "500", "--window", "1"],
);

const WORKLOADS: &[Workload] = &[
    Workload::busy("echo", "echo, 50 clients, 16 in flight", &["--work", "echo"]),
    Workload::busy("ack", "ack, 50 clients, 16 in flight", &["--work", "ack"]),
    Workload::busy("echo-1", "echo, 50 clients, 1 in flight", &["--work", "echo", "--window", "1"]),
    BROADCAST_1,
    Workload::busy(
        "broadcast",
        "broadcast to 500, bursts of 16, per delivery",
        &["--work", "broadcast", "--clients", "500"],
    ),
    Workload::idle(
        "idle",
        "opening a connection",
        "idle connection, resident",
        &["--work", "idle", "--clients", "2500"],
    ),
];

/// Workloads of increasing size.
const CURVES: &[Workload] = &[
    Workload::busy("16-B", "echo of 16 B, 1 in flight", &["--window", "1", "--payload", "16"]),
    Workload::busy("256-B", "of 256 B", &["--window", "1", "--payload", "256"]),
    Workload::busy("4-KiB", "of 4 KiB", &["--window", "1", "--payload", "4096"]),
    Workload::busy("64-KiB", "of 64 KiB", &["--window", "1", "--payload", "65536"]),
    Workload::busy("256-KiB", "of 256 KiB", &["--window", "1", "--payload", "262144"]),
    Workload::busy("to-10", "broadcast to 10, per delivery", &["--work", "broadcast", "--clients", "10"]),
    Workload::busy("to-100", "to 100", &["--work", "broadcast", "--clients", "100"]),
    Workload::busy("to-1000", "to 1,000", &["--work", "broadcast", "--clients", "1000"]),
    Workload::busy("to-9000", "to 9,000", &["--work", "broadcast", "--clients", "9000"]),
    Workload::busy("room-10", "to a room of 10, per delivery", &["--work", "room", "--clients", "10"]).of_rooms(),
    Workload::busy("room-100", "of 100", &["--work", "room", "--clients", "100"]).of_rooms(),
    Workload::busy("room-1000", "of 1,000", &["--work", "room", "--clients", "1000"]).of_rooms(),
    Workload::busy("room-9000", "of 9,000", &["--work", "room", "--clients", "9000"]).of_rooms(),
    BROADCAST_1,
    Workload::busy(
        "one-stalled",
        "and to one more that does not read",
        &["--work", "broadcast", "--clients", "500", "--window", "1", "--stalled", "1"],
    ),
    Workload::idle(
        "idle-1000",
        "opening 1,000 connections",
        "1,000 idle, resident each",
        &["--work", "idle", "--clients", "1000"],
    ),
    Workload::idle("idle-5000", "5,000", "5,000 idle", &["--work", "idle", "--clients", "5000"]),
    Workload::idle("idle-15000", "15,000", "15,000 idle", &["--work", "idle", "--clients", "15000"]),
    Workload::idle(
        "idle-rooms",
        "5,000, each in 3 rooms",
        "5,000 idle in 3 rooms",
        &["--work", "idle", "--clients", "5000", "--rooms", "3"],
    )
    .of_rooms(),
];

pub const fn workloads(curves: bool) -> &'static [Workload] {
    if curves { CURVES } else { WORKLOADS }
}

/// A median with its spread.
#[derive(Clone, Copy)]
pub struct Median {
    pub value: f64,
    least: f64,
    most: f64,
}

impl Median {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let value =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Self { value, least, most })
    }

    pub fn scaled(self, scale: f64) -> Self {
        Self { value: self.value * scale, least: self.least * scale, most: self.most * scale }
    }
}

/// Rounds to about three significant digits.
pub fn rounded(value: f64) -> String {
    match value.abs() {
        0.0..9.995 => format!("{value:.2}"),
        9.995..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl fmt::Display for Median {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, least, most } = *self;
        write!(formatter, "{}", rounded(value))?;
        if least < most { write!(formatter, " ({}–{})", rounded(least), rounded(most)) } else { Ok(()) }
    }
}

/// The load generator's results by workload and server, one per round.
pub struct Results {
    workloads: &'static [Workload],
    rounds: BTreeMap<(&'static str, &'static str), Vec<Value>>,
    traced: BTreeMap<(&'static str, &'static str), Value>,
    pub failures: Vec<String>,
}

impl Results {
    pub fn new(workloads: &'static [Workload]) -> Self {
        Self { workloads, rounds: BTreeMap::new(), traced: BTreeMap::new(), failures: Vec::new() }
    }

    pub fn add(&mut self, workload: &Workload, server: &Server, result: Value) {
        self.rounds.entry((workload.key, server.name)).or_default().push(result);
    }

    pub fn failed(&mut self, failure: String) {
        eprintln!("{failure}");
        self.failures.push(failure);
    }

    pub fn add_traced(&mut self, workload: &Workload, server: &Server, result: Value) {
        self.traced.insert((workload.key, server.name), result);
    }

    pub fn median(&self, workload: &str, name: &str, field: &str) -> Option<Median> {
        let rounds = self.rounds.iter().find(|((key, of), _)| *key == workload && *of == name)?.1;
        Median::of(rounds.iter().filter_map(|round| round[field].as_f64()).collect())
    }

    /// The system calls per message.
    pub fn calls(&self, workload: &str, name: &str) -> Option<f64> {
        let traced = self.traced.iter().find(|((key, of), _)| *key == workload && *of == name)?.1;
        traced["calls"].as_f64()
    }

    /// The ratios of a figure to that of the floor, and to that of the best peer over the same
    /// transport.
    pub fn ratios(&self, workload: &str, server: &Server, field: &str) -> (Option<f64>, Option<f64>) {
        let own = self.median(workload, server.name, field);
        let against = |name| Some(own?.value / self.median(workload, name, field)?.value);
        (against(FLOOR), against(if server.is_polling() { POLLING_PEER } else { PEER }))
    }

    pub fn servers(&self) -> impl Iterator<Item = &'static Server> {
        SERVERS.iter().filter(|server| self.rounds.keys().any(|(_, name)| *name == server.name))
    }

    pub fn workloads(&self) -> impl Iterator<Item = &'static Workload> {
        self.workloads.iter().filter(|workload| self.rounds.keys().any(|(key, _)| *key == workload.key))
    }

    pub fn to_json(&self, about: &[(String, String)]) -> Value {
        let entries: Vec<Value> = self
            .rounds
            .iter()
            .map(|(key @ (workload, server), rounds)| {
                json!({"work": workload, "server": server, "rounds": rounds, "traced": self.traced.get(key)})
            })
            .collect();
        json!({"about": about.iter().cloned().collect::<BTreeMap<_, _>>(), "results": entries, "failures": self.failures})
    }
}
