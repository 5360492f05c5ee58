//! [`BuildError`]: all that is wrong with what a hub is to be made from.

use std::fmt;

/// Why a hub could not be built: every problem that its builder has, not only the first one.
///
/// As text it has one line for each [problem](Self::problems).
///
/// ```
/// use socketio::{BuildProblem, Hub};
/// use std::time::Duration;
///
/// let error = Hub::builder().inbox(0, 65_536).ping_interval(Duration::ZERO).build().expect_err("two problems");
/// assert!(matches!(error.problems()[0], BuildProblem::InvalidSetting { setting: "inbox", .. }));
/// assert_eq!(
///     error.to_string(),
///     "`inbox` does not take `0 events`: give 1 or more\n\
///      `ping_interval` does not take `0ns`: give 1 ms or more"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(Vec<BuildProblem>);

impl BuildError {
    /// An error if there are problems.
    pub(super) fn check(problems: Vec<BuildProblem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// The problems: one or more, each of them once. Those of settings come first.
    pub fn problems(&self) -> &[BuildProblem] {
        &self.0
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let line_break = if at == 0 { "" } else { "\n" };
            write!(formatter, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildError {}

/// One problem of a [`BuildError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildProblem {
    /// A setting has a value that it does not take.
    #[error("`{setting}` does not take `{value}`: give {accepted}")]
    InvalidSetting {
        /// The name of the builder's method.
        setting: &'static str,
        /// The value that was given; of several, the wrong one.
        value: String,
        /// What can be given instead.
        accepted: String,
    },
    /// An event has a rate limit, but the namespace has handlers for other events alone.
    #[error(
        "`rate_limit_event` does not take `{event}`: give an event that a handler of the namespace `{namespace}` takes"
    )]
    LimitedEvent {
        /// The event's name.
        event: String,
        /// The namespace.
        namespace: String,
    },
    /// Two tables have a handler for the same event.
    #[error("two handlers for the event `{event}` in the namespace `{namespace}`: leave it out of one of the tables")]
    DuplicateEvent {
        /// The event's name, or the lifecycle event's identifier.
        event: &'static str,
        /// The namespace.
        namespace: String,
    },
    /// A handler takes a state that the hub was not given.
    #[error("the handler of `{event}` takes `State<{state}>`, but the hub was not given one: add `.state(…)`")]
    MissingState {
        /// The event's name, or the lifecycle event's identifier.
        event: &'static str,
        /// The type's name.
        state: &'static str,
    },
    /// A handler's event is not in the hub's contract.
    #[error(
        "`{handler}` handles the event `{event}` of the namespace `{namespace}`, which the contract lacks: add it to `receives`"
    )]
    NotInContract {
        /// The event's name.
        event: &'static str,
        /// The namespace.
        namespace: String,
        /// The function's path.
        handler: String,
    },
    /// The hub has another handler for an event than the one that its contract describes.
    #[error(
        "the event `{event}` of the namespace `{namespace}` is handled by `{handler}`, but the contract describes `{described}`"
    )]
    OtherHandler {
        /// The event's name.
        event: &'static str,
        /// The namespace.
        namespace: String,
        /// The path of the hub's function.
        handler: String,
        /// The path of the contract's function.
        described: String,
    },
    /// The hub's contract has an event that no handler of the hub takes.
    #[error(
        "the contract has the event `{event}` in the namespace `{namespace}`, but the hub has no handler for it: add `.events(…)`"
    )]
    NotHandled {
        /// The event's name.
        event: &'static str,
        /// The namespace.
        namespace: String,
    },
}

impl BuildProblem {
    pub(crate) fn setting(setting: &'static str, value: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self::InvalidSetting { setting, value: value.into(), accepted: accepted.into() }
    }
}
