//! [`FlushScope`]: what one connection's task queues for other clients is written when its scope
//! ends. Each client is written to once, however many messages there are, and its task is not woken
//! where the kernel takes them at once.
//!
//! A scope is one poll of a connection's task. What is sent outside of one, by a task of the
//! application, wakes the receiver's task. The scope is in a thread-local because handlers emit
//! from any depth of their own code: no parameter reaches them.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A client that something may wait for.
pub(super) trait Flush: Send + Sync {
    /// Writes what waits for it.
    fn flush(&self);
}

/// How many clients one task writes to before it lets others run.
const GROUP: usize = 64;

/// How many scopes a thread numbers before it takes another range of numbers.
const RANGE: u64 = 1 << 32;

static RANGES: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current { is_open: false, number: 0, peers: Vec::new() }) };
}

/// The number of a scope. No other scope has the same.
pub(super) type Number = NonZeroU64;

/// The scope on this thread.
struct Current {
    is_open: bool,
    number: u64,
    /// Clients to write to when it ends.
    peers: Vec<Arc<dyn Flush>>,
}

impl Current {
    fn begin(&mut self) {
        self.is_open = true;
        // The first time, and when a range is used up.
        if self.number.is_multiple_of(RANGE) {
            self.number = RANGES.fetch_add(1, Ordering::Relaxed) * RANGE;
        }
        self.number += 1;
    }
}

/// The scope of a connection, for as long as it lives.
pub(crate) struct FlushScope;

impl FlushScope {
    pub(crate) fn begin() -> Self {
        CURRENT.with_borrow_mut(Current::begin);
        Self
    }
}

impl Drop for FlushScope {
    fn drop(&mut self) {
        let mut peers = CURRENT.with_borrow_mut(|scope| {
            scope.is_open = false;
            std::mem::take(&mut scope.peers)
        });
        // The first group here, the others in tasks of their own.
        while peers.len() > GROUP {
            let group = Group(peers.split_off(peers.len() - GROUP));
            tokio::spawn(async move { drop(group) });
        }
        flush(&peers);
        peers.clear();
        // The next scope reuses the memory.
        peers.shrink_to(GROUP);
        CURRENT.with_borrow_mut(|scope| scope.peers = peers);
    }
}

/// Clients that are written to when this is dropped, even by a runtime that shuts down and does not
/// run the task any more.
struct Group(Vec<Arc<dyn Flush>>);

impl Drop for Group {
    fn drop(&mut self) {
        flush(&self.0);
    }
}

fn flush(peers: &[Arc<dyn Flush>]) {
    peers.iter().for_each(|peer| peer.flush());
}

/// The scope on this thread, if there is one.
pub(super) fn current() -> Option<Number> {
    CURRENT.with_borrow(|scope| if scope.is_open { NonZeroU64::new(scope.number) } else { None })
}

/// Has a client's handle flushed when this scope ends.
pub(super) fn flush_later<F: Flush + 'static>(peer: &Arc<F>) {
    let peer: Arc<dyn Flush> = Arc::clone(peer) as _;
    CURRENT.with_borrow_mut(|scope| scope.peers.push(peer));
}
