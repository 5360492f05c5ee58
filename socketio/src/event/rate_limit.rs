//! [`RateLimit`]: how many events a client may send, and the buckets that count them.
//!
//! A bucket belongs to one socket and is created by the first event that its limit applies to.
//! Events count when they are read, before they are queued for a handler.
//!
//! The algorithm is GCRA, a leaky bucket that stores one point in time. Existing crates bring
//! atomics and clocks of their own. Here the socket's lock already guards the buckets, and tests
//! pause tokio's clock.

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// A rate of events that a client may send, and the size of a burst.
///
/// The limit applies to each socket separately. A client that was silent may send a whole burst at
/// once. After that, events must be evenly spaced: at 50 a second, one every 20 ms. Events beyond
/// the limit are dropped; see [`HubBuilder::rate_limit`](crate::HubBuilder::rate_limit).
///
/// ```
/// use socketio::{Hub, RateLimit};
///
/// let hub = Hub::builder()
///     .rate_limit(RateLimit::per_second(50).burst(100))
///     .rate_limit_event("typing", RateLimit::per_second(5))
///     .rate_limit_event("report", RateLimit::per_hour(10))
///     .build()?;
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The time between two events at the full rate.
    interval: Duration,
    burst: u32,
}

impl RateLimit {
    /// Allows `events` events a second, and bursts of `events`.
    ///
    /// # Panics
    ///
    /// `events` is 0.
    pub const fn per_second(events: u32) -> Self {
        Self::per(1, events)
    }

    /// Allows `events` events a minute, and bursts of `events`.
    ///
    /// # Panics
    ///
    /// `events` is 0.
    pub const fn per_minute(events: u32) -> Self {
        Self::per(60, events)
    }

    /// Allows `events` events an hour, and bursts of `events`.
    ///
    /// # Panics
    ///
    /// `events` is 0.
    pub const fn per_hour(events: u32) -> Self {
        Self::per(3_600, events)
    }

    /// Sets the size of a burst in events. It may be larger or smaller than the rate.
    ///
    /// # Panics
    ///
    /// `events` is 0.
    #[must_use]
    pub const fn burst(self, events: u32) -> Self {
        Self { burst: positive(events), ..self }
    }

    const fn per(seconds: u64, events: u32) -> Self {
        let nanoseconds = seconds * 1_000_000_000 / positive(events) as u64;
        // An interval of zero would disable the limit.
        let interval = Duration::from_nanos(if nanoseconds == 0 { 1 } else { nanoseconds });
        Self { interval, burst: events }
    }

    /// The furthest that `settled_at` may lie in the future when an event is admitted.
    fn tolerance(self) -> Duration {
        self.interval.saturating_mul(self.burst - 1)
    }
}

const fn positive(events: u32) -> u32 {
    assert!(events > 0, "a rate limit must allow at least one event");
    events
}

/// The limits on single events in a namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventLimits(HashMap<Box<str>, EventLimit>);

/// The limit on one event, with its index among the limits of the namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventLimit {
    place: usize,
    limit: RateLimit,
}

impl EventLimits {
    pub(crate) fn set(&mut self, event: &str, limit: RateLimit) {
        let place = self.0.get(event).map_or(self.0.len(), |known| known.place);
        self.0.insert(event.into(), EventLimit { place, limit });
    }

    pub(crate) fn add(&mut self, others: Self) {
        for (event, EventLimit { limit, .. }) in others.0 {
            self.set(&event, limit);
        }
    }

    /// The events that have a limit, in the order in which the limits were set.
    pub(crate) fn events(&self) -> Vec<&str> {
        let mut events: Vec<_> = self.0.iter().map(|(event, limit)| (limit.place, &**event)).collect();
        events.sort_unstable();
        events.into_iter().map(|(_, event)| event).collect()
    }

    #[cfg(feature = "asyncapi")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn find(&self, event: &str) -> Option<EventLimit> {
        if self.0.is_empty() { None } else { self.0.get(event).copied() }
    }
}

/// The buckets of a socket.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    all: Option<Bucket>,
    /// The buckets of single events, with the index of the event's limit.
    events: Vec<(usize, Bucket)>,
}

/// The error for an event beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    /// How long the client must wait.
    pub(crate) retry_after: Duration,
    /// Whether this is the first dropped event of an episode.
    pub(crate) is_first: bool,
}

impl Buckets {
    /// Counts an event. An event that its own limit drops does not count against the limit on all
    /// events.
    pub(crate) fn admit(&mut self, all: Option<RateLimit>, own: Option<EventLimit>) -> Result<(), Limited> {
        let now = Instant::now();
        if let Some(own) = own {
            let known = self.events.iter().position(|(place, _)| *place == own.place);
            let at = known.unwrap_or_else(|| {
                self.events.reserve_exact(1);
                self.events.push((own.place, Bucket::new(now)));
                self.events.len() - 1
            });
            self.events[at].1.admit(own.limit, now)?;
        }
        match all {
            Some(limit) => self.all.get_or_insert_with(|| Bucket::new(now)).admit(limit, now),
            None => Ok(()),
        }
    }
}

