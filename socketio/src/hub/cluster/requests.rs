//! [`Requests`]: the requests of a hub that wait for answers of other servers.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::core::ClusterCore;
use crate::cluster::message::{ReceivedValue, SocketDetails};
use crate::hub::adapter::{RequestError, ServerId};

/// The most requests that wait at a time.
const MAX_PENDING: usize = 1_024;

/// An answer of another server.
#[derive(Debug)]
pub(super) enum Answer {
    Sockets(Vec<SocketDetails>),
    Rooms(Vec<String>),
    /// The number of sockets that the server asks.
    ClientCount(usize),
    /// The answer of one of these sockets.
    Ack {
        value: Option<ReceivedValue>,
        socket: Option<String>,
    },
    Server(Option<ReceivedValue>),
}

/// An answer with the server that sent it, if that is known.
pub(super) type From = (Option<ServerId>, Answer);

/// The requests that wait for answers, by their ids.
#[derive(Debug)]
pub(super) struct Requests {
    pending: Mutex<HashMap<Box<str>, UnboundedSender<From>>>,
    /// What the ids begin with. It makes them unique in the cluster.
    server: Box<str>,
    last: AtomicU64,
}

impl Requests {
    pub(super) fn new(server: &str) -> Self {
        Self { pending: Mutex::default(), server: server.into(), last: AtomicU64::new(0) }
    }

    /// Begins a request.
    pub(super) fn begin(core: &Arc<ClusterCore>) -> Result<Pending, RequestError> {
        let requests = core.requests();
        let (sender, answers) = unbounded_channel();
        let mut id = requests.server.to_string();
        let _ = write!(id, "-{:x}", requests.last.fetch_add(1, Ordering::Relaxed));
        let mut pending = requests.pending.lock();
        if pending.len() >= MAX_PENDING {
            return Err(RequestError::TooMany);
        }
        pending.insert(id.as_str().into(), sender);
        drop(pending);
        Ok(Pending { core: Arc::clone(core), id: id.into(), answers })
    }

    /// Passes an answer to the request with this id. Unknown ids are ignored: every server gets the
    /// answers on shared topics.
    pub(super) fn answer(&self, id: &str, from: Option<ServerId>, answer: Answer) {
        if let Some(sender) = self.pending.lock().get(id) {
            let _ = sender.send((from, answer));
        }
    }

    /// Whether a request with this id waits.
    pub(super) fn is_pending(&self, id: &str) -> bool {
        self.pending.lock().contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.pending.lock().len()
    }
}

/// A request that waits for answers. Dropping it ends the wait.
#[derive(Debug)]
pub(super) struct Pending {
    core: Arc<ClusterCore>,
    id: Box<str>,
    answers: UnboundedReceiver<From>,
}

impl Pending {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Option<From>> {
        self.answers.poll_recv(context)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.core.requests().pending.lock().remove(&self.id);
    }
}
