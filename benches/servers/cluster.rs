//! A server of a cluster: this crate with its engine for Redis. `node/cluster.mjs` is the same on
//! Node. `cluster/main.rs` drives both through their standard input and output.
//!
//! Arguments: the URL of Redis and the prefix of the channels. Without arguments it has no cluster.
//! With the environment variable ENGINE=streams, it uses a stream.

mod shared;

use axum::Router;
use serde::Serialize;
use socketio::{Hub, Socket, event, events};
use socketio_redis::{Redis, RedisStreams};
use std::io::{self, BufRead, Write};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[event("message")]
#[derive(Serialize)]
struct Message<'a> {
    n: u64,
    text: &'a str,
}

/// Adds the sender to a room.
#[event("join")]
fn join(socket: &Socket, room: &str) -> Result<(), String> {
    socket.join(room).map_err(|error| error.to_string())
}

/// What the driver asks for: `emit ROOM FIRST COUNT BYTES RATE`, or `stats`.
async fn command(hub: &Hub, line: &str) -> Result<String, BoxError> {
    let words: Vec<_> = line.split(' ').collect();
    match words[..] {
        ["emit", room, first, count, bytes, rate] => {
            emit(hub, room, first.parse()?, count.parse()?, bytes.parse()?, rate.parse()?).await?;
            Ok("done".into())
        }
        ["stats"] => {
            let stats = hub.cluster().map(|cluster| cluster.stats()).unwrap_or_default();
            let lost = stats.dropped + stats.unpublished + stats.missed + stats.malformed + stats.oversized;
            Ok(format!("{} {lost}", stats.received))
        }
        _ => Err(format!("unknown command: {line}").into()),
    }
}

/// Emits numbered messages to a room: at a rate per second, in steps of a millisecond, or at once
/// if the rate is 0.
async fn emit(hub: &Hub, room: &str, first: u64, count: u64, bytes: usize, rate: u64) -> Result<(), BoxError> {
    let text = "x".repeat(bytes);
    let (begin, mut step, mut sent) = (Instant::now(), interval(Duration::from_millis(1)), 0);
    while sent < count {
        let due = if rate == 0 { count } else { count.min(begin.elapsed().as_micros() as u64 * rate / 1_000_000) };
        for n in first + sent..first + due {
            hub.to(room).emit(&Message { n, text: &text })?;
        }
        sent = due;
        if sent < count {
            step.tick().await;
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let builder = Hub::builder().events(events![join]).ping_interval(Duration::from_secs(3600));
    let has_stream = std::env::var("ENGINE").is_ok_and(|engine| engine == "streams");
    let builder = match &arguments[..] {
        [url, prefix] if has_stream => builder.cluster(RedisStreams::new(url)?.prefix(prefix).stream(prefix)),
        [url, prefix] => builder.cluster(Redis::new(url)?.prefix(prefix)),
        _ => builder,
    };
    let hub = builder.build()?;
    hub.ready(Duration::from_secs(10)).await?;
    let listener = shared::listen("cluster").await?;
    let app = Router::new().merge(hub.socketio());
    tokio::spawn(async move { socketio::serve(listener, app).await });

    // A thread that lives as long as the process, so that its CPU time is always counted.
    let (commands, mut received) = mpsc::channel(1);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if commands.blocking_send(line).is_err() {
                return;
            }
        }
    });
    // A task like those of handlers and applications.
    let task = tokio::spawn(async move {
        while let Some(line) = received.recv().await {
            let answer = command(&hub, &line).await?;
            writeln!(io::stdout(), "{answer}")?;
        }
        Ok(())
    });
    task.await?
}
