//! What notifications cost. It is no test:
//!
//! ```sh
//! cargo test --profile quick-release -p socketio-postgres --test postgres figures -- \
//!     --ignored --nocapture
//! ```

#![allow(clippy::print_stdout, reason = "it prints figures")]

use futures_util::future::join_all;
use socketio::cluster::Engine;
use socketio::testing::cluster::{Recorded, batch};
use socketio_postgres::Postgres;
use std::fs;
use std::time::{Duration, Instant};

use crate::support::{MAIN, Member, Server, reply};

/// The time that processes took, in microseconds.
fn cpu(processes: &[u32]) -> f64 {
    // The kernel counts in hundredths of a second.
    let ticks = processes.iter().filter_map(|process| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields: Vec<_> = stat.rsplit(") ").next()?.split(' ').collect();
        Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
    });
    ticks.sum::<u64>() as f64 * 10_000.0
}

/// Has a member publish messages, and the others receive them. Prints a row of a table.
async fn measure(server: &Server, members: usize, together: usize, count: usize, bytes: usize) {
    let text = "x".repeat(bytes - 80);
    let member = |number: usize| {
        let engine = Postgres::new(server.url()).unwrap();
        async move { Member::connect(engine, &[MAIN, reply(&number.to_string())]).await }
    };
    let mut members = join_all((0..members).map(member)).await;
    let bodies: Vec<_> = (0..count).map(|number| format!("{{\"type\":3,\"data\":[{number},\"{text}\"]}}")).collect();
    // What is there once takes no part.
    members[0].publish(MAIN, &bodies[0]).await;
    let publisher = members.remove(0);
    let own = [std::process::id()];
    let backends = server.processes();
    let (began, before) = (Instant::now(), (cpu(&backends), cpu(&own)));
    let receive = members.iter_mut().map(|member| async {
        for _ in 0..=count {
            member.recorder.until(|recorded| matches!(recorded, Recorded::Message { .. })).await;
        }
    });
    let publish = async {
        for bodies in bodies.chunks(together) {
            let messages = batch(bodies.iter().map(|body| (MAIN, body.as_bytes())));
            publisher.engine.publish(&messages).await.unwrap();
        }
    };
    tokio::join!(publish, join_all(receive));
    let time = began.elapsed();
    let each = |before: f64, after: f64| (after - before) / count as f64;
    println!(
        "| {} | {bytes} | {together} | {:.0} | {:.1} | {:.1} |",
        members.len() + 1,
        count as f64 / time.as_secs_f64(),
        each(before.0, cpu(&backends)),
        each(before.1, cpu(&own)),
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[ignore = "it measures"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures() {
    let server = Server::start();
    println!(
        "| servers | bytes | messages in a transaction | messages per second | PostgreSQL, µs for a message | all servers, µs for a message |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (members, together, count, bytes) in [
        (1, 1, 5_000, 200),
        (1, 10, 20_000, 200),
        (1, 100, 50_000, 200),
        (1, 1_000, 50_000, 200),
        (3, 1, 5_000, 200),
        (3, 10, 20_000, 200),
        (3, 100, 50_000, 200),
        (3, 1_000, 50_000, 200),
        (3, 100, 20_000, 2_000),
        (3, 1, 1_000, 10_000),
        (3, 100, 2_000, 10_000),
    ] {
        measure(&server, members, together, count, bytes).await;
    }
}
