//! What a connection does when it is time: heartbeats, and the ends of what takes too long.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

use super::heartbeat::Beat;
use super::{Connection, Phase, Protocol};
use crate::event::error::EventError;
use crate::session::disconnect::{Disconnect, DisconnectReason};

impl Connection {
    pub(super) fn deadline(&self) -> Instant {
        let phase = match &self.phase {
            Phase::Open => Some(self.heartbeat.deadline()),
            Phase::Closing { by, .. } | Phase::Lingering { by, .. } => Some(*by),
            Phase::Closed => None,
        };
        let engine = match (&self.phase, &self.protocol) {
            (Phase::Open, Protocol::Engine(engine)) => engine.deadline(),
            _ => None,
        };
        let opening = self.entries.iter().filter_map(|entry| entry.open_by);
        let deadlines = [phase, engine, self.handlers_until].into_iter().flatten().chain(opening);
        deadlines.min().unwrap_or_else(far_away)
    }

    /// Does what is due. `true`: something was.
    pub(super) fn keep_time(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> bool {
        let mut due = false;
        loop {
            let deadline = self.deadline();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(context).is_pending() {
                return due;
            }
            due = true;
            self.on_deadline(Instant::now(), context);
            if matches!(self.phase, Phase::Closed) && self.deadline() > Instant::now() {
                return due;
            }
        }
    }

    /// Does what is due even if the clock has not woken the task yet: a poll that comes in time for the heartbeat must be
    /// told from one that does not.
    pub(super) fn keep_exact_time(&mut self, context: &mut Context<'_>) {
        if self.transport.polling().is_some() {
            let now = Instant::now();
            if self.deadline() <= now {
                self.on_deadline(now, context);
            }
        }
    }

    fn on_deadline(&mut self, now: Instant, context: &mut Context<'_>) {
        while let Some(at) = self.entries.iter().position(|entry| entry.open_by.is_some_and(|by| by <= now)) {
            tracing::warn!(socket = %self.entries[at].socket.id(), "the connect handler took too long");
            self.refuse(at, &EventError::new("timeout", "the server took too long"));
        }
        if self.handlers_until.is_some_and(|until| until <= now) {
            self.handlers_until = None;
            self.entries.iter_mut().for_each(|entry| entry.executor.abort());
            self.end_if_done();
            for entry in &mut self.entries {
                entry.executor.poll(context);
                if !entry.executor.is_finished() {
                    entry.executor.give_up();
                }
            }
        }
        match &self.phase {
            Phase::Open => match self.heartbeat.beat(now) {
                Beat::Wait => self.engine_deadline(now, context),
                Beat::Ping => {
                    self.transport.shrink();
                    self.peer.handle.shrink();
                    self.transport.append(self.protocol.ping());
                }
                Beat::Dead => {
                    tracing::debug!("heartbeat timeout");
                    self.entries.iter_mut().for_each(|entry| entry.executor.drop_queued());
                    self.conclude(&Disconnect::new(DisconnectReason::PingTimeout), false);
                    self.close(context);
                }
            },
            Phase::Closing { by, .. } | Phase::Lingering { by, .. } if *by <= now => self.close(context),
            _ => {}
        }
    }
}

impl Protocol {
    /// The frame that asks the client for a sign of life.
    fn ping(&self) -> &'static [u8] {
        match self {
            Self::Plain { .. } => &[0x89, 0],
            Self::Engine(_) => &[0x81, 1, b'2'],
        }
    }
}

/// A deadline that never comes.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(86_400 * 365)
}

/// A time from now; one that is longer than a clock can tell never comes.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or_else(far_away)
}
