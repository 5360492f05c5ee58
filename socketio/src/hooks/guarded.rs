//! [`Guarded`]: a value of the application that the framework stores.

use std::ops::{Deref, DerefMut};

use super::catch::drop_caught;

/// A value of the application. If its `Drop` panics, the panic is logged and ends here.
///
/// Without it, a panic would end the task of whichever connection drops the value last. Two such
/// values in one collection would abort the process.
#[derive(Debug)]
pub(crate) struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Returns the value without the guard.
    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect("it is only taken when the guard is gone")
    }
}

impl<T> Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is only taken when the guard is gone")
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it is only taken when the guard is gone")
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            drop_caught(value);
        }
    }
}
