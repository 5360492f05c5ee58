//! The task of a simulated network, and what its handles share.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::network::{Network, Step};

/// After so many events the task lets others run.
const EVENTS_PER_TURN: usize = 32;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    pub(super) network: Mutex<Network>,
    /// Wakes the task.
    wake: Arc<Notify>,
    /// Wakes those who wait for subscriptions to take effect.
    pub(super) changed: Notify,
    is_driven: AtomicBool,
}

impl Shared {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            network: Mutex::new(Network::new(seed)),
            wake: Arc::default(),
            changed: Notify::new(),
            is_driven: AtomicBool::new(false),
        }
    }

    /// Changes the network, and wakes its task.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Network, Instant) -> T) -> T {
        let result = change(&mut self.network.lock(), Instant::now());
        self.wake.notify_one();
        self.changed.notify_waiters();
        result
    }

    /// Starts the task, unless it runs.
    pub(super) fn drive(self: &Arc<Self>) {
        if !self.is_driven.swap(true, Ordering::Relaxed) {
            tokio::spawn(drive(Arc::downgrade(self), Arc::clone(&self.wake)));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.wake.notify_one();
        if std::thread::panicking() {
            eprintln!("the network of the failed test was `SimNet::seeded({})`", self.seed);
        }
    }
}

async fn drive(shared: Weak<Shared>, wake: Arc<Notify>) {
    let mut events = 0_usize;
    loop {
        let step = match shared.upgrade() {
            Some(shared) => {
                let step = shared.network.lock().step(Instant::now());
                shared.changed.notify_waiters();
                step
            }
            None => return,
        };
        match step {
            Step::Run(effect) => effect.run(),
            Step::Continue => {}
            Step::Wait(None) => wake.notified().await,
            Step::Wait(Some(at)) => {
                // Either may come first.
                let _ = timeout_at(at, wake.notified()).await;
            }
        }
        events += 1;
        if events.is_multiple_of(EVENTS_PER_TURN) {
            tokio::task::yield_now().await;
        }
    }
}
