//! What the application keeps with a socket: values by name, and values by type.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// A socket's attributes as they were at one moment. Taking and cloning one is cheap: it is shared until the socket's
/// attributes change.
///
/// ```
/// # fn show(payload: socketio::EventPayload) {
/// let room: Option<String> = payload.attributes.get_as("room");
/// let all: Vec<&str> = payload.attributes.keys().map(String::as_str).collect();
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SocketAttributes(Arc<BTreeMap<String, Value>>);

impl SocketAttributes {
    pub(crate) fn set(&mut self, key: String, value: Value) {
        Arc::make_mut(&mut self.0).insert(key, value);
    }

    /// The attribute, if it is there and a `T`.
    pub fn get_as<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        T::deserialize(self.0.get(key)?).ok()
    }
}

impl Deref for SocketAttributes {
    type Target = BTreeMap<String, Value>;

    fn deref(&self) -> &BTreeMap<String, Value> {
        &self.0
    }
}
