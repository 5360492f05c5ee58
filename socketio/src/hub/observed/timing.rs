//! [`Timing`]: measures how long a handler runs.

use std::time::Instant;

use super::{HandlerLabel, HandlerOutcome, Observers};
use crate::event::reply::Outcome;
use crate::hub::Hub;

/// The time of one call. Dropping it without an [end](Self::end) records that the call panicked, or
/// that its future was dropped.
pub(crate) struct Timing<'a>(Option<Begun<'a>>);

struct Begun<'a> {
    observers: &'a Observers,
    label: HandlerLabel,
    at: Instant,
}

impl<'a> Timing<'a> {
    pub(crate) fn begin(hub: &'a Hub, label: HandlerLabel) -> Self {
        let observers = hub.observers();
        let is_timed = observers.handlers.is_some();
        Self(is_timed.then(|| Begun { observers, label, at: Instant::now() }))
    }

    pub(crate) fn end(mut self, outcome: &Outcome) {
        self.record(HandlerOutcome::of(outcome));
    }

    fn record(&mut self, outcome: HandlerOutcome) {
        if let Some(Begun { observers, label, at }) = self.0.take() {
            observers.handled(label, outcome, at.elapsed());
        }
    }
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.record(if std::thread::panicking() { HandlerOutcome::Panic } else { HandlerOutcome::Dropped });
        }
    }
}

impl HandlerOutcome {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done | Outcome::Value(_) => Self::Ok,
            Outcome::Failed(error) => match error.code() {
                "invalid_payload" => Self::InvalidPayload,
                "timeout" => Self::Timeout,
                _ => Self::Error,
            },
        }
    }
}
