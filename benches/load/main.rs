//! A load generator for WebSocket and Socket.IO servers: single-threaded, non-blocking, with its
//! own framing. It verifies every byte that it receives, and prints its measurements as one JSON
//! object.

mod client;
mod connection;
mod cpu_time;
mod frames;
mod http;
mod messages;
mod options;
mod process;
mod run;

use client::BoxError;
use cpu_time::cpu_time;
use options::{Options, Work};
use process::{Strace, resident};
use run::Run;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::{Duration, Instant};

const MICROSECOND: f64 = 1000.0;
const SETTLING: Duration = Duration::from_millis(100);

fn main() -> Result<(), BoxError> {
    let options = Options::parse(std::env::args().skip(1))?;
    let server = options.pid.to_string();
    let result = match options.work {
        Work::Idle => idle(&options, &server)?,
        _ => busy(&options, &server)?,
    };
    Ok(writeln!(io::stdout(), "{result}")?)
}

/// Opens a fifth of the clients before measuring, so that one-time allocations and work are not
/// counted.
fn idle(options: &Options, server: &str) -> Result<Value, BoxError> {
    let mut run = Run::new(options)?;
    let first = options.clients / 5;
    run.open(first)?;
    run.wait(options.hold)?;
    let (before, cpu, own, begin) = (resident(server)?, cpu_time(server)?, cpu_time("self")?, Instant::now());
    run.open(options.clients)?;
    let (cpu, own, took) = (cpu_time(server)? - cpu, cpu_time("self")? - own, begin.elapsed());
    run.wait(options.hold)?;
    let (after, opened) = (resident(server)?, (options.clients - first) as f64);
    Ok(json!({
        "messages": opened,
        "seconds": took.as_secs_f64(),
        "per_second": opened / took.as_secs_f64(),
        "cpu_us": cpu.as_secs_f64() * 1e6 / opened,
        "load_cpu": own.as_secs_f64() / took.as_secs_f64(),
        "resident_before": before,
        "resident_after": after,
        "resident_each": (after as f64 - before as f64) / opened,
    }))
}

fn busy(options: &Options, server: &str) -> Result<Value, BoxError> {
    let mut run = Run::new(options)?;
    if options.work != Work::Open {
        run.open(options.clients + options.stalled)?;
        // A server may accept a client before its event handlers are registered: socketioxide does.
        run.wait(SETTLING)?;
    }
    let go = |run: &mut Run<'_>, duration: Duration, messages| match options.work {
        Work::Open => run.open_and_close(duration),
        _ => run.work(duration, messages),
    };
    go(&mut run, options.warm_up, None)?;
    let strace = options.strace.then(|| Strace::attach(options.pid)).transpose()?;
    (run.received, run.overtaking) = (0, 0);
    run.latency.reset();
    let (before, cpu, own, begin) = (resident(server)?, cpu_time(server)?, cpu_time("self")?, Instant::now());
    go(&mut run, options.measured, options.messages)?;
    let (cpu, own, took) = (cpu_time(server)? - cpu, cpu_time("self")? - own, begin.elapsed());
    let calls = strace.map(Strace::detach).transpose()?;
    let messages = run.received as f64;
    let quantile = |quantile| run.latency.value_at_quantile(quantile) as f64 / MICROSECOND;
    let mut result = json!({
        "messages": run.received,
        "seconds": took.as_secs_f64(),
        "per_second": messages / took.as_secs_f64(),
        "cpu_us": cpu.as_secs_f64() * 1e6 / messages,
        "load_cpu": own.as_secs_f64() / took.as_secs_f64(),
        "overtaking": run.overtaking,
        "p50_us": quantile(0.5),
        "p99_us": quantile(0.99),
        "p999_us": quantile(0.999),
        "resident_before": before,
        "resident_after": resident(server)?,
    });
    if let Some(calls) = calls {
        let all: u64 = calls.iter().map(|(_, count)| count).sum();
        result["calls"] = json!(all as f64 / messages);
        result["calls_of"] = calls.into_iter().map(|(name, count)| (name, json!(count as f64 / messages))).collect();
    }
    Ok(result)
}
