//! Values that the application stores in a socket: [`SocketAttributes`] by name, and extensions by
//! type.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Socket;
use super::extensions::Stored;

/// A snapshot of a socket's attributes. Cloning is cheap: the data is shared until the attributes
/// change.
///
/// ```
/// # fn show(payload: socketio::EventPayload) {
/// let room: Option<String> = payload.attributes.get_as("room");
/// let all: Vec<&str> = payload.attributes.iter().map(|(key, _)| key).collect();
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SocketAttributes(Arc<BTreeMap<String, Value>>);

impl SocketAttributes {
    pub(crate) fn set(&mut self, key: String, value: Value) {
        Arc::make_mut(&mut self.0).insert(key, value);
    }

    /// The attribute, if it exists.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The attribute, if it exists and decodes as a `T`.
    pub fn get_as<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        T::deserialize(self.0.get(key)?).ok()
    }

    /// All attributes, sorted by their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The number of attributes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no attributes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Attributes and extensions.
impl Socket {
    /// Sets an attribute.
    pub fn set_attribute(&self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        self.with_side(|side| side.attributes.set(key, value));
        self.namespace_inner().observer().changed(self);
        self.tell_changed();
    }

    /// An attribute's value.
    pub fn get_attribute(&self, key: &str) -> Option<Value> {
        self.attributes().get(key).cloned()
    }

    /// The attribute, if it exists and is a string.
    pub fn get_string_attribute(&self, key: &str) -> Option<String> {
        self.attributes().get(key)?.as_str().map(str::to_owned)
    }

    /// The attribute, if it exists and is an integer that fits into an `i64`.
    pub fn get_int_attribute(&self, key: &str) -> Option<i64> {
        self.attributes().get(key)?.as_i64()
    }

    /// The attribute, if it exists and is a number.
    pub fn get_float_attribute(&self, key: &str) -> Option<f64> {
        self.attributes().get(key)?.as_f64()
    }

    /// The attribute, if it exists and is a boolean.
    pub fn get_bool_attribute(&self, key: &str) -> Option<bool> {
        self.attributes().get(key)?.as_bool()
    }

    /// A snapshot of all attributes.
    pub fn attributes(&self) -> SocketAttributes {
        self.0.side.lock().as_ref().map(|side| side.attributes.clone()).unwrap_or_default()
    }

    /// Stores a value in the socket, one per type. Returns the previous value. Extensions of the
    /// connection's first request are stored before the `connect` handler runs.
    pub fn insert_extension<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        let value = Stored::new(value);
        let before = self.with_side(|side| side.extensions.insert(value));
        before.and_then(Stored::into_value)
    }

    /// Returns a clone of the stored value of this type. Wrap large values in an `Arc`.
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let found = self.0.side.lock().as_ref()?.extensions.find::<T>();
        // The value is cloned without the lock.
        found.and_then(Stored::into_value)
    }

    /// Removes the stored value of this type and returns it. If another task clones the value at
    /// this moment, it returns a clone.
    pub fn remove_extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let removed = self.0.side.lock().as_mut()?.extensions.remove::<T>();
        removed.and_then(Stored::into_value)
    }
}

impl FromIterator<(String, Value)> for SocketAttributes {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(attributes: I) -> Self {
        Self(Arc::new(attributes.into_iter().collect()))
    }
}
