//! The timer of a connection wakes its task at the next deadline of the session or of a handler.

use std::pin::Pin;
use std::task::Context;
use std::time::Instant;
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

use super::Connection;
use super::driver::Driver;
use crate::session::time::{earliest, far_future};

/// Returns the time of the runtime's clock, which tests can pause.
pub(super) fn now() -> Instant {
    TokioInstant::now().into_std()
}

impl Connection {
    /// Creates the timer for the next deadline.
    pub(super) fn timer(&self) -> Sleep {
        sleep_until(self.deadline().unwrap_or_else(|| far_future(now())).into())
    }

    fn deadline(&self) -> Option<Instant> {
        let handlers = self.session.sockets().map(|entry| entry.executor.deadline());
        let handlers = handlers.fold(self.session.deadline(), earliest);
        earliest(handlers, self.expiry_deadline())
    }

    /// Handles passed deadlines and resets the timer. Returns whether a deadline had passed.
    pub(super) fn poll_deadlines(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> bool {
        let mut was_due = false;
        while let Some(deadline) = self.deadline() {
            let deadline = deadline.into();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(context).is_pending() {
                break;
            }
            was_due = true;
            let now = now();
            self.session.on_deadline(now, &mut Driver { io: &mut self.io, context });
            for at in 0..self.session.len() {
                if let Some(entry) = self.session.socket_mut(at) {
                    entry.executor.on_deadline(now, context);
                }
            }
            self.on_expiry_deadline(now, context);
        }
        was_due
    }

    /// Handles passed deadlines of a polling client, before the timer fires. Otherwise a poll that
    /// comes after the heartbeat's timeout might count as in time.
    pub(super) fn check_polling_deadline(&mut self, context: &mut Context<'_>) {
        if self.io.transport.polling().is_some() {
            let now = now();
            if self.session.deadline().is_some_and(|deadline| deadline <= now) {
                self.session.on_deadline(now, &mut Driver { io: &mut self.io, context });
            }
        }
    }
}
