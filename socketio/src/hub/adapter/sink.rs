//! [`AnswerSink`]: collects the answers to a question that several sockets were asked.

use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::PacketError;
use crate::hub::selection::EmitError;
use crate::hub::socket::Socket;
use crate::hub::socket::ack_future::{AckError, Registration, Waiter};
use crate::hub::socket::ack_stream::Answerer;
use crate::session::received::ReceivedAnswer;
use crate::wire::packet::Packet;
use crate::wire::payload::{InvalidArgs, check_args};
use crate::wire::socketio::placeholder;

/// Collects the answers to a question, which the asker reads from its
/// [`AckStream`](crate::AckStream). The question is finished when all clones of the sink are
/// dropped or its timeout has passed. An [`Adapter`](super::Adapter) receives a sink in
/// [`ask`](super::Adapter::ask).
///
/// The answers of this server's sockets arrive in the sink automatically after the local adapter
/// [asked](super::Adapter::ask) them. An adapter adds the answers from other servers:
///
/// ```
/// use socketio::adapter::{AckStream, Answerer};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sink, mut answers) = AckStream::<u8>::channel(Duration::from_secs(5));
/// sink.expect(2); // another server asks two sockets
/// sink.answer(Answerer::Elsewhere, "7", &[])?;
/// drop(sink);
/// assert_eq!(answers.next().await, Some((Answerer::Elsewhere, 7)));
/// assert_eq!(answers.next().await, None);
/// assert_eq!(answers.missing().remote, 1);
/// # Ok(())
/// # }
/// ```
pub struct AnswerSink(Arc<Collector>);

impl AnswerSink {
    /// Adds the answer of a socket of another server. `args` is the JSON text of its arguments,
    /// comma-separated, with a placeholder for each attachment. An answer without arguments is the
    /// empty text.
    ///
    /// # Errors
    ///
    /// The text is not JSON or is nested too deeply, or a placeholder has no attachment.
    pub fn answer(&self, from: Answerer, args: &str, attachments: &[Bytes]) -> Result<(), PacketError> {
        self.0.settle_remote(from, Ok(received_answer(args, attachments)?));
        Ok(())
    }

    /// Records that a socket of another server was asked but gives no answer, for this reason.
    pub fn fail(&self, from: Answerer, error: AckError) {
        self.0.settle_remote(from, Err(error));
    }

    /// Adds the number of sockets that another server asks. The numbers of several servers add up.
    pub fn expect(&self, sockets: usize) {
        let mut state = self.0.state.lock();
        state.expected = state.expected.saturating_add(sockets);
    }

    /// Adds the number of other servers that were asked but did not report how many sockets they
    /// ask. Several calls add up.
    pub fn silent(&self, servers: usize) {
        let mut state = self.0.state.lock();
        state.silent_servers = state.silent_servers.saturating_add(servers);
    }

    /// Sets the number of other servers that were asked and have not reported yet how many sockets
    /// they ask.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_uncounted(&self, servers: usize) {
        self.0.state.lock().uncounted_servers = servers;
    }

    /// How long the asker waits for answers, counted from the question. The asker can
    /// [change](crate::AckStream::timeout) it at any time.
    pub fn timeout(&self) -> Duration {
        self.0.state.lock().timeout
    }

    /// Returns `true` if the asker has stopped waiting. Further answers are ignored.
    pub fn is_closed(&self) -> bool {
        self.0.state.lock().is_closed
    }

    /// Asks sockets of this server.
    pub(crate) fn ask(&self, question: Packet, sockets: &[Socket]) {
        let Some(first) = sockets.first() else { return };
        let id = first.hub().ack_ids().next();
        let question = question.asking(id);
        self.0.state.lock().asked.reserve(sockets.len());
        for socket in sockets {
            self.ask_one(&question, id, socket);
        }
    }

    fn ask_one(&self, question: &Packet, id: u64, socket: &Socket) {
        let Some(at) = self.0.reserve() else {
            // The asker stopped waiting, but the other sockets already have the question.
            let _ = socket.deliver(question);
            return;
        };
        match socket.register_answer(id, Waiter::Several(PendingAnswer { sink: self.clone(), at })) {
            Ok(registration) => self.0.registered(at, registration),
            Err(error) => return self.0.settle(at, socket, Err(error)),
        }
        match socket.deliver(question) {
            Ok(()) => {}
            Err(EmitError::Closed) => self.0.settle(at, socket, Err(AckError::Closed)),
            Err(error) => self.0.settle(at, socket, Err(error.into())),
        }
    }
}

