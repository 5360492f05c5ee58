//! Random plans: after each round of faults, what was sent was received, or is counted as lost.

use proptest::prelude::*;

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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn what_is_sent_is_received_or_counted(plan in plan()) {
        if let Err(error) = play(&plan) {
            return Err(TestCaseError::fail(error.to_string()));
        }
    }
}
