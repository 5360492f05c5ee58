//! Random plans: after each round of faults, what was sent was received, or is counted as lost.

use proptest::prelude::*;
use std::env;

use crate::plan::{Plan, plan};
use crate::stage::{Outcome, Stage};

fn play(plan: &Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async {
        let mut stage = Stage::new(plan).await?;
        for (number, round) in plan.rounds.iter().enumerate() {
            stage.play(round).await.map_err(|error| format!("round {number}: {error}"))?;
        }
        Ok(())
    })
}

/// `PROPTEST_CASES=5000` plays more plans.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 200 };
    ProptestConfig { cases, failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_sent_is_received_or_counted(plan in plan()) {
        if let Err(error) = play(&plan) {
            return Err(TestCaseError::fail(error.to_string()));
        }
    }
}
