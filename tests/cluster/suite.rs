//! The conformance suite of clusters, on a simulated network: all dialects, all topics of rooms,
//! servers that are counted by the engine and by heartbeats, and more than a thousand seeds.
//!
//! A failure names its seed. `CLUSTER_SEED=7 cargo test -p socketio-tests --test cluster` runs all
//! cases with that seed, `CLUSTER_CASE=shutdown` those whose names contain the word, and
//! `CLUSTER_SEEDS=20` all cases with more seeds.

use socketio::cluster::{Counts, Dialect, EngineTraits, RoomTopics};
use socketio::testing::cluster::SimNet;
use socketio::testing::cluster::conformance::{Case, SimHarness, cases};
use std::env;

/// With how many seeds each case is run for each kind of engine. There are 12 kinds, and more than
/// a hundred cases.
const SEEDS: u64 = 2;

/// A variable of the environment that is a number.
fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// Larger than all messages of the cases, except where a case sends one of this size.
const MAX_BODY: usize = 4 << 20;

/// Whether the engines have what the case needs. Only a log may be missing.
fn can_run(case: &Case, traits: EngineTraits) -> bool {
    case.can_run(&SimHarness::new(SimNet::seeded(0), traits))
}

fn run(case: &Case, seed: u64, traits: EngineTraits) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let harness = SimHarness::new(SimNet::seeded(seed), traits);
    let result = runtime.expect("a runtime").block_on(case.run(&harness));
    result.map_err(|failure| format!("CLUSTER_SEED={seed} CLUSTER_CASE={}: {failure}", case.name()))
}

/// Runs all cases. `first` tells apart the seeds of the kinds of engines.
fn run_all(first: u64, dialect: Dialect, rooms: RoomTopics, counts: Counts) {
    let chosen = number("CLUSTER_SEED");
    let seeds = if chosen.is_some() { 1 } else { number("CLUSTER_SEEDS").unwrap_or(SEEDS) };
    let word = env::var("CLUSTER_CASE").unwrap_or_default();
    let traits = EngineTraits::new(dialect).rooms(rooms).counts(counts).max_body(MAX_BODY);
    let mut failures = Vec::new();
    let mut seed = first * 1_000_000;
    for case in cases().filter(|case| case.name().contains(&word) && can_run(case, traits)) {
        for _ in 0..seeds {
            seed += 1;
            failures.extend(run(case, chosen.unwrap_or(seed), traits).err());
        }
    }
    assert!(failures.is_empty(), "{} failures with {traits:?}\n{}", failures.len(), failures.join("\n"));
}

macro_rules! kinds {
    ($($name:ident: $first:literal, $dialect:ident, $rooms:ident, $counts:ident;)*) => {$(
        #[test]
        fn $name() {
            run_all($first, Dialect::$dialect, RoomTopics::$rooms, Counts::$counts);
        }
    )*};
}

kinds! {
    classic_without_topics_of_rooms: 0, Classic, None, Engine;
    classic_as_of_redis: 1, Classic, Included, Engine;
    classic_with_dynamic_topics: 2, Classic, Dynamic, Engine;
    classic_with_private_topics: 3, Classic, DynamicPrivate, Engine;
    messages_without_topics_of_rooms: 4, Messages, None, Engine;
    messages_with_included_topics: 5, Messages, Included, Engine;
    messages_with_dynamic_topics: 6, Messages, Dynamic, Engine;
    messages_with_private_topics: 7, Messages, DynamicPrivate, Engine;
    heartbeats_without_topics_of_rooms: 8, Messages, None, Heartbeats;
    heartbeats_with_included_topics: 9, Messages, Included, Heartbeats;
    heartbeats_with_dynamic_topics: 10, Messages, Dynamic, Heartbeats;
    streams: 11, Streams, None, Engine;
}
