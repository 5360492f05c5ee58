//! The frame queue of a [`ConnectionHandle`].
//!
//! Any task can queue frames. The connection's task writes them. While that task sleeps, the task
//! that queued the frames writes them itself, with [`ConnectionHandle::flush`].

use std::sync::atomic::Ordering;

use super::outbox::{Batch, Load, Outbox};
use super::sharded::Count;
use super::stream::Writer;
use super::{Command, ConnectionHandle, ENDING, OverflowPolicy, Phase, SocketHandle, State, Wakeup, flush_scope};
use crate::session::end::End;
use crate::wire::frame::EncodedFrame;
use crate::wire::policy::Policy;

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// The connection is closing or closed.
    Closed,
    /// The outbox is full, or too many events of the server wait.
    Overflow {
        /// Whether this is the first rejection since the queue was last empty.
        first: bool,
    },
}

/// A frame was queued, or dropped because it is volatile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) then: AfterQueue,
    /// Whether it took the place of an earlier one.
    pub(crate) has_replaced: bool,
}

/// What the caller must do after it has queued a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterQueue {
    /// Nothing: the connection's task will write the frame, or the scope will flush it anyway.
    Nothing,
    /// Flush the queue when the scope ends.
    FlushAtScopeEnd,
    /// Flush the queue now, because it is more than half full.
    FlushNow,
    /// Wake the connection's task.
    Wake,
}

impl<S: SocketHandle> ConnectionHandle<S> {
    /// Sets the writer that other tasks use while the connection's task sleeps.
    pub(crate) fn set_writer(&self, writer: Option<Writer>) {
        self.state.lock().writer = writer;
    }

    /// Queues a frame, in a [flush scope](flush_scope) or without one. A volatile frame is dropped
    /// without an error if the connection is blocked or the outbox is full.
    ///
    /// Of frames with the same [`LatestId`](crate::wire::policy::LatestId), only the latest waits
    /// while the connection is blocked, or what waits and what is being written exceed half of the
    /// bounds. Otherwise they are about to be written, and the client gets all of them.
    pub(crate) fn queue(
        &self,
        frame: &EncodedFrame,
        policy: Policy,
        scope: Option<flush_scope::Number>,
    ) -> Result<Queued, Rejected> {
        let done = |then, has_replaced| Ok(Queued { then, has_replaced });
        let mut state = self.state.lock();
        if state.phase > Phase::Open {
            return Err(Rejected::Closed);
        }
        if policy == Policy::Volatile && state.blocked {
            self.counters().add(Count::DroppedVolatile, 1);
            return done(AfterQueue::Nothing, false);
        }
        let bounds = self.shared.bounds;
        let State { outbox, in_flight, blocked, .. } = &mut *state;
        let pushed = match policy {
            Policy::Latest(id) if *blocked || (outbox.load() + *in_flight).exceeds_half(bounds) => {
                outbox.push_latest(frame, id, bounds, *in_flight)
            }
            _ => outbox.push(frame, bounds, *in_flight).map(|()| false),
        };
        if let Ok(has_replaced) = pushed {
            // A blocked task needs no wake-up: the kernel or the client's next poll wakes it.
            let is_crowded = !state.blocked && state.outbox.load().exceeds_half(bounds);
            if is_crowded {
                self.crowded.store(true, Ordering::Release);
            }
            let then = match scope {
                _ if state.blocked || !state.asleep => AfterQueue::Nothing,
                None => AfterQueue::Wake,
                Some(_) if is_crowded => AfterQueue::FlushNow,
                // If another scope has scheduled a flush, that scope may end later than this one.
                Some(scope) if state.flushed_by.replace(scope) != Some(scope) => AfterQueue::FlushAtScopeEnd,
                Some(_) => AfterQueue::Nothing,
            };
            return done(then, has_replaced);
        }
        if policy == Policy::Volatile {
            self.counters().add(Count::DroppedVolatile, 1);
            return done(AfterQueue::Nothing, false);
        }
        let (rejected, wakeup) = self.overflow(&mut state);
        drop(state);
        wakeup.wake();
        Err(rejected)
    }

