//! [`Inbox`]: the messages that a client has received in one namespace, and the pending waits.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

use super::error::{Actual, Ended, TestError, Unmet};
use super::wire::{Answer, Item};
use crate::session::time::after;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// Index of the first entry that the test has not taken.
    next: usize,
    /// The reply to CONNECT: the socket's id, or the JSON of the refusal.
    connect_reply: Option<Result<Box<str>, Box<str>>>,
    ended: Option<Ended>,
    next_id: u64,
    /// The pending answers by ack id: the event's name, for the record, and the sender.
    pending: HashMap<u64, (Box<str>, oneshot::Sender<Answer>)>,
}

#[derive(Clone, Debug)]
enum Entry {
    Item(Arc<Item>),
    /// Only for the record.
    Answer(String),
    End(Ended),
}

/// The result of matching a message against an expectation.
pub(super) enum Verdict<T> {
    Accepted(T),
    /// It is another message.
    Other,
    /// It is the expected message, but its contents are wrong.
    Wrong(String),
}

impl Inbox {
    pub(super) fn push(&self, item: Item) {
        self.change(|state| state.entries.push(Entry::Item(Arc::new(item))));
    }

    pub(super) fn set_connect_reply(&self, connect_reply: Result<Box<str>, Box<str>>) {
        self.change(|state| state.connect_reply = Some(connect_reply));
    }

    pub(super) fn answer(&self, id: u64, answer: Answer) {
        let waiting = self.change(|state| {
            let (name, waiting) = state.pending.remove(&id)?;
            state.entries.push(Entry::Answer(match &answer {
                Ok(contents) => format!("answer to `{name}` {contents}"),
                Err(error) => format!("error as the answer to `{name}` {}", serde_json::json!(error)),
            }));
            Some(waiting)
        });
        if let Some(waiting) = waiting {
            // The caller may have stopped waiting.
            let _ = waiting.send(answer);
        }
    }

    /// Records the end. Later calls change nothing.
    pub(super) fn end(&self, ended: &Ended) {
        let abandoned = self.change(|state| {
            if state.ended.is_some() {
                return None;
            }
            state.ended = Some(ended.clone());
            state.entries.push(Entry::End(ended.clone()));
            Some(std::mem::take(&mut state.pending))
        });
        // This wakes the callers, so it happens without the lock.
        drop(abandoned);
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let changed = change(&mut self.state.lock());
        self.changed.notify_waiters();
        changed
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.state.lock().ended.clone()
    }

    /// Allocates an ack id for an event, and returns the receiver for its answer.
    pub(super) fn ask(&self, name: &str) -> (u64, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        if state.ended.is_none() {
            state.pending.insert(id, (name.into(), sender));
        }
        (id, receiver)
    }

    /// Waits until `look` returns `Some`, or until `until`.
    async fn wait<R>(&self, until: Instant, mut look: impl FnMut(&mut State) -> Option<R>) -> Option<R> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.state.lock()) {
                return Some(found);
            }
            if timeout_at(until, changed).await.is_err() {
                return look(&mut self.state.lock());
            }
        }
    }

    /// Waits for the reply to CONNECT. `Err`: the connection ended, or no reply arrived in time.
    pub(super) async fn connect_reply(&self, patience: Duration) -> Result<Result<Box<str>, Box<str>>, Option<Ended>> {
        let reply =
            self.wait(after(Instant::now(), patience), |state| match (state.connect_reply.take(), &state.ended) {
                (Some(connect_reply), _) => Some(Ok(connect_reply)),
                (None, Some(ended)) => Some(Err(Some(ended.clone()))),
                (None, None) => None,
            });
        reply.await.unwrap_or(Err(None))
    }

    /// Waits for the end of the connection, whatever arrives before.
    pub(super) async fn wait_for_end(&self) -> Ended {
        loop {
            if let Some(ended) = self.wait(after(Instant::now(), Duration::MAX), |state| state.ended.clone()).await {
                return ended;
            }
        }
    }

    /// Waits for the next message, and takes it if `judge` accepts it. With `skipping`, other
    /// messages are taken and skipped.
    pub(super) async fn take<T>(
        &self,
        patience: Duration,
        expected: &str,
        skipping: bool,
        mut judge: impl FnMut(&Arc<Item>) -> Verdict<T>,
    ) -> Result<T, TestError> {
        let until = after(Instant::now(), patience);
        loop {
            let actual = match self.wait(until, State::first).await {
                Some(Entry::Item(item)) => match judge(&item) {
                    Verdict::Accepted(value) => {
                        self.state.lock().next += 1;
                        return Ok(value);
                    }
                    Verdict::Other if skipping => {
                        self.state.lock().next += 1;
                        continue;
                    }
                    Verdict::Other => Actual::Message(item.to_string()),
                    Verdict::Wrong(why) => Actual::WrongContents { message: item.to_string(), why },
                },
                Some(Entry::End(ended)) => Actual::End(ended),
                Some(Entry::Answer(_)) | None => Actual::Timeout(patience),
            };
            return Err(self.unmet(expected, actual));
        }
    }

    /// Waits for the end of the connection, and takes that entry.
    pub(super) async fn take_end(&self, patience: Duration, expected: &str) -> Result<Ended, TestError> {
        let actual = match self.wait(after(Instant::now(), patience), State::first).await {
            Some(Entry::End(ended)) => {
                self.state.lock().next += 1;
                return Ok(ended);
            }
            Some(Entry::Item(item)) => Actual::Message(item.to_string()),
            Some(Entry::Answer(_)) | None => Actual::Timeout(patience),
        };
        Err(self.unmet(expected, actual))
    }

    /// Fails if there is an entry that the test has not taken.
    pub(super) fn expect_empty(&self) -> Result<(), TestError> {
        let first = self.state.lock().first();
        let actual = match first {
            None => return Ok(()),
            Some(Entry::Item(item)) => Actual::Message(item.to_string()),
            Some(Entry::Answer(text)) => Actual::Message(text),
            Some(Entry::End(ended)) => Actual::End(ended),
        };
        Err(self.unmet("nothing", actual))
    }

    pub(super) fn unmet(&self, expected: &str, actual: Actual) -> TestError {
        let record = self.record("> ", "  ");
        Unmet::new(expected.to_owned(), actual, record).into()
    }

    /// All entries, one line each. `open` is the prefix of entries not taken yet, `taken` that of
    /// the others.
    pub(super) fn record(&self, open: &str, taken: &str) -> String {
        let state = self.state.lock();
        let mut record = String::new();
        for (at, entry) in state.entries.iter().enumerate() {
            let is_open = at >= state.next && !matches!(entry, Entry::Answer(_));
            let separator = if at == 0 { "" } else { "\n" };
            let mark = if is_open { open } else { taken };
            // Writing into a string can't fail.
            let _ = match entry {
                Entry::Item(item) => write!(record, "{separator}{mark}{item}"),
                Entry::Answer(text) => write!(record, "{separator}{mark}{text}"),
                Entry::End(ended) => write!(record, "{separator}{mark}end: {ended}"),
            };
        }
        record
    }
}

impl State {
    /// The first entry that the test has not taken. Answers are skipped: their callers have them.
    fn first(&mut self) -> Option<Entry> {
        while let Some(Entry::Answer(_)) = self.entries.get(self.next) {
            self.next += 1;
        }
        self.entries.get(self.next).cloned()
    }
}
