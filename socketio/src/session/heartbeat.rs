//! [`Heartbeat`]: decides when a ping is due, and detects clients that send nothing within the
//! timeout.
//!
//! Received data only sets a flag. The clock is read when a deadline passes.

use std::time::{Duration, Instant};

use super::time::after;

/// The delay below which a late ping is attributed to the timer's precision.
const MAX_TIMER_DELAY: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    /// The time of the next check.
    deadline: Instant,
    /// When the ping was due whose answer is awaited. Any data counts as an answer.
    ping_sent_at: Option<Instant>,
    /// When the client times out unless it sends something.
    pong_deadline: Instant,
    received: bool,
    /// Whether reading was paused since the ping.
    was_read_paused: bool,
}

/// What the session does at a deadline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeartbeatAction {
    Ping,
    /// Nothing: the deadline has not passed, or the client has sent data.
    Wait,
    /// The client sent nothing within the timeout.
    TimedOut,
    /// Reading was paused for too long.
    PausedTooLong,
}

impl Heartbeat {
    pub(crate) fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self {
            interval,
            timeout,
            deadline: after(now, interval),
            ping_sent_at: None,
            pong_deadline: now,
            received: false,
            was_read_paused: false,
        }
    }

    /// Records that the client sent data.
    pub(crate) fn received(&mut self) {
        self.received = true;
    }

    /// Records that reading is paused. Data of the client then stays unread.
    pub(crate) fn read_paused(&mut self) {
        self.was_read_paused = true;
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// `pause_timeout` is how long after a ping paused reading keeps the client connected.
    pub(crate) fn on_deadline(&mut self, now: Instant, pause_timeout: Duration) -> HeartbeatAction {
        if now < self.deadline {
            return HeartbeatAction::Wait;
        }
        match self.ping_sent_at {
            None => {
                // Timers fire slightly late. Later pings are not delayed by that.
                let due = if now - self.deadline < MAX_TIMER_DELAY { self.deadline } else { now };
                self.ping_sent_at = Some(due);
                self.received = false;
                self.was_read_paused = false;
                self.pong_deadline = after(due, self.timeout);
                self.deadline = after(due, self.timeout.min(self.interval));
                HeartbeatAction::Ping
            }
            Some(ping_sent_at) if self.received => {
                self.ping_sent_at = None;
                self.deadline = after(ping_sent_at, self.interval).max(now);
                self.on_deadline(now, pause_timeout)
            }
            Some(_) if now < self.pong_deadline => {
                self.deadline = self.pong_deadline;
                HeartbeatAction::Wait
            }
            Some(ping_sent_at) if std::mem::take(&mut self.was_read_paused) => {
                let last = after(ping_sent_at, pause_timeout);
                if last <= now {
                    return HeartbeatAction::PausedTooLong;
                }
                self.pong_deadline = after(now, self.timeout).min(last);
                self.deadline = self.pong_deadline;
                HeartbeatAction::Wait
            }
            Some(_) => HeartbeatAction::TimedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PAUSE: Duration = Duration::from_secs(60);

    fn heartbeat() -> (Heartbeat, Instant) {
        let now = Instant::now();
        (Heartbeat::new(25 * SECOND, 20 * SECOND, now), now)
    }

    #[test]
    fn the_first_ping_is_sent_after_one_interval() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.on_deadline(start, PAUSE), HeartbeatAction::Wait);
        assert_eq!(heartbeat.on_deadline(start + 24 * SECOND, PAUSE), HeartbeatAction::Wait);
        assert_eq!(heartbeat.on_deadline(start + 25 * SECOND, PAUSE), HeartbeatAction::Ping);
        assert_eq!(heartbeat.deadline(), start + 45 * SECOND);
    }

    #[test]
    fn silence_after_a_ping_times_out() {
        let (mut heartbeat, start) = heartbeat();
        heartbeat.received();
        assert_eq!(heartbeat.on_deadline(start + 25 * SECOND, PAUSE), HeartbeatAction::Ping);
        assert_eq!(heartbeat.on_deadline(start + 45 * SECOND, PAUSE), HeartbeatAction::TimedOut);
    }

    #[test]
    fn answered_pings_keep_the_interval() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.on_deadline(start + 25 * SECOND, PAUSE), HeartbeatAction::Ping);
        heartbeat.received();
        assert_eq!(heartbeat.on_deadline(start + 45 * SECOND, PAUSE), HeartbeatAction::Wait);
        assert_eq!(heartbeat.deadline(), start + 50 * SECOND);
        assert_eq!(heartbeat.on_deadline(start + 50 * SECOND, PAUSE), HeartbeatAction::Ping);
    }

    #[test]
    fn pings_keep_an_interval_shorter_than_the_timeout() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(5 * SECOND, 20 * SECOND, start);
        assert_eq!(heartbeat.on_deadline(start + 5 * SECOND, PAUSE), HeartbeatAction::Ping);
        heartbeat.received();
        assert_eq!(heartbeat.on_deadline(start + 10 * SECOND, PAUSE), HeartbeatAction::Ping);
        assert_eq!(heartbeat.on_deadline(start + 15 * SECOND, PAUSE), HeartbeatAction::Wait);
        assert_eq!(heartbeat.deadline(), start + 30 * SECOND);
        assert_eq!(heartbeat.on_deadline(start + 30 * SECOND, PAUSE), HeartbeatAction::TimedOut);
    }

    #[test]
    fn paused_reading_extends_the_timeout() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.on_deadline(start + 25 * SECOND, PAUSE), HeartbeatAction::Ping);
        heartbeat.read_paused();
        assert_eq!(heartbeat.on_deadline(start + 45 * SECOND, PAUSE), HeartbeatAction::Wait);
        assert_eq!(heartbeat.on_deadline(start + 65 * SECOND, PAUSE), HeartbeatAction::TimedOut);
    }

    #[test]
    fn paused_reading_keeps_a_client_for_the_pause_timeout() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.on_deadline(start + 25 * SECOND, PAUSE), HeartbeatAction::Ping);
        for seconds in [45, 65] {
            heartbeat.read_paused();
            assert_eq!(heartbeat.on_deadline(start + seconds * SECOND, PAUSE), HeartbeatAction::Wait);
        }
        assert_eq!(heartbeat.deadline(), start + 85 * SECOND);
        heartbeat.read_paused();
        assert_eq!(heartbeat.on_deadline(start + 85 * SECOND, PAUSE), HeartbeatAction::PausedTooLong);
    }

    #[test]
    fn a_client_that_is_read_from_after_a_pause_starts_anew() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.on_deadline(start + 25 * SECOND, PAUSE), HeartbeatAction::Ping);
        heartbeat.read_paused();
        assert_eq!(heartbeat.on_deadline(start + 45 * SECOND, PAUSE), HeartbeatAction::Wait);
        heartbeat.received();
        assert_eq!(heartbeat.on_deadline(start + 65 * SECOND, PAUSE), HeartbeatAction::Ping);
        for seconds in [85, 105] {
            heartbeat.read_paused();
            assert_eq!(heartbeat.on_deadline(start + seconds * SECOND, PAUSE), HeartbeatAction::Wait);
        }
        heartbeat.read_paused();
        assert_eq!(heartbeat.on_deadline(start + 125 * SECOND, PAUSE), HeartbeatAction::PausedTooLong);
    }
}
