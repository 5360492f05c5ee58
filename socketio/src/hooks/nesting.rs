//! [`Entered`]: bounds hooks that call themselves through the framework.
//!
//! User code lies between two such calls, so no parameter can carry what runs. It is in a
//! thread-local. A value in the socket would also hold for the calls of other threads.

use std::cell::Cell;

/// How deeply calls of hooks may nest on one thread. Each level needs a few KiB of stack, and
/// what the hook itself needs.
const MAX_DEPTH: u8 = 16;

/// The hooks that run on this thread.
#[derive(Clone, Copy)]
struct Current {
    depth: u8,
    /// Whether a listener for outgoing messages runs.
    outgoing: bool,
    /// Whether a handler or listener of `error` runs.
    error: bool,
}

thread_local! {
    static CURRENT: Cell<Current> = const { Cell::new(Current { depth: 0, outgoing: false, error: false }) };
}

/// Too many calls of hooks are nested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hooks that emit call each other more than {MAX_DEPTH} levels deep")]
pub(crate) struct TooDeep;

/// Marks a hook as running on this thread until it is dropped.
#[must_use]
pub(crate) struct Entered {
    before: Current,
}

impl Entered {
    fn replace(change: impl FnOnce(&mut Current)) -> Self {
        let before = CURRENT.get();
        let mut current = before;
        change(&mut current);
        CURRENT.set(current);
        Self { before }
    }

    /// Enters a hook that may call itself, but only to a certain depth.
    pub(crate) fn nested() -> Result<Self, TooDeep> {
        Self::up_to(MAX_DEPTH)
    }

    /// Enters the parser that encodes a message. It may be one level deeper, so that a message that
    /// was emitted on the last level is sent.
    pub(crate) fn encoding() -> Result<Self, TooDeep> {
        Self::up_to(MAX_DEPTH + 1)
    }

    fn up_to(depth: u8) -> Result<Self, TooDeep> {
        if CURRENT.get().depth >= depth {
            return Err(TooDeep);
        }
        Ok(Self::replace(|current| current.depth += 1))
    }

    /// Enters the listeners for outgoing messages, unless such listeners run on this thread.
    pub(crate) fn outgoing() -> Option<Self> {
        (!CURRENT.get().outgoing).then(|| Self::replace(|current| current.outgoing = true))
    }

    /// Enters a handler or listener of `error`.
    pub(crate) fn error() -> Self {
        Self::replace(|current| current.error = true)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// Returns `true` while a handler or listener of `error` runs on this thread.
pub(crate) fn is_in_error() -> bool {
    CURRENT.get().error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_hook_ends_where_it_is_dropped() {
        let outgoing = Entered::outgoing();
        assert!(outgoing.is_some() && Entered::outgoing().is_none());
        let error = Entered::error();
        assert!(is_in_error() && Entered::outgoing().is_none());
        drop(error);
        assert!(!is_in_error());
        drop(outgoing);
        assert!(Entered::outgoing().is_some());
        let nested: Vec<_> = (0..MAX_DEPTH).map(|_| Entered::nested()).collect();
        assert!(nested.iter().all(Result::is_ok) && Entered::nested().is_err() && Entered::encoding().is_ok());
        nested.into_iter().rev().for_each(drop);
        assert!(Entered::nested().is_ok());
    }
}
