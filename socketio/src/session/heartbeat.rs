//! [`Heartbeat`]: a ping after every interval, and some sign of life within the timeout.
//!
//! Hearing something costs a flag, not a look at the clock: times are only computed when a deadline
//! has come.

use std::time::{Duration, Instant};

use super::time::after;

/// A ping that is sent later than this is not only late because clocks are imprecise.
const LATE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    /// When something is to be done.
    at: Instant,
    /// When the ping was sent that is still to be answered.
    pinged: Option<Instant>,
    /// When silence after that ping means death.
    dead_by: Instant,
    received: bool,
    /// Whether reading was paused at some time since the ping.
    was_read_paused: bool,
}

/// What is to be done at a deadline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping,
    /// It is not time yet, or the client has been heard.
    Wait,
    /// The client has been silent for too long.
    Dead,
}

impl Heartbeat {
    pub(crate) fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self {
            interval,
            timeout,
            at: after(now, interval),
            pinged: None,
            dead_by: now,
            received: false,
            was_read_paused: false,
        }
    }

    /// Something came from the client.
    pub(crate) fn received(&mut self) {
        self.received = true;
    }

    /// Reading is paused, so that the client can't be heard.
    pub(crate) fn read_paused(&mut self) {
        self.was_read_paused = true;
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.at
    }

    pub(crate) fn beat(&mut self, now: Instant) -> Beat {
        if now < self.at {
            return Beat::Wait;
        }
        match self.pinged {
            None => {
                // Clocks wake a task up moments too late: what comes later is not put off for that.
                let due = if now - self.at < LATE { self.at } else { now };
                self.pinged = Some(due);
                self.received = false;
                self.was_read_paused = false;
                self.dead_by = after(due, self.timeout);
                self.at = after(due, self.timeout.min(self.interval));
                Beat::Ping
            }
            Some(pinged) if self.received => {
                self.pinged = None;
                self.at = after(pinged, self.interval).max(now);
                self.beat(now)
            }
            Some(_) if now < self.dead_by => {
                self.at = self.dead_by;
                Beat::Wait
            }
            Some(_) if std::mem::take(&mut self.was_read_paused) => {
                self.dead_by = after(now, self.timeout);
                self.at = self.dead_by;
                Beat::Wait
            }
            Some(_) => Beat::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn heartbeat() -> (Heartbeat, Instant) {
        let now = Instant::now();
        (Heartbeat::new(25 * SECOND, 20 * SECOND, now), now)
    }

    #[test]
    fn the_first_ping_comes_after_an_interval() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.beat(start), Beat::Wait);
        assert_eq!(heartbeat.beat(start + 24 * SECOND), Beat::Wait);
        assert_eq!(heartbeat.beat(start + 25 * SECOND), Beat::Ping);
        assert_eq!(heartbeat.deadline(), start + 45 * SECOND);
    }

    #[test]
    fn silence_after_a_ping_is_death() {
        let (mut heartbeat, start) = heartbeat();
        heartbeat.received();
        assert_eq!(heartbeat.beat(start + 25 * SECOND), Beat::Ping);
        assert_eq!(heartbeat.beat(start + 45 * SECOND), Beat::Dead);
    }

    #[test]
    fn pings_keep_their_interval_when_answered() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.beat(start + 25 * SECOND), Beat::Ping);
        heartbeat.received();
        assert_eq!(heartbeat.beat(start + 45 * SECOND), Beat::Wait);
        assert_eq!(heartbeat.deadline(), start + 50 * SECOND);
        assert_eq!(heartbeat.beat(start + 50 * SECOND), Beat::Ping);
    }

    #[test]
    fn an_interval_shorter_than_the_timeout_is_kept() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(5 * SECOND, 20 * SECOND, start);
        assert_eq!(heartbeat.beat(start + 5 * SECOND), Beat::Ping);
        heartbeat.received();
        assert_eq!(heartbeat.beat(start + 10 * SECOND), Beat::Ping);
        assert_eq!(heartbeat.beat(start + 15 * SECOND), Beat::Wait);
        assert_eq!(heartbeat.deadline(), start + 30 * SECOND);
        assert_eq!(heartbeat.beat(start + 30 * SECOND), Beat::Dead);
    }

    #[test]
    fn nobody_dies_while_this_side_does_not_read() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.beat(start + 25 * SECOND), Beat::Ping);
        heartbeat.read_paused();
        assert_eq!(heartbeat.beat(start + 45 * SECOND), Beat::Wait);
        assert_eq!(heartbeat.beat(start + 65 * SECOND), Beat::Dead);
    }
}
