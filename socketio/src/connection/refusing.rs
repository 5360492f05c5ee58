//! Answers events that are not handled, because they violate a limit of the protocol or a rate
//! limit.

use crate::event::dispatch::unhandled;
use crate::event::error::{EventError, PayloadError};
use crate::event::incoming::Incoming;
use crate::event::rate_limit::Limited;
use crate::event::trace::Outcome;
use crate::session::limits::Violation;

/// Answers an event that violates a limit of the protocol.
pub(super) fn refuse_violation(incoming: &Incoming, violation: Violation) {
    let error = match violation {
        Violation::TooLong => return unhandled(incoming),
        Violation::Reserved => EventError::reserved_event(incoming.name()),
        Violation::TooDeep(depth) => PayloadError::too_deep(depth).into(),
    };
    incoming.trace_unhandled(|| Outcome::refused(&error));
    incoming.answer(Err(&error));
    incoming.report(error);
}

/// Drops an event that exceeds a rate limit. Each event with an id is answered with an error. The
/// application gets one error per episode.
pub(super) fn refuse_rate_limited(incoming: &Incoming, limited: Limited) {
    incoming.trace_unhandled(|| Outcome::RateLimited);
    incoming.socket.hub().counters().rate_limited();
    if limited.is_first || incoming.wants_answer() {
        let error = EventError::rate_limited(limited.retry_after);
        incoming.answer(Err(&error));
        if limited.is_first {
            incoming.report(error);
        }
    }
}