/// Makes an answer of another server's text.
pub(super) fn received_answer(args: &str, attachments: &[Bytes]) -> Result<ReceivedAnswer, PacketError> {
    check_args(args)?;
    Ok(match attachments.is_empty() {
        true => ReceivedAnswer::Many(args.to_owned(), None),
        false => ReceivedAnswer::Many(canonical(args, attachments)?, Some(attachments.into())),
    })
}

/// The text with its placeholders in the form in which they are decoded.
fn canonical(args: &str, attachments: &[Bytes]) -> Result<String, InvalidArgs> {
    let mut text = Vec::with_capacity(args.len());
    placeholder::rewrite_args(args, &mut text, attachments, usize::MAX).ok_or(InvalidArgs::Placeholder)?;
    String::from_utf8(text).map_err(|_| InvalidArgs::Json)
}

impl Clone for AnswerSink {
    fn clone(&self) -> Self {
        self.0.sinks.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for AnswerSink {
    fn drop(&mut self) {
        if self.0.sinks.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.wake();
        }
    }
}

impl fmt::Debug for AnswerSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnswerSink").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// The pending answer of one socket of this server.
#[derive(Debug)]
pub(crate) struct PendingAnswer {
    sink: AnswerSink,
    at: usize,
}

impl PendingAnswer {
    /// Reports the answer of the socket's client, or why there will be none.
    pub(crate) fn settle(self, socket: &Socket, answer: Result<ReceivedAnswer, AckError>) {
        self.sink.0.settle(self.at, socket, answer);
    }
}

/// The state of a question to one socket of this server.
enum Asked {
    /// The question is being sent.
    Asking,
    Waiting(Registration),
    /// The answer, or the reason for its absence, was recorded.
    Settled,
}

/// An answer, or the reason why there is none, with its sender.
pub(crate) type Arrival = (Answerer, Result<ReceivedAnswer, AckError>);

/// The state that the asker and all sinks of a question share.
pub(crate) struct Collector {
    /// The number of sinks.
    sinks: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    arrived: VecDeque<Arrival>,
    /// The sockets of this server, in the order in which they were asked.
    asked: Vec<Asked>,
    /// The number of sockets that other servers ask.
    expected: usize,
    /// The number of these sockets that have answered or failed.
    remote_settled: usize,
    silent_servers: usize,
    /// The number of other servers that may still report how many sockets they ask.
    uncounted_servers: usize,
    timeout: Duration,
    waker: Option<Waker>,
    is_closed: bool,
}

/// The sockets and servers that had not answered when the asker stopped waiting.
pub(crate) struct Unanswered {
    /// The answers that arrived in the moment in which the asker stopped waiting.
    pub(crate) late: VecDeque<Arrival>,
    /// The sockets of this server that have not answered.
    pub(crate) asked: Vec<Registration>,
    pub(crate) remote: usize,
    pub(crate) silent_servers: usize,
}

impl Collector {
    /// Creates a collector with its first sink.
    pub(crate) fn new(timeout: Duration) -> (Arc<Self>, AnswerSink) {
        let state = Mutex::new(State { timeout, ..State::default() });
        let collector = Arc::new(Self { sinks: AtomicUsize::new(1), state });
        (Arc::clone(&collector), AnswerSink(collector))
    }

    pub(crate) fn set_timeout(&self, timeout: Duration) {
        self.state.lock().timeout = timeout;
    }

