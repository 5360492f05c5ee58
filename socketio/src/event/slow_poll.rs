//! Warns about handlers, listeners and middleware that hold their thread for longer than
//! [`LONGEST`].
//!
//! Only builds with debug assertions or the feature `testing` measure it. In others, the functions
//! of this module do nothing.

#[cfg(not(any(debug_assertions, feature = "testing")))]
pub(crate) use off::{blocking, call, polls};
#[cfg(any(debug_assertions, feature = "testing"))]
pub(crate) use on::{blocking, call, polls};

#[cfg(any(debug_assertions, feature = "testing"))]
mod on {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::{Duration, Instant};

    use crate::hub::socket::Socket;
    use crate::wire::shown::shown;

    /// The longest time that user code may run without a warning.
    const LONGEST: Duration = Duration::from_millis(100);

    thread_local! {
        /// How long the calls took that the current call contains. A middleware's poll contains
        /// that of the handler, and only the one that blocks is to be named.
        static INNER: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// Calls a function. Returns how long it took, without the calls that it contains.
    fn measure<T>(call: impl FnOnce() -> T) -> (T, Duration) {
        let outer = INNER.replace(Duration::ZERO);
        let start = Instant::now();
        let returned = call();
        let taken = start.elapsed();
        (returned, taken.saturating_sub(INNER.replace(outer + taken)))
    }

    /// Calls user code that may block.
    pub(crate) fn blocking<T>(call: impl FnOnce() -> T) -> T {
        measure(call).0
    }

    /// Calls user code for an event.
    pub(crate) fn call<T>(socket: &Socket, event: &str, call: impl FnOnce() -> T) -> T {
        let (returned, own) = measure(call);
        if own > LONGEST {
            tracing::warn!(
                socket = %socket.shown_id(),
                event = &*shown(event),
                milliseconds = u64::try_from(own.as_millis()).unwrap_or(u64::MAX),
                "a handler, listener or middleware blocked its thread, which other clients wait for; \
                 move the work to `tokio::task::spawn_blocking`, or make the handler `blocking`"
            );
        }
        returned
    }

    /// Polls a future of user code for an event.
    pub(crate) async fn polls<F: Future>(socket: &Socket, event: &str, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| call(socket, event, || future.as_mut().poll(context))).await
    }
}

#[cfg(not(any(debug_assertions, feature = "testing")))]
mod off {
    use crate::hub::socket::Socket;

    pub(crate) fn blocking<T>(call: impl FnOnce() -> T) -> T {
        call()
    }

    pub(crate) fn call<T>(_socket: &Socket, _event: &str, call: impl FnOnce() -> T) -> T {
        call()
    }

    pub(crate) fn polls<F: Future>(_socket: &Socket, _event: &str, future: F) -> F {
        future
    }
}
