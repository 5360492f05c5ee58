//! [`catch`] and [`catch_future`]: call hooks and catch their panics.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

/// A hook has panicked. The panic hook of the program has already printed the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Calls a hook.
pub(crate) fn catch<R>(hook: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(hook)).map_err(discard)
}

/// Drops the payload of a panic. This may panic too.
fn discard(payload: Box<dyn Any + Send>) -> Panicked {
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // The drop of this payload may panic as well, and so on without end.
        std::mem::forget(next);
    }
    Panicked
}

/// Drops a value of the application. A panic of its `Drop` is logged.
pub(crate) fn drop_caught<T>(value: T) {
    if catch(|| drop(value)).is_err() {
        tracing::error!(value = std::any::type_name::<T>(), "the drop of a value of the application panicked");
    }
}

/// Runs the future of a hook. A panic of its drop counts as a panic of the future.
pub(crate) async fn catch_future<F: Future>(future: F) -> Result<F::Output, Panicked> {
    /// Drops the future at its place, also if the caller stops waiting.
    struct InPlace<'a, F>(Pin<&'a mut Option<F>>);
    impl<F> InPlace<'_, F> {
        fn drop_future(&mut self) -> Result<(), Panicked> {
            catch(|| self.0.set(None))
        }
    }
    impl<F> Drop for InPlace<'_, F> {
        fn drop(&mut self) {
            if self.0.is_some() && self.drop_future().is_err() {
                tracing::error!("the drop of a future of the application panicked");
            }
        }
    }

    let mut running = InPlace(pin!(Some(future)));
    let output = poll_fn(|context| {
        let future = running.0.as_mut().as_pin_mut().expect("the future is dropped after it has ended");
        match catch(|| future.poll(context)) {
            Ok(polled) => polled.map(Ok),
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    });
    let output = output.await;
    let dropped = running.drop_future();
    match (output, dropped) {
        (Ok(output), Ok(())) => Ok(output),
        (output, _) => {
            if let Ok(output) = output {
                drop_caught(output);
            }
            Err(Panicked)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::future::{pending, ready};
    use std::panic::panic_any;
    use std::task::Context;

    /// A value whose drop panics, with a payload whose drop panics, and so on.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Self);
        }
    }

    #[test]
    fn a_payload_whose_drop_panics_is_caught() {
        assert_eq!(catch(|| panic_any(Bomb)), Err::<(), _>(Panicked));
        assert_eq!(catch(|| drop(Bomb)), Err(Panicked));
        drop_caught(Bomb);
        assert_eq!(catch(|| 1), Ok(1));
    }

    #[test]
    fn a_future_may_panic_while_it_is_polled_and_while_it_is_dropped() {
        let panicking = async {
            ready(()).await;
            panic_any(Bomb)
        };
        let panicking: Pin<Box<dyn Future<Output = ()>>> = Box::pin(panicking);
        assert_eq!(catch_future(panicking).now_or_never(), Some(Err(Panicked)));
        assert_eq!(catch_future(ready(1)).now_or_never(), Some(Ok(1)));
        /// A future that is ready, and whose drop panics.
        struct Ready(#[allow(dead_code, reason = "it is only dropped")] Bomb);
        impl Future for Ready {
            type Output = u8;
            fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<u8> {
                Poll::Ready(1)
            }
        }
        assert_eq!(catch_future(Ready(Bomb)).now_or_never(), Some(Err(Panicked)));
    }

    #[test]
    fn a_future_that_is_not_awaited_to_its_end_may_panic_when_it_is_dropped() {
        let waiting = async {
            let _bomb = Bomb;
            pending::<()>().await;
        };
        assert_eq!(catch_future(waiting).now_or_never(), None);
    }
}
