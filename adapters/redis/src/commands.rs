//! [`Commands`]: the connection on which messages are published and subscribers counted.

use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::incoming::Reader;
use crate::node::is_moved;
use crate::resp::{self, Reply, Unparsed};
use crate::stream::{COMMAND_TIMEOUT, Stream, text};

/// How many bytes may take one more second.
const BYTES_PER_SECOND: usize = 8 << 20;
/// How long the replies to commands that were sent together may take.
const LONGEST: Duration = Duration::from_secs(5);
/// What is kept of the memory for commands.
const KEPT: usize = 1 << 20;

/// A connection for commands. It has a task that reads the replies, which ends with it.
pub(crate) struct Commands {
    writer: tokio::sync::Mutex<Writer>,
    expected: Arc<Mutex<VecDeque<Expected>>>,
    /// How often commands were sent.
    ids: AtomicU64,
    /// Cancelled when the connection can't be used any longer.
    closed: CancellationToken,
}

struct Writer {
    stream: WriteHalf<Stream>,
    bytes: Vec<u8>,
}

/// The replies to commands that were sent together.
struct Expected {
    id: u64,
    replies: usize,
    /// Whether the replies are wanted themselves.
    keeps: bool,
    outcome: Outcome,
    done: oneshot::Sender<Outcome>,
}

/// What was replied to commands that were sent together.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The number of commands that succeeded.
    pub(crate) succeeded: usize,
    /// The first error.
    pub(crate) error: Option<String>,
    /// The indexes of the commands that belong to another node of the cluster.
    pub(crate) moved: Vec<usize>,
    /// The number of replies.
    replied: usize,
    /// The last reply, if it is a number or an array that ends in one.
    pub(crate) number: Option<i64>,
    /// The replies themselves, if they are wanted.
    replies: Vec<Bytes>,
}

impl Outcome {
    fn add(&mut self, reply: Result<Option<i64>, String>) {
        match reply {
            Ok(number) => {
                self.succeeded += 1;
                self.number = number;
            }
            Err(error) => {
                if is_moved(&error) {
                    self.moved.push(self.replied);
                }
                self.error.get_or_insert(error);
            }
        }
        self.replied += 1;
    }
}

impl Commands {
    pub(crate) fn new(stream: Stream) -> Self {
        let (reader, writer) = stream.split();
        let expected = Arc::default();
        let closed = CancellationToken::new();
        tokio::spawn(closed.clone().run_until_cancelled_owned(read(
            Reader::new(reader),
            Arc::clone(&expected),
            closed.clone(),
        )));
        let writer = Writer { stream: writer, bytes: Vec::new() };
        Self { writer: tokio::sync::Mutex::new(writer), expected, ids: AtomicU64::new(0), closed }
    }

    /// Cancelled when the connection can't be used any longer.
    pub(crate) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Sends commands with one write and waits for the replies. If there is no reply in time, or
    /// the future is dropped while it writes, the connection is closed. If it is dropped later,
    /// the replies are ignored.
    pub(crate) async fn send(&self, commands: usize, write: impl FnOnce(&mut Vec<u8>)) -> Outcome {
        self.exchange(commands, false, write).await
    }

    /// Sends commands as [`send`](Self::send) does, and returns the replies. Each can be parsed.
    ///
    /// # Errors
    ///
    /// The connection failed. Replies that are errors are returned as replies.
    pub(crate) async fn ask(&self, commands: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<Bytes>, String> {
        let outcome = self.exchange(commands, true, write).await;
        if outcome.replies.len() == commands {
            Ok(outcome.replies)
        } else {
            Err(outcome.error.unwrap_or_else(|| "no reply".into()))
        }
    }

    async fn exchange(&self, commands: usize, keeps: bool, write: impl FnOnce(&mut Vec<u8>)) -> Outcome {
        let (done, mut replied) = oneshot::channel();
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let sent = async {
            let mut writer = self.writer.lock().await;
            let Writer { stream, bytes } = &mut *writer;
            bytes.clear();
            bytes.shrink_to(KEPT);
            write(bytes);
            let unfinished = self.closed.clone().drop_guard();
            let outcome = Outcome::default();
            self.expected.lock().push_back(Expected { id, replies: commands, keeps, outcome, done });
            let deadline = COMMAND_TIMEOUT + Duration::from_secs((bytes.len() / BYTES_PER_SECOND) as u64);
            let written = async {
                stream.write_all(bytes).await?;
                stream.flush().await
            };
            timeout(deadline, written).await.map_err(|_| "writing timed out".to_owned())?.map_err(text)?;
            unfinished.disarm();
            Ok::<_, String>(())
        };
        let outcome = async {
            sent.await?;
            // A server that has many subscribers needs time for many messages, but it goes on.
            let latest = Instant::now() + LONGEST;
            let mut left = self.left(id);
            loop {
                if let Ok(reply) = timeout(COMMAND_TIMEOUT, &mut replied).await {
                    return reply.map_err(|_| "the connection was lost".to_owned());
                }
                let still_left = self.left(id);
                if still_left == left || Instant::now() > latest {
                    return Err("no reply in time".to_owned());
                }
                left = still_left;
            }
        };
        match self.closed.run_until_cancelled(outcome).await {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) => {
                self.closed.cancel();
                self.partly(id, replied, error)
            }
            None => self.partly(id, replied, "the connection was lost".into()),
        }
    }

    /// How many commands are not replied, up to the last of those that were sent together.
    fn left(&self, id: u64) -> usize {
        let expected = self.expected.lock();
        let Some(mine) = expected.iter().position(|expected| expected.id == id) else { return 0 };
        expected.iter().take(mine + 1).map(|expected| expected.replies).sum()
    }

    /// What was replied before the connection failed.
    fn partly(&self, id: u64, mut replied: oneshot::Receiver<Outcome>, error: String) -> Outcome {
        if let Ok(outcome) = replied.try_recv() {
            return outcome;
        }
        let mut expected = self.expected.lock();
        let mine = expected.iter_mut().find(|expected| expected.id == id);
        let mut outcome = mine.map(|expected| std::mem::take(&mut expected.outcome)).unwrap_or_default();
        outcome.error = Some(error);
        outcome
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// Reads the replies until the connection ends.
async fn read(mut reader: Reader, expected: Arc<Mutex<VecDeque<Expected>>>, closed: CancellationToken) {
    let _closed = closed.drop_guard();
    loop {
        match reader.next(parse) {
            Ok(Some((reply, bytes))) => {
                let mut expected = expected.lock();
                let Some(first) = expected.front_mut() else { continue };
                first.outcome.add(reply);
                if first.keeps {
                    first.outcome.replies.push(bytes);
                }
                first.replies -= 1;
                if first.replies == 0
                    && let Some(first) = expected.pop_front()
                {
                    _ = first.done.send(first.outcome);
                }
            }
            Ok(None) => {
                if let Err(error) = reader.read().await {
                    tracing::debug!(%error, "the connection for commands ended");
                    return;
                }
            }
            Err(malformed) => {
                tracing::debug!(%malformed, "the connection for commands ended");
                return;
            }
        }
    }
}

/// The number in a reply, or its error.
fn parse(bytes: &[u8]) -> Result<(Result<Option<i64>, String>, usize), Unparsed> {
    let (reply, length) = resp::reply(bytes)?;
    let number = |reply: Reply<'_>| reply.array().map_or(reply.integer(), |items| items.last()?.integer());
    Ok((reply.ok().map(number), length))
}
