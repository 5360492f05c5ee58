//! The queue of a [`ConnectionHandle`]: any task queues frames. The connection's task writes them,
//! or while that sleeps, the task that queued them.

use parking_lot::MutexGuard;
use std::sync::atomic::Ordering;

use super::outbox::{Batch, Load, Outbox};
use super::stream::Writer;
use super::{Command, ConnectionHandle, OverflowPolicy, SocketHandle, State, Taking, flush_scope, wake};
use crate::session::end::End;
use crate::wire::frame::EncodedFrame;

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    Closed,
    /// `first`: the frames before it were taken.
    Overflow {
        first: bool,
    },
}

/// What is to be done for a frame that was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing: the task writes it, or this scope flushes already.
    Nothing,
    /// To be flushed when the scope ends.
    Later,
    /// To be flushed at once, or there will be no room for more.
    Flush,
    /// The task is to be woken.
    Wake,
}

impl<S: SocketHandle> ConnectionHandle<S> {
    /// Lets other tasks write to the client while its own sleeps.
    pub(crate) fn write_with(&self, writer: Option<Writer>) {
        self.state.lock().writer = writer;
    }

    /// Queues a frame, in a scope or outside of one. A volatile one is dropped without an error
    /// while the client takes nothing.
    pub(crate) fn queue(
        &self,
        frame: &EncodedFrame,
        volatile: bool,
        scope: Option<flush_scope::Number>,
    ) -> Result<Due, Rejected> {
        let mut state = self.state.lock();
        if state.taking > Taking::Everything {
            return Err(Rejected::Closed);
        }
        if volatile && state.blocked {
            return Ok(Due::Nothing);
        }
        let State { outbox, in_flight, .. } = &mut *state;
        if outbox.push(frame, self.bounds, *in_flight).is_ok() {
            // A blocked task is woken by the kernel, or by the client's next poll.
            let is_crowded = !state.blocked && state.outbox.is_half_full(self.bounds);
            if is_crowded {
                self.crowded.store(true, Ordering::Release);
            }
            return Ok(match scope {
                _ if state.blocked || !state.asleep => Due::Nothing,
                None => Due::Wake,
                Some(_) if is_crowded => Due::Flush,
                // Another scope may last longer than this one.
                Some(scope) if state.due.replace(scope) != Some(scope) => Due::Later,
                Some(_) => Due::Nothing,
            });
        }
        if volatile {
            return Ok(Due::Nothing);
        }
        Err(self.overflow(state))
    }

    /// Wakes the task, if it sleeps.
    pub(crate) fn wake(&self) {
        let mut state = self.state.lock();
        state.due = None;
        let waker = state.waker();
        drop(state);
        wake(waker);
    }

    /// Writes what waits, as far as the kernel takes it at once. The task is woken for the rest.
    pub(crate) fn flush(&self) {
        let mut state = self.state.lock();
        state.due = None;
        if !state.asleep || state.blocked || state.outbox.is_empty() {
            return;
        }
        let State { outbox, writer, .. } = &mut *state;
        if let Some(writer) = writer {
            let mut batch = Batch::default();
            batch.take(outbox);
            if let Ok(written) = batch.with_slices(|slices| writer.write(slices)) {
                batch.advance(written);
            }
            state.overflowing = false;
            self.crowded.store(false, Ordering::Release);
            if batch.is_empty() {
                return batch.give_back(&mut state.outbox);
            }
            state.in_flight = batch.load();
            state.commands.insert(0, Command::Write(Box::new(batch)));
            self.posted.store(true, Ordering::Release);
        }
        let waker = state.waker();
        drop(state);
        wake(waker);
    }

    fn overflow(&self, mut state: MutexGuard<'_, State<S>>) -> Rejected {
        let first = !std::mem::replace(&mut state.overflowing, true);
        if self.policy == OverflowPolicy::Disconnect {
            self.end_for_overflow(state);
        }
        Rejected::Overflow { first }
    }

    fn end_for_overflow(&self, mut state: MutexGuard<'_, State<S>>) {
        state.take_only(Taking::LastWords);
        self.ending.store(true, Ordering::Release);
        state.commands.push(Command::End(End::overflow()));
        self.posted.store(true, Ordering::Release);
        let waker = state.waker();
        drop(state);
        wake(waker);
    }

    /// Queues a frame in `held`, for a socket that is not accepted yet.
    pub(crate) fn hold(&self, held: &mut Outbox, frame: &EncodedFrame) -> Result<(), Rejected> {
        let state = self.state.lock();
        if state.taking > Taking::Everything {
            return Err(Rejected::Closed);
        }
        held.push(frame, self.bounds, Load::default()).map_err(|_| self.overflow(state))
    }

    /// Queues a packet about the socket itself, and the frames that were `held` until that: whether
    /// or not there is room, and even if the connection is about to close. A client that provokes
    /// such packets and takes none of them is disconnected.
    pub(crate) fn send_always(&self, frame: Option<&EncodedFrame>, held: Outbox) {
        let mut state = self.state.lock();
        if state.taking >= Taking::Commands {
            return;
        }
        let waits = state.outbox.load() + state.in_flight;
        if state.taking == Taking::Everything
            && (waits.messages / 2 > self.bounds.messages || waits.bytes / 2 > self.bounds.bytes)
        {
            return self.end_for_overflow(state);
        }
        if let Some(frame) = frame {
            state.outbox.append(frame);
        }
        state.outbox.append_all(held);
        let waker = if state.blocked { None } else { state.waker() };
        drop(state);
        wake(waker);
    }

