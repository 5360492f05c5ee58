//! Waits for the answers to a question, and counts who should answer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::member::Member;
use super::requests::{self, Pending};
use crate::hub::adapter::BoxFuture;

/// How often the servers are counted again while answers are missing. A server that left is then no
/// longer waited for.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(1);

/// Collects answers.
pub(super) trait Collect: Send {
    /// There are so many other servers, as far as is known.
    fn expect(&mut self, others: usize);
    fn take(&mut self, answer: requests::From);
    /// Whether nothing is missing, if there are so many other servers.
    fn is_complete(&self, others: usize) -> bool;
    /// Until when to wait. `None`: nobody waits anymore.
    fn deadline(&self) -> Option<Instant>;
}

/// Waits until the answers are complete or the time is up. Returns the number of other servers.
pub(super) async fn wait(member: &Arc<Member>, pending: &mut Pending, collect: &mut impl Collect) -> usize {
    let mut others = Others::new(member);
    let mut time = pin!(sleep(Duration::ZERO));
    poll_fn(|context| {
        while let Poll::Ready(Some(answer)) = pending.poll_answer(context) {
            collect.take(answer);
        }
        let known = others.poll(context);
        collect.expect(known.unwrap_or_else(|| member.core().unreached()));
        let Some(deadline) = collect.deadline() else { return Poll::Ready(known.unwrap_or_default()) };
        if known.is_some_and(|known| collect.is_complete(known)) || Instant::now() >= deadline {
            return Poll::Ready(known.unwrap_or_else(|| member.core().unreached()));
        }
        // The deadline may change in the meantime.
        if time.deadline() != deadline {
            time.as_mut().reset(deadline);
        }
        // `poll` is called again if it is ready, which registers the waker.
        match time.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(known.unwrap_or_else(|| member.core().unreached())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The number of other servers, which is counted again and again.
struct Others {
    member: Arc<Member>,
    known: Option<usize>,
    /// The last count. A lower number is believed when it was counted twice.
    lower: Option<usize>,
    counting: BoxFuture<'static, Option<usize>>,
}

impl Others {
    fn new(member: &Arc<Member>) -> Self {
        Self {
            member: Arc::clone(member),
            known: None,
            lower: None,
            counting: count(Arc::clone(member), Duration::ZERO),
        }
    }

    /// Returns the number, once it is known. It only falls: servers that come later were not asked.
    fn poll(&mut self, context: &mut Context<'_>) -> Option<usize> {
        while let Poll::Ready(counted) = self.counting.as_mut().poll(context) {
            match (self.known, counted) {
                (None, counted) => self.known = counted,
                // A server that just connects again, or a slot that moves, is counted too low.
                (Some(known), Some(counted)) if counted < known && self.lower == Some(counted) => {
                    self.known = Some(counted);
                }
                (Some(_), Some(_)) => self.lower = counted,
                (Some(_), None) => {}
            }
            self.counting = count(Arc::clone(&self.member), RECOUNT_INTERVAL);
        }
        self.known
    }
}

fn count(member: Arc<Member>, after: Duration) -> BoxFuture<'static, Option<usize>> {
    Box::pin(async move {
        if !after.is_zero() {
            sleep(after).await;
        }
        member.count_others().await
    })
}
