//! Waits for the answers to a question, and counts who should answer.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::member::{Counted, Member};
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
            others.note_answer(&answer);
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

/// The number of other servers, which are counted again and again.
struct Others {
    member: Arc<Member>,
    known: Option<Counted>,
    /// The last number. A lower number is believed when it was counted twice.
    lower: Option<usize>,
    /// The servers that have answered. They are waited for no more, but count.
    answered: HashSet<Box<str>>,
    counting: BoxFuture<'static, Option<Counted>>,
}

impl Others {
    fn new(member: &Arc<Member>) -> Self {
        Self {
            member: Arc::clone(member),
            known: None,
            lower: None,
            answered: HashSet::new(),
            counting: count(Arc::clone(member), Duration::ZERO),
        }
    }

    /// Notes who answered. It was asked, also if it is not known.
    fn note_answer(&mut self, (server, _): &requests::From) {
        if self.member.core().known().is_some()
            && let Some(server) = server
            && !self.answered.contains(server.as_str())
        {
            self.answered.insert(server.as_str().into());
        }
    }

    /// Returns the number, once it is known. Servers that come later were not asked, and do not
    /// count.
    fn poll(&mut self, context: &mut Context<'_>) -> Option<usize> {
        while let Poll::Ready(counted) = self.counting.as_mut().poll(context) {
            match (&mut self.known, counted) {
                (None, counted) => self.known = counted,
                (Some(Counted::Servers(asked)), Some(Counted::Servers(known))) => {
                    asked.retain(|id| known.contains(id));
                }
                // A server that just connects again, or a slot that moves, is counted too low.
                (Some(Counted::Number(known)), Some(Counted::Number(counted)))
                    if counted < *known && self.lower == Some(counted) =>
                {
                    *known = counted;
                }
                (Some(_), Some(Counted::Number(counted))) => self.lower = Some(counted),
                (Some(_), _) => {}
            }
            self.counting = count(Arc::clone(&self.member), RECOUNT_INTERVAL);
        }
        Some(match self.known.as_ref()? {
            Counted::Number(number) => *number,
            Counted::Servers(asked) => asked.union(&self.answered).count(),
        })
    }
}

fn count(member: Arc<Member>, after: Duration) -> BoxFuture<'static, Option<Counted>> {
    Box::pin(async move {
        if !after.is_zero() {
            sleep(after).await;
        }
        member.count_others().await
    })
}