    /// Whether frames wait for the client, because it has not taken them yet.
    pub(crate) fn has_unsent(&self) -> bool {
        let state = self.state.lock();
        !state.outbox.is_empty() || state.in_flight != Load::default()
    }

    /// Queues a frame unless the outbox is full. Returns whether the connection's task must be
    /// woken.
    pub(crate) fn queue_repeated(&self, frame: &EncodedFrame) -> bool {
        let mut state = self.state.lock();
        let State { outbox, in_flight, phase, .. } = &mut *state;
        *phase == Phase::Open && outbox.push(frame, self.shared.bounds, *in_flight).is_ok() && !state.blocked
    }

    /// Wakes the connection's task if it sleeps.
    pub(crate) fn wake(&self) {
        let mut state = self.state.lock();
        state.flushed_by = None;
        let wakeup = state.wakeup();
        drop(state);
        wakeup.wake();
    }

    /// Writes the queued frames while the connection's task sleeps. If the kernel does not accept
    /// all bytes now, the task is woken to write the rest.
    pub(crate) fn flush(&self) {
        // Dropped after the lock: they may have bytes of the application.
        let written_frames;
        let mut state = self.state.lock();
        state.flushed_by = None;
        if !state.asleep || state.blocked || state.outbox.is_empty() {
            return;
        }
        let State { outbox, writer, .. } = &mut *state;
        if let Some(writer) = writer {
            let mut batch = Batch::default();
            batch.take(outbox);
            let messages = batch.load().messages;
            let written = batch.with_slices(|slices| writer.write(slices)).unwrap_or(0);
            written_frames = batch.advance(written);
            self.counters().add_sent(messages as u64, written as u64);
            state.overflowing = false;
            self.crowded.store(false, Ordering::Release);
            if batch.is_empty() {
                batch.return_buffer(&mut state.outbox);
                drop(state);
                return drop(written_frames);
            }
            state.in_flight = batch.load();
            state.commands.insert(0, Command::Write(Box::new(batch)));
            self.has_commands.store(true, Ordering::Release);
        }
        let wakeup = state.wakeup();
        drop(state);
        wakeup.wake();
    }

    fn overflow(&self, state: &mut State<S>) -> (Rejected, Wakeup) {
        self.counters().add(Count::Dropped, 1);
        let first = !std::mem::replace(&mut state.overflowing, true);
        let wakeup = match self.shared.policy {
            OverflowPolicy::Disconnect => self.disconnect_for_overflow(state),
            OverflowPolicy::DropNewest => Wakeup(None),
        };
        (Rejected::Overflow { first }, wakeup)
    }

    fn disconnect_for_overflow(&self, state: &mut State<S>) -> Wakeup {
        // Frames are only dropped in later phases.
        let _none = state.advance_to(Phase::Closing);
        self.ending.store(ENDING, Ordering::Release);
        state.commands.push(Command::End(End::overflow()));
        self.has_commands.store(true, Ordering::Release);
        state.wakeup()
    }

    /// Queues a frame in `held`, the outbox of a socket that is not accepted yet. The caller holds
    /// that socket's lock, and wakes the connection's task later. Returns whether the frame took
    /// the place of an earlier one.
    pub(crate) fn queue_held(
        &self,
        held: &mut Outbox,
        frame: &EncodedFrame,
        policy: Policy,
    ) -> Result<bool, (Rejected, Wakeup)> {
        let mut state = self.state.lock();
        if state.phase > Phase::Open {
            return Err((Rejected::Closed, Wakeup(None)));
        }
        let bounds = self.shared.bounds;
        let pushed = match policy {
            Policy::Latest(id) => held.push_latest(frame, id, bounds, Load::default()),
            Policy::Wait | Policy::Volatile => held.push(frame, bounds, Load::default()).map(|()| false),
        };
        pushed.map_err(|_| self.overflow(&mut state))
    }

