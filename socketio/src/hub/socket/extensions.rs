//! [`SocketExtensions`]: values of the application that a socket stores by their type.
//!
//! The values are shared, so that they are cloned and dropped without the lock of the socket. Both
//! may use the socket.

use http::Extensions;
use std::any::{Any, TypeId};
use std::marker::PhantomData;
use std::sync::Arc;

use crate::hooks::guarded::Guarded;

/// A value with the guard of its drop.
type Value = Arc<dyn Any + Send + Sync>;

/// The extensions of one socket.
#[derive(Default)]
pub(super) struct SocketExtensions {
    /// The extensions of the request, which can't be listed.
    request: Option<Arc<Guarded<Extensions>>>,
    /// The values that were stored since, and `None` for values of the request that were removed.
    /// There are few, so that a list is small and fast.
    own: Vec<(TypeId, Option<Value>)>,
}

/// A value of type `T` that was found.
pub(super) enum Stored<T> {
    Own(Value, PhantomData<T>),
    OfRequest(Arc<Guarded<Extensions>>),
}

impl<T: Clone + Send + Sync + 'static> Stored<T> {
    pub(super) fn new(value: T) -> Self {
        Self::Own(Arc::new(Guarded::new(value)), PhantomData)
    }

    /// Returns the value, or a clone of it if it is shared. The caller holds no lock.
    pub(super) fn into_value(self) -> Option<T> {
        match self {
            Self::Own(value, _) => {
                let value = value.downcast::<Guarded<T>>().ok()?;
                Some(Arc::try_unwrap(value).map_or_else(|shared| (**shared).clone(), Guarded::into_inner))
            }
            Self::OfRequest(extensions) => extensions.get::<T>().cloned(),
        }
    }
}

impl SocketExtensions {
    pub(super) fn new(request: Extensions) -> Self {
        Self { request: Some(Arc::new(Guarded::new(request))), own: Vec::new() }
    }

    pub(super) fn find<T: Clone + Send + Sync + 'static>(&self) -> Option<Stored<T>> {
        match self.position::<T>() {
            Some(at) => self.own[at].1.clone().map(|value| Stored::Own(value, PhantomData)),
            None => {
                let request = self.request.as_ref().filter(|request| request.get::<T>().is_some())?;
                Some(Stored::OfRequest(Arc::clone(request)))
            }
        }
    }

    /// Stores a value. Returns the one before.
    pub(super) fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: Stored<T>) -> Option<Stored<T>> {
        let value = match value {
            Stored::Own(value, _) => Some(value),
            Stored::OfRequest(_) => None,
        };
        self.replace(value)
    }

    pub(super) fn remove<T: Clone + Send + Sync + 'static>(&mut self) -> Option<Stored<T>> {
        if self.position::<T>().is_none()
            && let Some(request) = self.request.as_mut().and_then(Arc::get_mut)
            && let Some(value) = request.remove::<T>()
        {
            return Some(Stored::new(value));
        }
        self.replace(None)
    }

    fn position<T: 'static>(&self) -> Option<usize> {
        self.own.iter().position(|(id, _)| *id == TypeId::of::<T>())
    }

    fn replace<T: Clone + Send + Sync + 'static>(&mut self, value: Option<Value>) -> Option<Stored<T>> {
        let before = self.find::<T>();
        let is_of_request = self.request.as_ref().is_some_and(|request| request.get::<T>().is_some());
        // What is replaced is in `before` too, so that nothing is dropped here.
        match self.position::<T>() {
            Some(at) if value.is_some() || is_of_request => self.own[at].1 = value,
            Some(at) => _ = self.own.swap_remove(at),
            None if value.is_some() || is_of_request => self.own.push((TypeId::of::<T>(), value)),
            None => {}
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<T: Clone + Send + Sync + 'static>(stored: Option<Stored<T>>) -> Option<T> {
        stored.and_then(Stored::into_value)
    }

    #[test]
    fn a_stored_value_hides_that_of_the_request() {
        let mut request = Extensions::new();
        request.insert(1_u8);
        request.insert("request");
        let mut extensions = SocketExtensions::new(request);
        assert_eq!(value(extensions.find::<u8>()), Some(1));
        assert_eq!(value(extensions.insert(Stored::new(2_u8))), Some(1));
        assert_eq!(value(extensions.find::<u8>()), Some(2));
        assert_eq!(value(extensions.remove::<u8>()), Some(2));
        assert_eq!(value(extensions.find::<u8>()), None);
        assert_eq!(value(extensions.remove::<u8>()), None);
        assert_eq!(value(extensions.insert(Stored::new(3_u8))), None);
        assert_eq!(value(extensions.find::<u8>()), Some(3));
        let found = extensions.find::<&str>();
        assert_eq!(value(extensions.remove::<&str>()), Some("request"));
        assert_eq!((value(found), value(extensions.find::<&str>())), (Some("request"), None));
    }

    #[test]
    fn a_removed_value_is_moved_out_unless_it_is_being_cloned() {
        let (own, of_request) = (Arc::new(1), Arc::new("request"));
        let mut request = Extensions::new();
        request.insert(Arc::clone(&of_request));
        let mut extensions = SocketExtensions::new(request);
        assert!(extensions.insert(Stored::new(Arc::clone(&own))).is_none());
        let removed = (value(extensions.remove::<Arc<i32>>()), value(extensions.remove::<Arc<&str>>()));
        assert_eq!((Arc::strong_count(&own), Arc::strong_count(&of_request)), (2, 2));
        drop(removed);
        assert_eq!((Arc::strong_count(&own), Arc::strong_count(&of_request)), (1, 1));
    }
}
