//! The conformance suite of clusters, on a simulated network: both dialects, all topics of rooms,
//! and more than a thousand seeds.
//!
//! A failure names its seed. `CLUSTER_SEED=7 cargo test -p socketio-tests --test cluster` runs all
//! cases with that seed, `CLUSTER_CASE=shutdown` those whose names contain the word.

use socketio::cluster::{Dialect, EngineTraits, RoomTopics};
use socketio::testing::cluster::SimNet;
use socketio::testing::cluster::conformance::{Case, SimHarness, cases};
use std::env;

/// With how many seeds each case is run for each kind of engine.
const SEEDS: u64 = 2;

fn run(case: &Case, seed: u64, traits: EngineTraits) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let harness = SimHarness::new(SimNet::seeded(seed), traits);
    let result = runtime.expect("a runtime").block_on(case.run(&harness));
    result.map_err(|failure| format!("CLUSTER_SEED={seed} CLUSTER_CASE={}: {failure}", case.name()))
}

/// Runs all cases. `first` tells apart the seeds of the kinds of engines.
fn run_all(first: u64, dialect: Dialect, rooms: RoomTopics) {
    let chosen = env::var("CLUSTER_SEED").ok().map(|seed| seed.parse::<u64>().expect("CLUSTER_SEED is a number"));
    let word = env::var("CLUSTER_CASE").unwrap_or_default();
    // A limit that test messages can reach, but no others.
    let traits = EngineTraits::new(dialect).rooms(rooms).max_body(8 << 20);
    let mut failures = Vec::new();
    let mut seed = first * 1_000_000;
    for case in cases().filter(|case| case.name().contains(&word)) {
        for _ in 0..SEEDS {
            seed += 1;
            failures.extend(run(case, chosen.unwrap_or(seed), traits).err());
        }
    }
    assert!(failures.is_empty(), "{} failures with {traits:?}\n{}", failures.len(), failures.join("\n"));
}

macro_rules! kinds {
    ($($name:ident: $first:literal, $dialect:ident, $rooms:ident;)*) => {$(
        #[test]
        fn $name() {
            run_all($first, Dialect::$dialect, RoomTopics::$rooms);
        }
    )*};
}

kinds! {
    classic_without_topics_of_rooms: 0, Classic, None;
    classic_as_of_redis: 1, Classic, Included;
    classic_with_dynamic_topics: 2, Classic, Dynamic;
    classic_with_private_topics: 3, Classic, DynamicPrivate;
    messages_without_topics_of_rooms: 4, Messages, None;
    messages_with_included_topics: 5, Messages, Included;
    messages_with_dynamic_topics: 6, Messages, Dynamic;
    messages_with_private_topics: 7, Messages, DynamicPrivate;
}