    /// Queues a protocol packet, such as CONNECT, then the frames that a `resumed` session has
    /// missed, and then those that were `held` for it. What was missed does not count for the
    /// bounds of the outbox, because it has the same bounds by itself.
    ///
    /// They are queued even if the outbox is full or the connection is closing. The client is
    /// disconnected if it causes many such packets and reads none of them. The caller wakes the
    /// connection's task once it holds no lock.
    pub(crate) fn queue_protocol_packet(
        &self,
        frame: Option<&EncodedFrame>,
        resumed: Option<&mut Outbox>,
        held: &mut Outbox,
    ) -> Wakeup {
        let mut state = self.state.lock();
        if state.phase >= Phase::Discarding {
            return Wakeup(None);
        }
        let load = state.outbox.load() + state.in_flight;
        if state.phase == Phase::Open
            && (load.messages / 2 > self.shared.bounds.messages || load.bytes / 2 > self.shared.bounds.bytes as u64)
        {
            return self.disconnect_for_overflow(&mut state);
        }
        if let Some(frame) = frame {
            state.outbox.append(frame);
        }
        if let Some(resumed) = resumed {
            // No bound counts them, so the batch does not either.
            self.counters().add(Count::SentMessages, resumed.load().messages as u64);
            state.outbox.append_uncounted(std::mem::take(resumed));
        }
        state.outbox.append_all(std::mem::take(held));
        if state.blocked { Wakeup(None) } else { state.wakeup() }
    }

    /// Moves the queued frames into an empty batch, and returns how many messages they are. Only
    /// the connection's task calls this.
    pub(crate) fn take_frames(&self, batch: &mut Batch) -> usize {
        let mut state = self.state.lock();
        let messages = state.outbox.load().messages;
        if messages > 0 {
            batch.take(&mut state.outbox);
            state.overflowing = false;
        }
        state.in_flight = batch.load();
        state.blocked = false;
        self.crowded.store(false, Ordering::Release);
        messages
    }

    /// Marks the connection as writable, after a poll or an upgrade to a new transport. Only the
    /// connection's task calls this.
    pub(crate) fn unblock(&self) {
        self.state.lock().blocked = false;
    }

    /// Marks the connection as blocked: the transport can take no more frames now. `in_flight` is
    /// the load that the task has yet to write. Only the connection's task calls this.
    pub(crate) fn mark_blocked(&self, in_flight: Load) {
        let mut state = self.state.lock();
        state.in_flight = in_flight;
        state.blocked = true;
        self.crowded.store(false, Ordering::Release);
    }

