//! Measures how many messages two servers exchange over NATS, and the CPU time that they spend.
//!
//! ```sh
//! nats-server --addr 127.0.0.1 &
//! cargo build --profile quick-release -p socketio-nats --example load
//! export NATS_URL=nats://127.0.0.1:4222
//! load=target/quick-release/examples/load
//! $load receive 300000 &
//! $load publish 300000 150
//! ```

#![allow(clippy::print_stdout)]

use socketio::Hub;
use socketio_nats::Nats;
use std::error::Error;
use std::time::{Duration, Instant};
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(200);
    let messages = number(1);
    let hub = Hub::builder().cluster(Nats::from_env()?).build()?;
    hub.ready(Duration::from_secs(10)).await?;
    match arguments.first().map(String::as_str) {
        Some("publish") => publish(&hub, messages, number(2)).await,
        Some("receive") => receive(&hub, messages).await,
        _ => Err("load publish MESSAGES BYTES, or load receive MESSAGES".into()),
    }
}

/// Emits to a room, as fast as the server takes it.
async fn publish(hub: &Hub, messages: usize, bytes: usize) -> Result<(), Box<dyn Error>> {
    let cluster = hub.cluster().ok_or("no cluster")?;
    while hub.servers().await? < 2 {
        sleep(Duration::from_millis(50)).await;
    }
    let payload = "x".repeat(bytes);
    let (start, cpu, before) = (Instant::now(), cpu_time()?, cluster.stats());
    for number in 0..messages {
        hub.to("lobby").emit(("news", &payload))?;
        if number % 4_096 == 0 {
            cluster.flushed().await;
        }
    }
    cluster.flushed().await;
    report("published", messages, start.elapsed(), cpu_time()? - cpu);
    let stats = cluster.stats();
    println!("dropped {}, unpublished {}", stats.dropped - before.dropped, stats.unpublished - before.unpublished);
    Ok(())
}

/// Receives messages to a room, of which no socket here is a member.
async fn receive(hub: &Hub, messages: usize) -> Result<(), Box<dyn Error>> {
    let cluster = hub.cluster().ok_or("no cluster")?;
    let before = cluster.stats().skipped;
    while cluster.stats().skipped == before {
        sleep(Duration::from_millis(1)).await;
    }
    let (start, cpu) = (Instant::now(), cpu_time()?);
    loop {
        let stats = cluster.stats();
        if stats.skipped + stats.missed >= messages as u64 {
            report("received", messages, start.elapsed(), cpu_time()? - cpu);
            println!("missed {}, gaps {}, malformed {}", stats.missed, stats.gaps, stats.malformed);
            return Ok(());
        }
        sleep(Duration::from_millis(1)).await;
    }
}

fn report(what: &str, messages: usize, time: Duration, cpu: Duration) {
    let per_message = |time: Duration| time.as_secs_f64() * 1e6 / messages as f64;
    println!(
        "{what} {messages} in {time:.2?}: {:.0} per second, {:.2} µs of CPU per message",
        1e6 / per_message(time),
        per_message(cpu)
    );
}

/// The CPU time of this process, which Linux tells in hundredths of a second.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}
