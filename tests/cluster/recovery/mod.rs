//! Clients that are cut off at random resume their sessions at random servers. They have received
//! what the log of the servers has for them, once and in order, or were told that they have not.
//!
//! `RECOVERY_CASES=10000 cargo test --release -p socketio-tests --test cluster recovery` plays more
//! plans.

mod client;
mod emitting;
mod ending;
mod found;
mod model;
mod plan;
mod stage;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;

use plan::{Plan, plan};
use stage::{Counts, Outcome, Stage};

/// Longer than a plan takes, by tokio's clock.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How many plans are played.
const CASES: u32 = 300;

fn play(plan: &Plan) -> Outcome<Counts> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let played = async {
        let mut stage = Stage::new(plan).await?;
        for (number, op) in plan.ops.iter().enumerate() {
            stage.play(*op).await.map_err(|error| format!("{number}, {op:?}: {error}"))?;
        }
        stage.finish().await
    };
    runtime.block_on(async { timeout(LONGEST, played).await.map_err(|_| "it does not end")? })
}

#[test]
#[allow(clippy::print_stderr, reason = "the counts are for people to read")]
fn clients_receive_what_the_log_has_for_them_or_are_told() {
    let cases = env::var("RECOVERY_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let counts: [AtomicUsize; 5] = Default::default();
    let played = TestRunner::new(config).run(&plan(), |plan| {
        let Counts { emitted, resumed, moved, renewed, forgotten } =
            play(&plan).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for (sum, count) in counts.iter().zip([emitted, resumed, moved, renewed, forgotten]) {
            sum.fetch_add(count, Ordering::Relaxed);
        }
        Ok(())
    });
    match played {
        Ok(()) => {}
        Err(TestError::Fail(error, plan)) => panic!("{error}\n{plan:?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    let [emitted, resumed, moved, renewed, forgotten] = counts.map(AtomicUsize::into_inner);
    eprintln!(
        "{cases} runs: {emitted} messages, {resumed} times resumed, {moved} at another server, {renewed} new \
         sessions, {forgotten} times with other rooms, which had not been stored"
    );
    assert!(resumed > renewed / 4, "{resumed} times resumed, {renewed} new sessions");
}
