//! [`Notices`]: reports the changes of a [`Socket`] to the application's adapter and to admins, in
//! order and without holding a lock.
//!
//! Each change is recorded under the lock that guards it, so notices have the order of the changes.
//! One task at a time passes them to the adapter. Another task that changes the socket in the
//! meantime leaves its notice to that task.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Socket, SocketId};
use crate::hooks::catch::catch;
use crate::wire::shown::shown;

/// A change of a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Added(SocketId),
    Joined(Arc<str>),
    Left(Arc<str>),
    Renamed { from: SocketId, to: SocketId },
    Removed(SocketId),
}

/// The notices that were not passed to the adapter yet.
#[derive(Default)]
pub(super) struct Notices {
    waiting: VecDeque<Notice>,
    /// Whether a task is passing notices to the adapter.
    is_telling: bool,
}

impl Notices {
    /// Adds a change. If it undoes one that waits, the adapter is told of neither. Otherwise a task
    /// that changes a socket while the adapter is slow could fill the memory.
    fn add(&mut self, notice: Notice) {
        let undone = self.waiting.iter().position(|waiting| match (waiting, &notice) {
            (Notice::Joined(room), Notice::Left(other)) | (Notice::Left(room), Notice::Joined(other)) => room == other,
            (Notice::Renamed { to, .. }, Notice::Renamed { from, .. }) => to == from,
            _ => false,
        });
        match (undone.and_then(|at| self.waiting.remove(at)), notice) {
            (Some(Notice::Renamed { from, .. }), Notice::Renamed { to, .. }) => {
                if from != to {
                    self.waiting.push_back(Notice::Renamed { from, to });
                }
            }
            (None, notice) => self.waiting.push_back(notice),
            (Some(_), _) => {}
        }
    }
}

impl Socket {
    /// Records a change if there is somebody to be told. The caller holds the lock that
    /// guards the change.
    pub(super) fn note(&self, notice: impl FnOnce() -> Notice) {
        if self.namespace_inner().tells_changes() {
            let notice = notice();
            self.with_side(|side| side.notices.get_or_insert_default().add(notice));
        }
    }

    /// Holds all notices back until [`tell_added`](Self::tell_added), so that `Added` comes first.
    pub(super) fn begin_notices(&self) {
        if self.namespace_inner().tells_changes() {
            self.with_side(|side| side.notices.get_or_insert_default().is_telling = true);
        }
    }

    /// Tells the adapter that the socket was added, then passes on the other recorded notices.
    pub(super) fn tell_added(&self, id: SocketId) {
        if self.namespace_inner().tells_changes() {
            self.with_side(|side| {
                let notices = side.notices.get_or_insert_default();
                notices.waiting.push_front(Notice::Added(id));
                notices.is_telling = false;
            });
            self.tell_adapter();
        }
    }

    /// Passes the recorded notices to the adapter. The caller holds no lock.
    pub(crate) fn tell_adapter(&self) {
        if !self.namespace_inner().tells_changes() {
            return;
        }
        let mut is_teller = false;
        while let Some(notice) = self.next_notice(is_teller) {
            is_teller = true;
            if catch(|| self.tell(&notice)).is_err() {
                tracing::error!(
                    namespace = &*shown(self.namespace()),
                    "an adapter panicked while it was told about a socket"
                );
            }
            // The namespace stays in use until its adapter knows that the socket is gone.
            if let Notice::Removed(_) = notice {
                self.hub().release(self.namespace_inner());
            }
        }
    }

    fn next_notice(&self, is_teller: bool) -> Option<Notice> {
        let mut side = self.0.side.lock();
        let notices = side.as_mut()?.notices.as_deref_mut()?;
        if notices.is_telling && !is_teller {
            return None;
        }
        let notice = notices.waiting.pop_front();
        notices.is_telling = notice.is_some();
        notice
    }

    fn tell(&self, notice: &Notice) {
        let (adapter, observer) = (self.namespace_inner().adapter(), self.namespace_inner().observer());
        match notice {
            Notice::Added(id) => {
                adapter.added(self, id);
                observer.added(self);
            }
            Notice::Joined(room) => {
                adapter.joined(self, room);
                observer.joined(self, room);
            }
            Notice::Left(room) => {
                adapter.left(self, room);
                observer.left(self, room);
            }
            Notice::Renamed { from, to } => {
                adapter.renamed(self, from, to);
                observer.renamed(self, from);
            }
            Notice::Removed(id) => adapter.removed(self, id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_are_undone_do_not_pile_up() {
        let mut notices = Notices::default();
        let (a, b) = (Arc::<str>::from("a"), Arc::<str>::from("b"));
        let id = |number: usize| SocketId::from(&*number.to_string());
        notices.add(Notice::Left(Arc::clone(&a)));
        for number in 0..1_000 {
            notices.add(Notice::Joined(Arc::clone(&a)));
            notices.add(Notice::Joined(Arc::clone(&b)));
            notices.add(Notice::Renamed { from: id(number), to: id(number + 1) });
            notices.add(Notice::Left(Arc::clone(&b)));
            notices.add(Notice::Left(Arc::clone(&a)));
        }
        notices.add(Notice::Removed(id(1_000)));
        let renamed = Notice::Renamed { from: id(0), to: id(1_000) };
        assert_eq!(notices.waiting, [renamed, Notice::Left(a), Notice::Removed(id(1_000))]);
        let mut notices = Notices::default();
        notices.add(Notice::Renamed { from: id(0), to: id(1) });
        notices.add(Notice::Renamed { from: id(1), to: id(0) });
        assert_eq!(notices.waiting, []);
    }
}
