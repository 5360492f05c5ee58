//! [`Traffic`]: numbered events to everyone, for tests of faults.

use socketio::Namespace;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Emits the events `tick`, with the name of the server and the numbers 1, 2, ….
#[derive(Debug)]
pub(crate) struct Traffic {
    counter: Arc<Counter>,
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Debug)]
struct Counter {
    name: String,
    /// It is locked while an event is emitted, so that the events have the order of their numbers.
    emitted: Mutex<u64>,
}

impl Counter {
    fn emit(&self, namespace: &Namespace, padding: &str) -> u64 {
        let mut emitted = self.emitted.lock().unwrap_or_else(PoisonError::into_inner);
        *emitted += 1;
        // Tests find out what was not delivered.
        let _ = namespace.emit(("tick", &self.name, *emitted, padding));
        *emitted
    }
}

impl Traffic {
    pub(crate) fn new(name: &str) -> Self {
        let counter = Counter { name: name.to_owned(), emitted: Mutex::default() };
        Self { counter: Arc::new(counter), task: Mutex::default() }
    }

    /// Begins with a pause of this length between events. Each has so many bytes beside its number.
    pub(crate) fn start(&self, namespace: Namespace, pause: Duration, bytes: usize) {
        let counter = Arc::clone(&self.counter);
        let task = tokio::spawn(async move {
            let padding = "x".repeat(bytes);
            let mut pace = tokio::time::interval(pause);
            loop {
                pace.tick().await;
                counter.emit(&namespace, &padding);
            }
        });
        self.end(Some(task.abort_handle()));
    }

    fn end(&self, next: Option<AbortHandle>) {
        let previous = std::mem::replace(&mut *self.task.lock().unwrap_or_else(PoisonError::into_inner), next);
        if let Some(task) = previous {
            task.abort();
        }
    }

    /// Ends it. Returns how many events have been emitted.
    pub(crate) fn stop(&self) -> u64 {
        self.end(None);
        *self.counter.emitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Emits so many events at once. Returns the number of the last one.
    pub(crate) fn burst(&self, namespace: &Namespace, count: usize, bytes: usize) -> u64 {
        let padding = "x".repeat(bytes);
        (0..count).map(|_| self.counter.emit(namespace, &padding)).last().unwrap_or_default()
    }
}
