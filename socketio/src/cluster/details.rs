//! [`SocketDetails`]: a socket as servers describe it to each other.

use indexmap::IndexMap;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A socket as servers describe it to each other.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct SocketDetails {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) handshake: HandshakeDetails,
    #[serde(deserialize_with = "names")]
    pub(crate) rooms: Vec<String>,
    pub(crate) data: Value,
}

/// The handshake of a socket as servers describe it to each other. `time` has the format of
/// JavaScript's `Date.toString`, `issued` is in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct HandshakeDetails {
    #[serde(deserialize_with = "or_default")]
    pub(crate) headers: IndexMap<String, Value>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) time: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) address: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) xdomain: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) secure: bool,
    #[serde(deserialize_with = "millis")]
    pub(crate) issued: u64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) url: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) query: IndexMap<String, Value>,
    pub(crate) auth: Value,
}

/// Reads a value that may be `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads names of rooms, which may be numbers in JavaScript.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let values: Vec<Value> = or_default(deserializer)?;
    let name = |value| match value {
        Value::String(name) => Ok(name),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(D::Error::custom("not the name of a room")),
    };
    values.into_iter().map(name).collect()
}

/// Reads a time in milliseconds, which may have a fraction.
fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let millis: Option<f64> = Option::deserialize(deserializer)?;
    Ok(millis.unwrap_or_default() as u64)
}
