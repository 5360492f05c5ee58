//! Measures what a message of a cluster costs the server that emits it, the server that receives
//! it, and Redis: for servers of this crate, of Node, and mixed. See README.md.

#[path = "../compare/about.rs"]
mod about;
#[path = "../load/cpu_time.rs"]
mod cpu_time;
#[path = "../load/frames.rs"]
mod frames;
mod pair;
mod receivers;
mod servers;
mod table;

use pair::{Measured, Pair};
use receivers::ROOMS;
use serde_json::json;
use servers::{Kind, Redis};
use std::fs;
use std::io::{self, Write};

pub type BoxError = Box<dyn std::error::Error>;

/// The texts' lengths in bytes.
const SIZES: [usize; 3] = [64, 1024, 16 * 1024];
/// The first three of [`ROOMS`].
const TARGETS: [usize; 3] = [0, 1, 2];
const NPM: [&str; 6] = ["socket.io", "@socket.io/redis-adapter", "ioredis", "redis", "ws", "bufferutil"];

/// The servers of each pair. Without a first server, the second one broadcasts to its own clients,
/// without a cluster.
const PAIRS: [(Option<Kind>, Kind); 10] = [
    (Some(Kind::Rust), Kind::Rust),
    (Some(Kind::RustStreams), Kind::RustStreams),
    (Some(Kind::Rust), Kind::NodeIoredis),
    (Some(Kind::Rust), Kind::NodeRedis),
    (Some(Kind::NodeIoredis), Kind::Rust),
    (Some(Kind::NodeRedis), Kind::Rust),
    (Some(Kind::NodeIoredis), Kind::NodeIoredis),
    (Some(Kind::NodeRedis), Kind::NodeRedis),
    (None, Kind::Rust),
    (None, Kind::NodeIoredis),
];

/// How messages are emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At a fixed rate, whatever the receivers do.
    Rate,
    /// A window of messages at once, and the next when all have arrived.
    Windows,
}

/// What is measured in all pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    pub pace: Pace,
    pub size: usize,
    /// The index of the room.
    pub room: usize,
}

impl Workload {
    fn all() -> impl Iterator<Item = Self> {
        [Pace::Rate, Pace::Windows].into_iter().flat_map(|pace| {
            TARGETS.into_iter().flat_map(move |room| SIZES.into_iter().map(move |size| Self { pace, size, room }))
        })
    }

    /// Messages per second. All pairs keep up with it.
    pub fn rate(self) -> usize {
        match (self.room, self.size) {
            (2, 0..=1024) => 50,
            (2, _) => 10,
            (_, 0..=1024) => 10_000,
            _ => 1_000,
        }
    }

    /// The messages of a window.
    pub fn window(self) -> usize {
        match (self.room, self.size) {
            (2, 0..=1024) => 16,
            (2, _) => 4,
            (_, 0..=1024) => 256,
            _ => 64,
        }
    }
}

struct Options {
    rounds: usize,
    /// Measures only pairs whose names contain it.
    only: String,
    /// How many servers each cluster has.
    servers: usize,
    out: Option<String>,
}

fn options() -> Result<Options, BoxError> {
    let mut options = Options { rounds: 5, only: String::new(), servers: 2, out: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--rounds" => options.rounds = value()?.parse()?,
            "--only" => options.only = value()?,
            "--servers" => options.servers = value()?.parse()?,
            "--out" => options.out = Some(value()?),
            _ => {
                return Err("options: [--rounds 5] [--only 'Rust → Rust'] [--servers 2] [--out results/cluster]".into());
            }
        }
    }
    Ok(options)
}

fn main() -> Result<(), BoxError> {
    let options = options()?;
    let redis = Redis::start()?;
    let mut pairs = Vec::new();
    for (from, to) in PAIRS {
        if pair::name(from, to).contains(&options.only) {
            pairs.push(Pair::start(from, to, options.servers, &redis)?);
        }
    }
    let names: Vec<_> = pairs.iter().map(Pair::name).collect();
    let mut measured: Vec<Measured> = Vec::new();
    // The first round warms Node up.
    for round in 0..=options.rounds {
        for workload in Workload::all() {
            for pair in &mut pairs {
                if pair.is_alone() && workload.room == 0 {
                    continue;
                }
                let found = pair
                    .measure(workload, &redis)
                    .map_err(|error| format!("{}, {workload:?}: {error}", pair.name()))?;
                if round > 0 {
                    measured.push(found);
                }
            }
        }
        writeln!(io::stderr(), "round {round} of {}", options.rounds)?;
    }
    let mut about = about::versions(&NPM)?;
    about.push(("Redis".into(), about::output("redis-server", "--version")));
    let markdown = table::markdown(&names, &measured, &about);
    writeln!(io::stdout(), "{markdown}")?;
    if let Some(out) = options.out {
        let rows: Vec<_> = measured.iter().map(|measured| measured.json().to_string()).collect();
        let json = format!("{{\"about\": {},\n\"rounds\": [\n{}\n]}}\n", json!(about), rows.join(",\n"));
        fs::write(format!("{out}.md"), markdown)?;
        fs::write(format!("{out}.json"), json)?;
    }
    Ok(())
}

/// The title of the receivers of a workload.
pub fn receivers_title(room: usize) -> &'static str {
    match ROOMS[room] {
        "none" => "0 receivers",
        "one" => "1 receiver",
        _ => "1,000 receivers",
    }
}
