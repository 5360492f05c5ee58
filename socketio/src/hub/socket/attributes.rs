//! What the application keeps with a socket: values by name, and values by type.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Socket;

/// A socket's attributes as they were at one moment. Taking and cloning one is cheap: it is shared until the socket's
/// attributes change.
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

    /// The attribute, if it is there.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The attribute, if it is there and a `T`.
    pub fn get_as<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        T::deserialize(self.0.get(key)?).ok()
    }

    /// All of them, sorted by their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the application keeps with the socket.
impl Socket {
    /// Sets an attribute.
    pub fn set_attribute(&self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        self.with_side(|side| side.attributes.set(key, value));
    }

    /// An attribute's value.
    pub fn get_attribute(&self, key: &str) -> Option<Value> {
        self.attributes().get(key).cloned()
    }

    /// An attribute, if it is there and a string.
    pub fn get_string_attribute(&self, key: &str) -> Option<String> {
        self.attributes().get(key)?.as_str().map(str::to_owned)
    }

    /// An attribute, if it is there and an integer.
    pub fn get_int_attribute(&self, key: &str) -> Option<i64> {
        self.attributes().get(key)?.as_i64()
    }

    /// An attribute, if it is there and a number.
    pub fn get_float_attribute(&self, key: &str) -> Option<f64> {
        self.attributes().get(key)?.as_f64()
    }

    /// An attribute, if it is there and a boolean.
    pub fn get_bool_attribute(&self, key: &str) -> Option<bool> {
        self.attributes().get(key)?.as_bool()
    }

    /// All attributes as they are now.
    pub fn attributes(&self) -> SocketAttributes {
        self.0.side.lock().as_ref().map(|side| side.attributes.clone()).unwrap_or_default()
    }

    /// Keeps a value with the socket, one of each type; gives back the one that was there before. Request extensions
    /// that axum layers set before the upgrade are there from the beginning.
    pub fn insert_extension<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        self.with_side(|side| side.extensions.insert(value))
    }

    /// The value of this type that is kept with the socket: a clone of it. What the socket keeps is locked meanwhile, so
    /// the type's `Clone` must not ask the socket for anything; an `Arc` around what is large keeps it quick.
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.side.lock().as_ref()?.extensions.get::<T>().cloned()
    }

    /// Takes the value of this type away from the socket.
    pub fn remove_extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.side.lock().as_mut()?.extensions.remove::<T>()
    }
}

impl FromIterator<(String, Value)> for SocketAttributes {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(attributes: I) -> Self {
        Self(Arc::new(attributes.into_iter().collect()))
    }
}
