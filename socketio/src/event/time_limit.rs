//! [`TimeLimit`]: how long the functions of one event may run.

use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::handler::{Handler, Timeout};
use crate::hub::socket::Socket;
use crate::session::time::after;

/// The time from an event's first poll until its functions are dropped, in milliseconds. A limit of
/// more than 49 days is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLimit(Option<NonZeroU32>);

impl TimeLimit {
    pub(super) const NONE: Self = Self(None);

    /// Returns the limit of a handler's events, or the hub's for events without a handler.
    pub(super) fn of(handler: Option<&Handler>, socket: &Socket) -> Self {
        match handler.map_or(Timeout::OfHub, |handler| handler.timeout) {
            Timeout::OfHub => socket.hub().config().handler_timeout.map_or(Self::NONE, Self::new),
            Timeout::Off => Self::NONE,
            Timeout::Milliseconds(milliseconds) => Self(NonZeroU32::new(milliseconds)),
        }
    }

    fn new(limit: Duration) -> Self {
        Self(u32::try_from(limit.as_millis()).ok().and_then(NonZeroU32::new))
    }

    /// Returns the time at which work that begins now must have ended.
    pub(crate) fn until(self) -> Option<Instant> {
        self.0.map(|limit| after(now(), Duration::from_millis(limit.get().into())))
    }

    /// Runs `work`, for as long as the limit allows. Returns `None` if the time is up. Nothing
    /// wakes the future then: the executor, which knows the limit too, polls it.
    pub(super) async fn run<F: Future>(self, mut work: Pin<&mut F>) -> Option<F::Output> {
        let mut until = None;
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            if until.is_none() {
                until = self.until();
            }
            match until {
                Some(until) if until <= now() => Poll::Ready(None),
                _ => Poll::Pending,
            }
        })
        .await
    }
}

/// The time of the runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
