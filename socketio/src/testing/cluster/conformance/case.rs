//! [`Case`], and [`run`], which runs all of them.

use std::fmt;
use std::time::Duration;
use tokio::time::timeout;

use super::cases;
use super::harness::{Harness, Need};
use super::scene::Scene;
use crate::cluster::BoxFuture;

/// How long a case may take.
const CASE_TIMEOUT: Duration = Duration::from_secs(600);

/// How many characters an error has at most.
const LONGEST_TEXT: usize = 2_000;

/// How a case ends.
pub(super) type CaseResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A case of the suite.
pub struct Case {
    name: &'static str,
    requirement: &'static str,
    need: Need,
    run: for<'a> fn(&'a Scene<'a>) -> BoxFuture<'a, CaseResult>,
}

/// The cases of a module: `requirement: need, function;`.
macro_rules! case_table {
    ($($requirement:expr, $need:ident, $name:ident;)*) => {
        pub(super) const CASES: &[$crate::testing::cluster::conformance::Case] = &[$(
            $crate::testing::cluster::conformance::Case::new(
                stringify!($name),
                $requirement,
                $crate::testing::cluster::conformance::Need::$need,
                |scene| Box::pin($name(scene)),
            ),
        )*];
    };
}
pub(super) use case_table;

/// Fails a case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+).into());
        }
    };
}
pub(super) use ensure;

/// Fails a case unless the values are equal.
macro_rules! ensure_eq {
    ($actual:expr, $expected:expr, $($what:tt)+) => {
        match (&$actual, &$expected) {
            (actual, expected) if *actual == *expected => {}
            (actual, expected) => {
                let what = format!($($what)+);
                return Err(format!("{what}: {actual:?}, and not {expected:?}").into());
            }
        }
    };
}
pub(super) use ensure_eq;

impl Case {
    pub(super) const fn new(
        name: &'static str,
        requirement: &'static str,
        need: Need,
        run: for<'a> fn(&'a Scene<'a>) -> BoxFuture<'a, CaseResult>,
    ) -> Self {
        Self { name, requirement, need, run }
    }

    /// The name, which says what is tested.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The requirement that the case checks.
    pub fn requirement(&self) -> &'static str {
        self.requirement
    }

    /// What the case makes fail.
    pub fn need(&self) -> Need {
        self.need
    }

    /// Whether the case can run with this harness.
    pub fn can_run(&self, harness: &dyn Harness) -> bool {
        self.need == Need::Nothing || harness.faults().is_some_and(|faults| faults.provides(self.need))
    }

    /// Runs the case.
    ///
    /// # Errors
    ///
    /// The engine does not meet the requirement, the harness can't provide what the case needs, or
    /// the case takes more than 10 minutes.
    pub async fn run(&self, harness: &dyn Harness) -> Result<(), Failure> {
        let failure = |why: String| Failure { case: self.name, requirement: self.requirement, why };
        if !self.can_run(harness) {
            return Err(failure(format!("the harness does not provide {:?}", self.need)));
        }
        let scene = Scene::new(harness);
        match timeout(CASE_TIMEOUT, (self.run)(&scene)).await {
            // Errors of test clients list all that was received.
            Ok(result) => result.map_err(|error| failure(error.to_string().chars().take(LONGEST_TEXT).collect())),
            Err(_) => Err(failure("it takes too long".to_owned())),
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Case").field("name", &self.name).field("need", &self.need).finish_non_exhaustive()
    }
}

/// A case that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{case} ({requirement}): {why}")]
pub struct Failure {
    case: &'static str,
    requirement: &'static str,
    why: String,
}

impl Failure {
    /// The name of the case.
    pub fn case(&self) -> &'static str {
        self.case
    }
}

/// What [`run`] found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The cases that passed.
    pub passed: Vec<&'static str>,
    /// The cases that could not run, with what they need.
    pub skipped: Vec<(&'static str, Need)>,
    /// The cases that failed.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Panics if a case failed. The message lists all that did.
    ///
    /// # Panics
    ///
    /// A case failed.
    pub fn assert_passed(&self) {
        assert!(self.failures.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, skipped, failed) = (self.passed.len(), self.skipped.len(), self.failures.len());
        write!(formatter, "{passed} cases passed, {skipped} were skipped, {failed} failed")?;
        for (name, need) in &self.skipped {
            write!(formatter, "\nskipped: {name}, which needs {need:?}")?;
        }
        for failure in &self.failures {
            write!(formatter, "\nfailed: {failure}")?;
        }
        Ok(())
    }
}

/// Runs all cases, one after the other. `make` makes the harness of a case. Its cluster must be a
/// new one, for example because the engines have a prefix of their own.
pub async fn run<H: Harness>(mut make: impl AsyncFnMut(&'static Case) -> H) -> Report {
    let mut report = Report::default();
    for case in cases() {
        let harness = make(case).await;
        if !case.can_run(&harness) {
            report.skipped.push((case.name, case.need));
            continue;
        }
        match case.run(&harness).await {
            Ok(()) => report.passed.push(case.name),
            Err(failure) => report.failures.push(failure),
        }
    }
    report
}
