//! The timer of a connection: wakes its task when the session has something to do.

use std::pin::Pin;
use std::task::Context;
use std::time::Instant;
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

use super::Connection;
use super::driver::Driver;
use crate::session::time::far_future;

/// What the runtime's clock says, which tests can pause.
pub(super) fn now() -> Instant {
    TokioInstant::now().into_std()
}

impl Connection {
    /// The timer, set to the first deadline.
    pub(super) fn timer(&self) -> Sleep {
        sleep_until(self.session.deadline().unwrap_or_else(|| far_future(now())).into())
    }

    /// Does what is due. `true`: something was.
    pub(super) fn poll_deadlines(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> bool {
        let mut was_due = false;
        while let Some(deadline) = self.session.deadline() {
            let deadline = deadline.into();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(context).is_pending() {
                break;
            }
            was_due = true;
            self.session.on_deadline(now(), &mut Driver { io: &mut self.io, context });
        }
        was_due
    }

    /// Does what is due even if the clock has not woken the task yet: a poll that comes in time for
    /// the heartbeat must be told from one that does not.
    pub(super) fn check_polling_deadline(&mut self, context: &mut Context<'_>) {
        if self.io.transport.polling().is_some() {
            let now = now();
            if self.session.deadline().is_some_and(|deadline| deadline <= now) {
                self.session.on_deadline(now, &mut Driver { io: &mut self.io, context });
            }
        }
    }
}