    /// Returns the next arrival, or `None` if there will be no more.
    ///
    /// A waker is foreign code. It is cloned and dropped without the lock.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Arrival>> {
        let mut cloned = None;
        loop {
            let mut state = self.state.lock();
            if let Some(arrival) = state.arrived.pop_front() {
                return Poll::Ready(Some(arrival));
            }
            if state.is_closed || self.sinks.load(Ordering::Acquire) == 0 {
                return Poll::Ready(None);
            }
            if state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                return Poll::Pending;
            }
            if cloned.is_some() {
                let replaced = std::mem::replace(&mut state.waker, cloned);
                drop(state);
                drop(replaced);
                return Poll::Pending;
            }
            drop(state);
            cloned = Some(context.waker().clone());
        }
    }

    /// Ends the wait of the asker. Later answers are ignored.
    pub(crate) fn close(&self) -> Unanswered {
        let mut state = self.state.lock();
        state.is_closed = true;
        let (late, waker) = (std::mem::take(&mut state.arrived), state.waker.take());
        let asked = std::mem::take(&mut state.asked);
        let remote = state.expected.saturating_sub(state.remote_settled);
        let silent_servers = state.silent_servers.saturating_add(state.uncounted_servers);
        drop(state);
        drop(waker);
        let waiting = |asked| match asked {
            Asked::Waiting(registration) => Some(registration),
            Asked::Asking | Asked::Settled => None,
        };
        Unanswered { late, asked: asked.into_iter().filter_map(waiting).collect(), remote, silent_servers }
    }

    /// Reserves a place for a socket of this server. Returns `None` if the asker has stopped
    /// waiting.
    fn reserve(&self) -> Option<usize> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        state.asked.push(Asked::Asking);
        Some(state.asked.len() - 1)
    }

    /// Stores the registration of a socket. If the answer was settled in the meantime, the
    /// registration is dropped.
    fn registered(&self, at: usize, registration: Registration) {
        let mut state = self.state.lock();
        match state.asked.get_mut(at) {
            Some(asked @ Asked::Asking) => *asked = Asked::Waiting(registration),
            _ => {
                drop(state);
                drop(registration);
            }
        }
    }

    /// Records the answer of a socket of this server, or why there is none. Only the first call has
    /// an effect.
    fn settle(&self, at: usize, socket: &Socket, answer: Result<ReceivedAnswer, AckError>) {
        let arrival = (Answerer::Id(socket.id()), answer);
        let mut state = self.state.lock();
        let asked = state.asked.get_mut(at).map_or(Asked::Settled, |asked| std::mem::replace(asked, Asked::Settled));
        if let Asked::Settled = asked {
            return;
        }
        state.arrived.push_back(arrival);
        let waker = state.waker.take();
        drop(state);
        drop(asked);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Records the answer of a socket of another server, or why there is none.
    fn settle_remote(&self, from: Answerer, answer: Result<ReceivedAnswer, AckError>) {
        let mut state = self.state.lock();
        if state.is_closed {
            return;
        }
        state.remote_settled = state.remote_settled.saturating_add(1);
        state.arrived.push_back((from, answer));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wake(&self) {
        let waker = self.state.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    /// A waker that looks at the sink when it is woken and when it is dropped.
    struct Nosy(Arc<Mutex<Option<AnswerSink>>>);

    impl Nosy {
        fn look(&self) {
            if let Some(sink) = &*self.0.lock() {
                let _ = (sink.timeout(), sink.is_closed());
            }
        }
    }

    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {
            self.look();
        }
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            self.look();
        }
    }

    #[test]
    fn wakers_may_use_the_sink() {
        let (collector, sink) = Collector::new(Duration::ZERO);
        let kept = Arc::new(Mutex::new(Some(sink.clone())));
        for _ in 0..3 {
            // The collector has the last waker alone. It drops that when it is polled with another.
            let waker = Waker::from(Arc::new(Nosy(Arc::clone(&kept))));
            assert!(collector.poll_next(&Context::from_waker(&waker)).is_pending());
        }
        sink.answer(Answerer::Elsewhere, "7", &[]).expect("a JSON text");
        assert!(collector.poll_next(&Context::from_waker(Waker::noop())).is_ready());
        kept.lock().take();
    }
}
