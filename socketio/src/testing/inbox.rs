//! What a client hears in one namespace, in order, and who waits for it.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

use super::error::{Ended, Instead, TestError, Unmet};
use super::wire::{Answer, Item};
use crate::session::time::after;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    heard: Mutex<Heard>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    entries: Vec<Entry>,
    /// Where the first entry is that nobody has taken.
    next: usize,
    /// Whether the namespace has let the client in. `Err`: the JSON of why not.
    opening: Option<Result<Box<str>, Box<str>>>,
    ended: Option<Ended>,
    next_id: u64,
    /// Who waits for answers: the name of the event, for the record, and where the answer goes.
    waiting: HashMap<u64, (Box<str>, oneshot::Sender<Answer>)>,
}

#[derive(Clone, Debug)]
enum Entry {
    Item(Arc<Item>),
    /// For the record alone.
    Answer(String),
    End(Ended),
}

/// What becomes of a message that somebody looks at who waits.
pub(super) enum Verdict<T> {
    Accepted(T),
    /// It is another one.
    Other,
    /// It is the right one, but not as it should be.
    Wrong(String),
}

impl Inbox {
    pub(super) fn hear(&self, item: Item) {
        self.change(|heard| heard.entries.push(Entry::Item(Arc::new(item))));
    }

    pub(super) fn open(&self, opening: Result<Box<str>, Box<str>>) {
        self.change(|heard| heard.opening = Some(opening));
    }

    pub(super) fn answer(&self, id: u64, answer: Answer) {
        let waiting = self.change(|heard| {
            let (name, waiting) = heard.waiting.remove(&id)?;
            heard.entries.push(Entry::Answer(match &answer {
                Ok(contents) => format!("answer to `{name}` {contents}"),
                Err(error) => format!("error as the answer to `{name}` {}", serde_json::json!(error)),
            }));
            Some(waiting)
        });
        if let Some(waiting) = waiting {
            // Who asked may not wait any more.
            let _ = waiting.send(answer);
        }
    }

    /// Only the first end counts.
    pub(super) fn end(&self, ended: &Ended) {
        self.change(|heard| {
            if heard.ended.is_none() {
                heard.ended = Some(ended.clone());
                heard.entries.push(Entry::End(ended.clone()));
                heard.waiting.clear();
            }
        });
    }

    fn change<R>(&self, change: impl FnOnce(&mut Heard) -> R) -> R {
        let changed = change(&mut self.heard.lock());
        self.changed.notify_waiters();
        changed
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.heard.lock().ended.clone()
    }

    /// Under which id an event is to be answered that is about to be sent, and where the answer will come.
    pub(super) fn ask(&self, name: &str) -> (u64, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        let mut heard = self.heard.lock();
        let id = heard.next_id;
        heard.next_id += 1;
        if heard.ended.is_none() {
            heard.waiting.insert(id, (name.into(), sender));
        }
        (id, receiver)
    }

    /// Waits until there is something to `look` at, but no longer than `until`.
    async fn wait<R>(&self, until: Instant, mut look: impl FnMut(&mut Heard) -> Option<R>) -> Option<R> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.heard.lock()) {
                return Some(found);
            }
            if timeout_at(until, changed).await.is_err() {
                return look(&mut self.heard.lock());
            }
        }
    }

    /// Waits for the answer of the namespace that is asked to let the client in. `Err`: the connection ended, or nothing came.
    pub(super) async fn opened(&self, patience: Duration) -> Result<Result<Box<str>, Box<str>>, Option<Ended>> {
        let opened = self.wait(after(Instant::now(), patience), |heard| match (heard.opening.take(), &heard.ended) {
            (Some(opening), _) => Some(Ok(opening)),
            (None, Some(ended)) => Some(Err(Some(ended.clone()))),
            (None, None) => None,
        });
        opened.await.unwrap_or(Err(None))
    }

    /// Waits for the end of the connection, whatever comes before.
    pub(super) async fn over(&self) -> Ended {
        loop {
            if let Some(ended) = self.wait(after(Instant::now(), Duration::MAX), |heard| heard.ended.clone()).await {
                return ended;
            }
        }
    }

    /// Waits for the next message, and takes it if it is accepted. `skipping`: others are passed over, and taken too.
    pub(super) async fn take<T>(
        &self,
        patience: Duration,
        wanted: &str,
        skipping: bool,
        mut judge: impl FnMut(&Arc<Item>) -> Verdict<T>,
    ) -> Result<T, TestError> {
        let until = after(Instant::now(), patience);
        loop {
            let instead = match self.wait(until, Heard::first).await {
                Some(Entry::Item(item)) => match judge(&item) {
                    Verdict::Accepted(value) => {
                        self.heard.lock().next += 1;
                        return Ok(value);
                    }
                    Verdict::Other if skipping => {
                        self.heard.lock().next += 1;
                        continue;
                    }
                    Verdict::Other => Instead::Came(item.to_string()),
                    Verdict::Wrong(why) => Instead::Differs { message: item.to_string(), why },
                },
                Some(Entry::End(ended)) => Instead::End(ended),
                Some(Entry::Answer(_)) | None => Instead::Nothing(patience),
            };
            return Err(self.unmet(wanted, instead));
        }
    }

    /// Waits for the end of the connection, and takes it.
    pub(super) async fn take_end(&self, patience: Duration, wanted: &str) -> Result<Ended, TestError> {
        let instead = match self.wait(after(Instant::now(), patience), Heard::first).await {
            Some(Entry::End(ended)) => {
                self.heard.lock().next += 1;
                return Ok(ended);
            }
            Some(Entry::Item(item)) => Instead::Came(item.to_string()),
            Some(Entry::Answer(_)) | None => Instead::Nothing(patience),
        };
        Err(self.unmet(wanted, instead))
    }

    /// Whether there is anything that nobody has taken.
    pub(super) fn nothing(&self) -> Result<(), TestError> {
        let first = self.heard.lock().first();
        let instead = match first {
            None => return Ok(()),
            Some(Entry::Item(item)) => Instead::Came(item.to_string()),
            Some(Entry::Answer(text)) => Instead::Came(text),
            Some(Entry::End(ended)) => Instead::End(ended),
        };
        Err(self.unmet("nothing", instead))
    }

    pub(super) fn unmet(&self, wanted: &str, instead: Instead) -> TestError {
        let record = self.record("> ", "  ");
        Unmet::new(wanted.to_owned(), instead, record).into()
    }

    /// All that was heard, a line each, with a mark before what nobody has taken and another before what somebody has.
    pub(super) fn record(&self, open: &str, taken: &str) -> String {
        let heard = self.heard.lock();
        let mut record = String::new();
        for (at, entry) in heard.entries.iter().enumerate() {
            let is_open = at >= heard.next && !matches!(entry, Entry::Answer(_));
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

impl Heard {
    /// The first entry that nobody has taken. Answers have gone to those who asked.
    fn first(&mut self) -> Option<Entry> {
        while let Some(Entry::Answer(_)) = self.entries.get(self.next) {
            self.next += 1;
        }
        self.entries.get(self.next).cloned()
    }
}