/// Counts events against one limit.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// The time at which the bucket is empty again. Each admitted event adds one interval to it.
    settled_at: Instant,
    dropped_last: Option<Instant>,
}

impl Bucket {
    pub(crate) fn new(now: Instant) -> Self {
        Self { settled_at: now, dropped_last: None }
    }

    pub(crate) fn admit(&mut self, limit: RateLimit, now: Instant) -> Result<(), Limited> {
        let owed = self.settled_at.saturating_duration_since(now);
        if owed.is_zero() || owed <= limit.tolerance() {
            self.settled_at = now + owed + limit.interval;
            return Ok(());
        }
        let retry_after = owed - limit.tolerance();
        // A client that is slightly too fast has an event dropped from time to time. All these
        // drops belong to one episode.
        let over_after = limit.interval.saturating_mul(limit.burst).saturating_mul(2).max(Duration::from_secs(1));
        let last = self.dropped_last.replace(now);
        let is_first = last.is_none_or(|last| now - last > over_after);
        Err(Limited { retry_after, is_first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::error::EventError;
    use tokio::time::advance;

    const MS: Duration = Duration::from_millis(1);

    /// Counts events with tokio's clock.
    fn bucket(limit: RateLimit) -> impl FnMut() -> Result<(), Limited> {
        let mut bucket = Bucket::new(Instant::now());
        move || bucket.admit(limit, Instant::now())
    }

    fn limited(after: u32, is_first: bool) -> Result<(), Limited> {
        Err(Limited { retry_after: MS * after, is_first })
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_events_must_be_evenly_spaced() {
        let mut admit = bucket(RateLimit::per_second(10).burst(3));
        for _ in 0..3 {
            assert_eq!(admit(), Ok(()));
        }
        assert_eq!(admit(), limited(100, true));
        advance(MS * 60).await;
        assert_eq!(admit(), limited(40, false));
        advance(MS * 40).await;
        assert_eq!((admit(), admit()), (Ok(()), limited(100, false)));
        advance(MS * 10_000).await;
        for _ in 0..3 {
            assert_eq!(admit(), Ok(()));
        }
        assert_eq!(admit(), limited(100, true));
    }

    #[tokio::test(start_paused = true)]
    async fn drops_of_a_slightly_too_fast_client_are_one_episode() {
        let mut admit = bucket(RateLimit::per_second(1));
        let mut episodes = 0;
        for _ in 0..100 {
            episodes += usize::from(admit().is_err_and(|limited| limited.is_first));
            advance(MS * 990).await;
        }
        assert_eq!(episodes, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn extreme_rates_and_bursts_do_not_overflow() {
        for limit in [RateLimit::per_second(u32::MAX), RateLimit::per_minute(1), RateLimit::per_hour(1)] {
            for burst in [1, 1_000, u32::MAX] {
                let mut admit = bucket(limit.burst(burst));
                for _ in 0..burst.min(1_000) {
                    assert_eq!(admit(), Ok(()));
                }
                if burst == u32::MAX {
                    continue;
                }
                assert!(admit().is_err());
                advance(Duration::from_secs(3_600)).await;
                assert_eq!(admit(), Ok(()));
            }
        }
    }

    #[test]
    #[should_panic(expected = "at least one event")]
    fn a_rate_of_zero_panics() {
        let _ = RateLimit::per_second(0);
    }

    #[test]
    fn an_event_that_one_limit_drops_does_not_count_against_others() {
        let mut limits = EventLimits::default();
        limits.set("a", RateLimit::per_hour(1));
        limits.set("b", RateLimit::per_hour(1));
        limits.set("a", RateLimit::per_hour(2));
        let mut buckets = Buckets::default();
        let mut admit = |event| buckets.admit(Some(RateLimit::per_hour(4)), limits.find(event)).is_ok();
        let admitted = ["a", "a", "a", "a", "b", "b", "c", "c", "a"].map(&mut admit);
        assert_eq!(admitted, [true, true, false, false, true, false, true, false, false]);
    }

    #[test]
    fn the_retry_time_is_at_least_one_whole_millisecond() {
        for (micros, expected) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (50_000, 50)] {
            let error = EventError::rate_limited(Duration::from_micros(micros));
            assert_eq!(error.data(), Some(&serde_json::json!({ "retry_after_ms": expected })));
        }
    }

    #[test]
    fn buckets_are_small() {
        let sizes = (size_of::<Buckets>(), size_of::<(usize, Bucket)>());
        assert!(sizes.0 <= 56 && sizes.1 <= 40, "{sizes:?}");
    }
}
