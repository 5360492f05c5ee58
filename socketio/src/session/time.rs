//! Points in time that a clock may not be able to tell.

use std::time::{Duration, Instant};

/// As good as for ever.
const ONE_YEAR: Duration = Duration::from_secs(86_400 * 365);

/// A time from now, as the standard library or tokio has it. One that is longer than the clock can
/// tell is a year away.
pub(crate) fn after<I: From<Instant> + Into<Instant>>(now: I, time: Duration) -> I {
    let now = now.into();
    now.checked_add(time).unwrap_or_else(|| far_future(now)).into()
}

/// A deadline that does not come.
pub(crate) fn far_future(now: Instant) -> Instant {
    now + ONE_YEAR
}