    /// Frees the outbox's buffers if it is empty. Idle connections call this.
    pub(crate) fn shrink(&self) {
        self.state.lock().outbox.shrink();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection_handle::shared::Shared;
    use crate::connection_handle::stream::Stream;
    use crate::session::disconnect::{Disconnect, DisconnectReason};
    use crate::session::limits::Bounds;
    use crate::wire::frame::{FrameWriter, Opcode};
    use crate::wire::policy::LatestKey;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    /// A socket type for tests without sockets.
    #[derive(Debug, PartialEq)]
    struct NoSocket;

    impl SocketHandle for NoSocket {
        type Event = ();
    }

    #[derive(Default)]
    struct WakeCount(AtomicUsize);

    impl Wake for WakeCount {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn shared(bounds: Bounds) -> Arc<Shared> {
        Arc::new(Shared::new(bounds, OverflowPolicy::Disconnect))
    }

    fn frame(length: usize) -> EncodedFrame {
        let mut writer = FrameWriter::new();
        writer.payload().extend(std::iter::repeat_n(b'x', length));
        writer.finish(Opcode::Binary)
    }

    fn queue(
        handle: &ConnectionHandle<NoSocket>,
        length: usize,
        scope: Option<flush_scope::Number>,
    ) -> Result<AfterQueue, Rejected> {
        handle.queue(&frame(length), Policy::Wait, scope).map(|queued| queued.then)
    }

    /// Returns a handle whose task sleeps, its stream, and the client's end of the stream.
    async fn sleeping(woken: &Arc<WakeCount>) -> (ConnectionHandle<NoSocket>, Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("it is bound")).await.expect("a connection");
        let mut stream = Stream::tcp(listener.accept().await.expect("a client").0);
        let bounds = Bounds { messages: usize::MAX, bytes: usize::MAX };
        let handle = ConnectionHandle::new(&shared(bounds));
        handle.set_writer(stream.take_writer());
        assert!(handle.sleep(&Arc::clone(woken).into(), Load::default(), true));
        (handle, stream, client)
    }

    #[tokio::test]
    async fn flush_writes_the_queued_frames_without_waking_the_task() {
        let woken = Arc::default();
        let (handle, _stream, mut client) = sleeping(&woken).await;
        let scopes = [1, 2].map(flush_scope::Number::new);
        assert_eq!(queue(&handle, 3, scopes[0]), Ok(AfterQueue::FlushAtScopeEnd));
        assert_eq!(queue(&handle, 5, scopes[0]), Ok(AfterQueue::Nothing), "the scope has scheduled a flush");
        assert_eq!(
            queue(&handle, 0, scopes[1]),
            Ok(AfterQueue::FlushAtScopeEnd),
            "another scope schedules its own flush"
        );
        handle.flush();
        let mut received = [0; 14];
        client.read_exact(&mut received).await.expect("what was queued");
        assert_eq!(received[..], *b"\x82\x03xxx\x82\x05xxxxx\x82\x00");
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert!(handle.take_commands().is_empty());
    }

    #[tokio::test]
    async fn the_task_is_woken_to_write_what_flush_could_not() {
        let woken = Arc::default();
        let (handle, mut stream, mut client) = sleeping(&woken).await;
        let (length, count) = (1_000_000, 20);
        for _ in 0..count {
            queue(&handle, length, None).expect("there is room");
        }
        handle.flush();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let mut commands = handle.take_commands();
        assert_eq!(commands.len(), 1);
        let Some(Command::Write(mut batch)) = commands.pop() else { panic!("not a write command") };
        // The kernel has accepted a part of the bytes. The batch keeps the rest.
        assert!(batch.load().bytes < (count * length) as u64);
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
    async fn a_half_full_outbox_is_flushed_before_the_scope_ends() {
        let (woken, scope) = (Arc::default(), flush_scope::Number::new(1));
        let (mut handle, _stream, _client) = sleeping(&woken).await;
        handle.shared = shared(Bounds { messages: 4, bytes: usize::MAX });
        let actions: Vec<_> = (0..3).map(|_| queue(&handle, 1, scope)).collect();
        assert_eq!(actions, [Ok(AfterQueue::FlushAtScopeEnd), Ok(AfterQueue::Nothing), Ok(AfterQueue::FlushNow)]);
        handle.flush();
        assert_eq!(queue(&handle, 1, scope), Ok(AfterQueue::FlushAtScopeEnd), "there is room again");
        assert_eq!(queue(&handle, 1, None), Ok(AfterQueue::Wake), "without a scope, the task is woken");
    }

    #[tokio::test]
    async fn flush_writes_nothing_while_the_task_runs() {
        let woken = Arc::default();
        let (handle, _stream, _client) = sleeping(&woken).await;
        queue(&handle, 3, None).expect("there is room");
        assert!(handle.take_commands().is_empty());
        handle.flush();
        let mut batch = Batch::default();
        handle.take_frames(&mut batch);
        assert_eq!(batch.load().messages, 1);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn only_the_latest_message_waits_once_the_client_is_slow() {
        let bounds = Bounds { messages: 8, bytes: usize::MAX };
        let handle = ConnectionHandle::<NoSocket>::new(&Arc::new(Shared::new(bounds, OverflowPolicy::DropNewest)));
        let latest = Policy::Latest(LatestKey::new(String::new()).id("/", None));
        let replaced = |policy| handle.queue(&frame(1), policy, None).map(|queued| queued.has_replaced);
        let waiting = || {
            let mut batch = Batch::default();
            handle.take_frames(&mut batch);
            // The task has written the batch, and takes the next.
            handle.take_frames(&mut Batch::default());
            batch.load().messages
        };
        let all: Vec<_> = (0..3).map(|_| replaced(latest)).collect();
        assert_eq!(all, [Ok(false); 3], "they are about to be written");
        assert_eq!(waiting(), 3);
        handle.mark_blocked(Load::default());
        assert_eq!([latest, Policy::Wait, latest].map(replaced), [Ok(false), Ok(false), Ok(true)]);
        assert_eq!(waiting(), 2);
        // The task does not write, although it could. The first five are not replaced any more.
        let more: Vec<_> = (0..20).map(|_| replaced(latest)).collect();
        assert_eq!(more.iter().filter(|replaced| **replaced == Ok(true)).count(), 14);
        assert_eq!(waiting(), 6);
    }

    #[test]
    fn values_that_are_replaced_fill_no_outbox_while_a_large_batch_is_written() {
        let bounds = Bounds { messages: 100, bytes: 8_000 };
        let handle = ConnectionHandle::<NoSocket>::new(&shared(bounds));
        let latest = Policy::Latest(LatestKey::new(String::new()).id("/", None));
        queue(&handle, 7_000, None).expect("there is room");
        // The task writes, and does not know yet whether the kernel takes all of it.
        let mut batch = Batch::default();
        handle.take_frames(&mut batch);
        for number in 0..100 {
            let queued = handle.queue(&frame(100), latest, None).map(|queued| queued.has_replaced);
            assert_eq!(queued, Ok(number > 0));
        }
        assert!(!handle.is_shut());
    }

    #[test]
    fn repeated_commands_do_not_pile_up() {
        let bounds = Bounds { messages: 1, bytes: 1 };
        let handle = ConnectionHandle::<NoSocket>::new(&shared(bounds));
        let now = std::time::Instant::now();
        for seconds in 0..1_000 {
            let left = Disconnect::new(DisconnectReason::ServerDisconnect);
            assert!(handle.post(Command::Leave(NoSocket, left)));
            assert!(handle.post(Command::End(End::on_purpose(DisconnectReason::ServerClose, 1000, String::new()))));
            assert!(handle.post(Command::End(End::shutdown(now + Duration::from_secs(1_000 - seconds)))));
        }
        let commands = handle.take_commands();
        let [Command::Leave(..), Command::End(close), Command::End(shutdown)] = &commands[..] else {
            panic!("{} commands", commands.len())
        };
        assert_eq!((close.handlers_until, shutdown.handlers_until), (None, Some(now + Duration::from_secs(1))));
    }

    #[test]
    fn events_are_bounded_until_they_are_released() {
        let handle = ConnectionHandle::<NoSocket>::new(&shared(Bounds { messages: 1, bytes: 1 }));
        let bounds = Bounds { messages: 3, bytes: 100 };
        let overflow = |first| Err(Rejected::Overflow { first });
        assert_eq!(handle.reserve_event(500, bounds), Ok(()), "nothing else waits");
        assert_eq!(handle.reserve_event(0, bounds), overflow(true));
        handle.release_event(500);
        for size in [0, 50, 50] {
            assert_eq!(handle.reserve_event(size, bounds), Ok(()));
        }
        assert_eq!(handle.reserve_event(0, bounds), overflow(true));
        assert_eq!(handle.reserve_event(0, bounds), overflow(false));
        handle.release_event(50);
        assert_eq!(handle.reserve_event(51, bounds), overflow(false));
        assert_eq!(handle.reserve_event(50, bounds), Ok(()));
        handle.abandon();
        assert_eq!(handle.reserve_event(0, bounds), Err(Rejected::Closed));
    }
}
