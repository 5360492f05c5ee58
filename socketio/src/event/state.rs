//! [`State`]: values that the handlers of a hub share.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::hooks::catch::drop_caught;

/// A value passed to [`HubBuilder::state`](crate::HubBuilder::state), as a handler parameter.
///
/// It dereferences to the value. If a handler takes a type that the hub does not have,
/// [`build`](crate::HubBuilder::build) fails with an error that names the event and the type.
///
/// ```
/// use socketio::{Hub, State, event, events};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Visits(AtomicU64);
///
/// #[event("visit")]
/// fn visit(visits: State<Visits>) -> u64 {
///     visits.0.fetch_add(1, Ordering::Relaxed) + 1
/// }
///
/// let hub = Hub::builder().state(Visits::default()).events(events![visit]).build()?;
/// # Ok::<(), socketio::BuildError>(())
/// ```
pub struct State<T: ?Sized> {
    value: Arc<T>,
}

impl<T> State<T> {
    /// Wraps a value, so that a unit test can call a handler.
    ///
    /// ```
    /// use socketio::{State, event};
    ///
    /// #[event("limit")]
    /// fn limit(limit: State<u32>) -> u32 {
    ///     *limit
    /// }
    ///
    /// assert_eq!(limit(State::new(3)), 3);
    /// ```
    pub fn new(value: T) -> Self {
        Self { value: Arc::new(value) }
    }
}

/// Wraps a value that is already shared.
impl<T: ?Sized> From<Arc<T>> for State<T> {
    fn from(value: Arc<T>) -> Self {
        Self { value }
    }
}

impl<T: ?Sized> State<T> {
    /// Returns the shared value, for example to keep it after the event.
    pub fn into_inner(self) -> Arc<T> {
        self.value
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value) }
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug + ?Sized> fmt::Debug for State<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(formatter)
    }
}

/// The values of a hub, one of each type.
pub(crate) struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

/// `()` is always present, for validation rules that need no context.
impl Default for States {
    fn default() -> Self {
        let mut states = Self(HashMap::new());
        states.insert(Arc::new(()));
        states
    }
}

impl Drop for States {
    /// A panic in the drop of one value does not keep the others.
    fn drop(&mut self) {
        self.0.drain().for_each(|(_, value)| drop_caught(value));
    }
}

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        self.0.insert(TypeId::of::<T>(), value);
    }

    pub(crate) fn contains(&self, id: TypeId) -> bool {
        self.0.contains_key(&id)
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        let value = Arc::clone(self.0.get(&TypeId::of::<T>())?);
        Some(State { value: value.downcast().expect("values are stored under their own type") })
    }
}
