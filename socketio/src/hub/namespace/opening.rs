//! [`Opening`]: opens and closes the adapter of a namespace.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::hooks::catch::{catch, catch_future};
use crate::hub::adapter::Adapter;

/// The tasks of a hub that close adapters.
#[derive(Debug, Default)]
pub(crate) struct Closing(Mutex<Vec<JoinHandle<()>>>);

impl Closing {
    fn add(&self, task: JoinHandle<()>) {
        let mut tasks = self.0.lock();
        let finished: Vec<_> = tasks.extract_if(.., |task| task.is_finished()).collect();
        tasks.push(task);
        drop(tasks);
        drop(finished);
    }

    /// Waits for all of them.
    pub(crate) async fn wait(&self) {
        let tasks = std::mem::take(&mut *self.0.lock());
        for task in tasks {
            // It catches the panics of the adapter.
            let _ = task.await;
        }
    }
}

/// Opens and closes the adapter of one namespace. Calls to the adapter are sequential, and no lock
/// is held during them.
#[derive(Debug)]
pub(super) struct Opening {
    state: Mutex<State>,
    closing: Arc<Closing>,
}

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    should_be_open: bool,
    /// A task is calling the adapter. It also applies later changes of `should_be_open`.
    is_calling: bool,
}

impl Opening {
    pub(super) fn new(closing: &Arc<Closing>) -> Self {
        Self { state: Mutex::default(), closing: Arc::clone(closing) }
    }

    pub(super) fn open(&self, adapter: &Arc<dyn Adapter>) {
        self.state.lock().should_be_open = true;
        self.settle(adapter);
    }

    /// Closes the adapter unless the namespace is in use again.
    pub(super) fn close_unless(&self, is_used: impl FnOnce() -> bool, adapter: &Arc<dyn Adapter>) {
        let mut state = self.state.lock();
        if is_used() {
            return;
        }
        state.should_be_open = false;
        drop(state);
        self.settle(adapter);
    }

    fn settle(&self, adapter: &Arc<dyn Adapter>) {
        loop {
            let mut state = self.state.lock();
            if state.is_calling || state.is_open == state.should_be_open {
                return;
            }
            (state.is_calling, state.is_open) = (true, state.should_be_open);
            let opens = state.is_open;
            drop(state);
            if catch(|| self.call(adapter, opens)).is_err() {
                tracing::error!("an adapter panicked while it was {}", if opens { "opened" } else { "closed" });
            }
            self.state.lock().is_calling = false;
        }
    }

    fn call(&self, adapter: &Arc<dyn Adapter>, opens: bool) {
        // Keep the adapter alive until the future is finished.
        let kept = Arc::clone(adapter);
        // There is no runtime if the connection ends because its runtime shuts down.
        let runtime = Handle::try_current();
        if opens {
            let opened = adapter.open();
            let Ok(runtime) = runtime else { return };
            runtime.spawn(async move {
                match catch_future(opened).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, adapter = ?kept, "an adapter did not open"),
                    Err(_) => tracing::error!("an adapter panicked while it was opened"),
                }
            });
        } else {
            let closed = adapter.close();
            let Ok(runtime) = runtime else { return };
            self.closing.add(runtime.spawn(async move {
                if catch_future(closed).await.is_err() {
                    tracing::error!("an adapter panicked while it was closed");
                }
                drop(kept);
            }));
        }
    }
}
