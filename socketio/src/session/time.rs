//! Adds durations to `Instant`s without overflow, and compares deadlines.

use std::time::{Duration, Instant};

/// The distance of deadlines that are never reached in practice.
const ONE_YEAR: Duration = Duration::from_secs(86_400 * 365);

/// Adds `time` to `now`, an `Instant` of the standard library or of tokio. Returns an instant one
/// year ahead if the sum overflows.
pub(crate) fn after<I: From<Instant> + Into<Instant>>(now: I, time: Duration) -> I {
    let now = now.into();
    now.checked_add(time).unwrap_or_else(|| far_future(now)).into()
}

/// Returns a deadline that is never reached in practice: one year after `now`.
pub(crate) fn far_future(now: Instant) -> Instant {
    now + ONE_YEAR
}

/// Returns the earlier of two deadlines, which may be missing.
pub(crate) fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
