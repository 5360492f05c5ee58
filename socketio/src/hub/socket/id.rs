//! [`SocketId`]: the id of a socket.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use uuid::Uuid;

/// The id of a socket. Cloning is cheap, and it dereferences to `str`. On a plain WebSocket it is a
/// random UUID until the application sets another with [`Socket::set_id`](super::Socket::set_id).
///
/// It serializes as a string. An id that is created from a string need not belong to a socket.
///
/// ```
/// use socketio::{EmitError, Socket, SocketId, event};
///
/// #[event("poke")]
/// fn poke(socket: &Socket, whom: SocketId) -> Result<(), EmitError> {
///     socket.emit_to(whom, ("poked", socket.id()))
/// }
///
/// assert_eq!(SocketId::from("ann"), SocketId::from(String::from("ann")));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(Arc<str>);

impl SocketId {
    pub(crate) fn random() -> Self {
        let mut text = Uuid::encode_buffer();
        Self(Arc::from(&*Uuid::new_v4().hyphenated().encode_lower(&mut text)))
    }

    /// The id as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SocketId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<SocketId> for Arc<str> {
    fn from(id: SocketId) -> Self {
        id.0
    }
}

impl From<String> for SocketId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl Deref for SocketId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for SocketId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SocketId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for SocketId {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for SocketId {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

impl<'de> Deserialize<'de> for SocketId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(&*Cow::<'_, str>::deserialize(deserializer)?))
    }
}

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
