//! [`FlushScope`]: batches the writes that one connection's task causes for other clients.
//!
//! A scope is one poll of a connection's task. Frames that the task queues for other clients are
//! written when the scope ends, with one write for each client. The tasks of those clients are only
//! woken if the kernel does not accept all bytes.
//!
//! What is received together from a cluster has a scope too. A task of the application has none: a
//! frame that it queues wakes the receiver's task.
//!
//! The scope is in a thread-local, because handlers emit from any depth of their own code and no
//! parameter reaches there.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Handle;

/// A client with a queue of frames.
pub(super) trait Flush: Send + Sync {
    /// Writes the queued frames.
    fn flush(&self);
}

/// The number of clients that one task flushes. Further clients are flushed by spawned tasks.
const GROUP_SIZE: usize = 64;

/// The number of scope numbers that a thread reserves at once.
const RANGE_LENGTH: u64 = 1 << 32;

/// The next range of scope numbers that no thread has reserved.
static NEXT_RANGE: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current { is_open: false, number: 0, peers: Vec::new() }) };
}

/// The unique number of a scope.
pub(super) type Number = NonZeroU64;

/// The scope on this thread.
struct Current {
    is_open: bool,
    number: u64,
    /// The clients to flush when the scope ends.
    peers: Vec<Arc<dyn Flush>>,
}

impl Current {
    fn begin(&mut self) {
        self.is_open = true;
        // The thread's first scope, or the range is used up.
        if self.number.is_multiple_of(RANGE_LENGTH) {
            self.number = NEXT_RANGE.fetch_add(1, Ordering::Relaxed) * RANGE_LENGTH;
        }
        self.number += 1;
    }
}

/// A guard for the current thread's scope. The scope ends when the guard is dropped. A guard that
/// begins inside of a scope belongs to it, and does nothing.
pub(crate) struct FlushScope {
    is_outermost: bool,
}

impl FlushScope {
    pub(crate) fn begin() -> Self {
        let is_outermost = CURRENT.with_borrow_mut(|scope| {
            let is_outermost = !scope.is_open;
            if is_outermost {
                scope.begin();
            }
            is_outermost
        });
        Self { is_outermost }
    }
}

impl Drop for FlushScope {
    fn drop(&mut self) {
        if !self.is_outermost {
            return;
        }
        let mut peers = CURRENT.with_borrow_mut(|scope| {
            scope.is_open = false;
            std::mem::take(&mut scope.peers)
        });
        // This task flushes the first group. A spawned task flushes each of the others.
        while peers.len() > GROUP_SIZE {
            let group = Group(peers.split_off(peers.len() - GROUP_SIZE));
            // An engine of a cluster may deliver outside of a runtime.
            match Handle::try_current() {
                Ok(runtime) => _ = runtime.spawn(async move { drop(group) }),
                Err(_) => drop(group),
            }
        }
        flush(&peers);
        peers.clear();
        // The next scope reuses the memory.
        peers.shrink_to(GROUP_SIZE);
        CURRENT.with_borrow_mut(|scope| scope.peers = peers);
    }
}

/// Clients that are flushed on drop. A runtime that shuts down drops the spawned task without
/// running it, and thereby still flushes them.
struct Group(Vec<Arc<dyn Flush>>);

impl Drop for Group {
    fn drop(&mut self) {
        flush(&self.0);
    }
}

fn flush(peers: &[Arc<dyn Flush>]) {
    peers.iter().for_each(|peer| peer.flush());
}

/// The number of the scope on this thread, if one is open.
pub(super) fn current() -> Option<Number> {
    // A thread that exits has no scope. Its own thread-locals may emit when they are dropped.
    let number = CURRENT.try_with(|scope| {
        let scope = scope.borrow();
        if scope.is_open { NonZeroU64::new(scope.number) } else { None }
    });
    number.ok().flatten()
}

/// Schedules a client to be flushed when the current scope ends.
pub(super) fn flush_later<F: Flush + 'static>(peer: &Arc<F>) {
    let peer: Arc<dyn Flush> = Arc::clone(peer) as _;
    CURRENT.with_borrow_mut(|scope| scope.peers.push(peer));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Client(AtomicUsize);

    impl Flush for Client {
        fn flush(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_scope_inside_of_a_scope_ends_with_it() {
        let client = Arc::new(Client::default());
        let outer = FlushScope::begin();
        let number = current();
        {
            let _inner = FlushScope::begin();
            assert_eq!(current(), number);
            flush_later(&client);
        }
        assert_eq!(client.0.load(Ordering::Relaxed), 0, "the outer scope is open");
        assert_eq!(current(), number);
        drop(outer);
        assert_eq!(client.0.load(Ordering::Relaxed), 1);
        assert_eq!(current(), None);
    }

    #[test]
    fn many_clients_are_flushed_without_a_runtime() {
        let clients: Vec<_> = (0..3 * GROUP_SIZE).map(|_| Arc::new(Client::default())).collect();
        {
            let _scope = FlushScope::begin();
            clients.iter().for_each(flush_later);
        }
        assert!(clients.iter().all(|client| client.0.load(Ordering::Relaxed) == 1));
    }
}