    /// For the task: moves the frames that wait into an empty batch.
    pub(crate) fn take_frames(&self, batch: &mut Batch) {
        let mut state = self.state.lock();
        if !state.outbox.is_empty() {
            batch.take(&mut state.outbox);
            state.overflowing = false;
        }
        state.in_flight = batch.load();
        state.blocked = false;
        self.crowded.store(false, Ordering::Release);
    }

    /// For the task, when the client has upgraded: the new transport takes frames.
    pub(crate) fn unblock(&self) {
        self.state.lock().blocked = false;
    }

    /// For the task, when the kernel takes no more: what is left.
    pub(crate) fn left_over(&self, in_flight: Load) {
        let mut state = self.state.lock();
        state.in_flight = in_flight;
        state.blocked = true;
        self.crowded.store(false, Ordering::Release);
    }

    /// Frees memory that an idle connection does not need.
    pub(crate) fn shrink(&self) {
        self.state.lock().outbox.shrink();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection_handle::stream::Stream;
    use crate::session::limits::Bounds;
    use crate::wire::frame::{FrameWriter, Opcode};
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    /// No socket: no command is about one here.
    #[derive(Debug)]
    struct Nobody;

    impl SocketHandle for Nobody {
        type Event = ();
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn frame(length: usize) -> EncodedFrame {
        let mut writer = FrameWriter::new();
        writer.payload().extend(std::iter::repeat_n(b'x', length));
        writer.finish(Opcode::Binary)
    }

    /// A handle whose task sleeps, the stream that it writes to, and the client's side of that.
    async fn sleeping(woken: &Arc<Woken>) -> (ConnectionHandle<Nobody>, Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("it is bound")).await.expect("a connection");
        let mut stream = Stream::tcp(listener.accept().await.expect("a client").0);
        let bounds = Bounds { messages: usize::MAX, bytes: usize::MAX };
        let handle = ConnectionHandle::new(bounds, OverflowPolicy::Disconnect);
        handle.write_with(stream.take_writer());
        assert!(handle.sleep(&Arc::clone(woken).into(), Load::default(), true));
        (handle, stream, client)
    }

    #[tokio::test]
    async fn what_the_kernel_takes_at_once_goes_out_while_the_task_sleeps() {
        let woken = Arc::default();
        let (handle, _stream, mut client) = sleeping(&woken).await;
        let scopes = [1, 2].map(flush_scope::Number::new);
        assert_eq!(handle.queue(&frame(3), false, scopes[0]), Ok(Due::Later));
        assert_eq!(handle.queue(&frame(5), false, scopes[0]), Ok(Due::Nothing), "it will be flushed already");
        assert_eq!(handle.queue(&frame(0), false, scopes[1]), Ok(Due::Later), "nobody waits for another scope's end");
        handle.flush();
        let mut received = [0; 14];
        client.read_exact(&mut received).await.expect("what was queued");
        assert_eq!(received[..], *b"\x82\x03xxx\x82\x05xxxxx\x82\x00");
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert!(handle.take_commands().is_empty());
    }

    #[tokio::test]
    async fn what_it_does_not_take_is_the_task_s_to_go_on_with() {
        let woken = Arc::default();
        let (handle, mut stream, mut client) = sleeping(&woken).await;
        let (length, count) = (1_000_000, 20);
        for _ in 0..count {
            handle.queue(&frame(length), false, None).expect("there is room");
        }
        handle.flush();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let mut commands = handle.take_commands();
        assert_eq!(commands.len(), 1);
        let Some(Command::Write(mut batch)) = commands.pop() else { panic!("not what is left") };
        // The kernel has taken a part, and only the batch knows where it ends.
        assert!(batch.load().bytes < count * length);
        let reader = tokio::spawn(async move {
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.expect("what was queued");
            received
        });
        while !batch.is_empty() {
            let written =
                std::future::poll_fn(|context| batch.with_slices(|slices| stream.poll_write(context, slices)));
            let written = written.await.expect("the client reads");
            batch.advance(written);
        }
        handle.abandon();
        drop(stream);
        let received = reader.await.expect("it ends");
        let mut expected = Vec::new();
        frame(length).append_to(&mut expected);
        assert!(received == expected.repeat(count));
    }

    #[tokio::test]
    async fn an_outbox_that_fills_up_does_not_wait_for_the_end_of_a_turn() {
        let (woken, scope) = (Arc::default(), flush_scope::Number::new(1));
        let (mut handle, _stream, _client) = sleeping(&woken).await;
        handle.bounds.messages = 4;
        let due: Vec<_> = (0..3).map(|_| handle.queue(&frame(1), false, scope)).collect();
        assert_eq!(due, [Ok(Due::Later), Ok(Due::Nothing), Ok(Due::Flush)]);
        handle.flush();
        assert_eq!(handle.queue(&frame(1), false, scope), Ok(Due::Later), "there is room again");
        assert_eq!(handle.queue(&frame(1), false, None), Ok(Due::Wake), "who has no scope does not wait for its end");
    }

    #[tokio::test]
    async fn a_task_that_runs_is_left_to_write() {
        let woken = Arc::default();
        let (handle, _stream, _client) = sleeping(&woken).await;
        handle.queue(&frame(3), false, None).expect("there is room");
        assert!(handle.take_commands().is_empty());
        handle.flush();
        let mut batch = Batch::default();
        handle.take_frames(&mut batch);
        assert_eq!(batch.load().messages, 1);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    }
}
