//! [`Traffic`]: numbered events to everyone, for tests of faults.

use socketio::Namespace;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::AbortHandle;

/// A task that emits the events `tick`, with the name of the server and the numbers 1, 2, ….
#[derive(Debug)]
pub(crate) struct Traffic {
    name: Arc<str>,
    emitted: Arc<AtomicU64>,
    task: Mutex<Option<AbortHandle>>,
}

impl Traffic {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), emitted: Arc::default(), task: Mutex::default() }
    }

    /// Begins with a pause of this length between events. Each has so many bytes beside its number.
    pub(crate) fn start(&self, namespace: Namespace, pause: Duration, bytes: usize) {
        let (name, emitted) = (Arc::clone(&self.name), Arc::clone(&self.emitted));
        let task = tokio::spawn(async move {
            let padding = "x".repeat(bytes);
            let mut pace = tokio::time::interval(pause);
            loop {
                pace.tick().await;
                let number = emitted.fetch_add(1, Ordering::Relaxed) + 1;
                let _ = namespace.emit(("tick", &*name, number, &padding));
            }
        });
        let previous = self.task.lock().expect("no panic under the lock").replace(task.abort_handle());
        assert!(previous.is_none(), "the traffic has begun already");
    }

    /// Ends it. Returns how many events have been emitted.
    pub(crate) fn stop(&self) -> u64 {
        if let Some(task) = self.task.lock().expect("no panic under the lock").take() {
            task.abort();
        }
        self.emitted.load(Ordering::Relaxed)
    }

    /// Emits so many events at once.
    pub(crate) fn burst(&self, namespace: &Namespace, count: u64, bytes: usize) -> u64 {
        let padding = "x".repeat(bytes);
        for _ in 0..count {
            let number = self.emitted.fetch_add(1, Ordering::Relaxed) + 1;
            let _ = namespace.emit(("tick", &*self.name, number, &padding));
        }
        self.emitted.load(Ordering::Relaxed)
    }
}
