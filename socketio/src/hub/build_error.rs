//! [`BuildError`]: all problems of the builder from which a hub could not be built.

use std::fmt;

/// The error of [`HubBuilder::build`](crate::HubBuilder::build). It lists every problem, not only
/// the first.
///
/// Its text has one line for each [problem](Self::problems).
///
/// ```
/// use socketio::{BuildProblem, Hub};
/// use std::time::Duration;
///
/// let builder = Hub::builder().inbox(0, 65_536).ping_interval(Duration::ZERO);
/// let error = builder.build().expect_err("two problems");
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
    /// Returns an error if there are problems.
    pub(super) fn check(problems: Vec<BuildProblem>) -> Result<(), Self> {
        let mut listed: Vec<BuildProblem> = Vec::with_capacity(problems.len());
        for problem in problems {
            if !listed.contains(&problem) {
                listed.push(problem);
            }
        }
        if listed.is_empty() { Ok(()) } else { Err(Self(listed)) }
    }

    /// The problems: at least one, each listed once.
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
    /// A setting does not accept its value.
    #[error("`{setting}` does not take `{value}`: give {accepted}")]
    InvalidSetting {
        /// The name of the builder's method.
        setting: &'static str,
        /// The value. If the setting takes several, the rejected one.
        value: String,
        /// The accepted form.
        accepted: String,
    },
    /// An event has a rate limit, but the namespace only has handlers for other events.
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
    /// A handler takes a state that the hub does not have.
    #[error("the handler of `{event}` takes `State<{state}>`, but the hub has none: add `.state(…)`")]
    MissingState {
        /// The event's name, or the lifecycle event's identifier.
        event: &'static str,
        /// The type's name.
        state: &'static str,
    },
    /// A handler's event is not in the hub's contract.
    #[error(
        "`{handler}` handles the event `{event}` of the namespace `{namespace}`, which is not in the contract: add it to `receives`"
    )]
    NotInContract {
        /// The event's name.
        event: &'static str,
        /// The namespace.
        namespace: String,
        /// The function's path.
        handler: String,
    },
    /// The hub's handler for an event is not the one in its contract.
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
    /// The hub's contract contains an event without a handler in the hub.
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
