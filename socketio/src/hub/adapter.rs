//! Adapters: what carries messages and room changes between the sockets of a namespace.
//!
//! The [`LocalAdapter`] is the default and knows the sockets of this server. One that connects several servers wraps it:
//! it passes on what it is given, and hands to the local one what arrives from elsewhere.

use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::hub::namespace::registry::Registry;
use crate::hub::selection::{Audience, EmitError};
use crate::hub::socket::Socket;
pub use crate::wire::packet::Packet;

/// Carries messages to the sockets of a namespace, and is told of every change of a room.
///
/// Everything passes through it before it is encoded for a wire. Its methods are called on the tasks of connections:
/// they must not block. In [`join`](Self::join) and [`leave`](Self::leave) the socket's own list of rooms is locked, so
/// that changes keep their order: there, ask the socket nothing about its rooms.
pub trait Adapter: Debug + Send + Sync + 'static {
    /// Delivers to everyone in the audience, each once.
    fn emit(&self, packet: &Packet, audience: &Audience);

    /// Delivers to the socket with this id.
    ///
    /// # Errors
    ///
    /// There is none, or it takes no message now.
    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError>;

    /// Delivers to a socket of this server.
    ///
    /// # Errors
    ///
    /// It takes no message now.
    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError>;

    /// A socket joins a room. Once this returns, emits to the room reach it.
    fn join(&self, socket: &Socket, room: &str) -> Arc<str>;

    /// A socket leaves a room.
    fn leave(&self, socket: &Socket, room: &str);
}

/// The adapter of one server: its sockets, and nobody else's.
#[derive(Clone)]
pub struct LocalAdapter {
    registry: Arc<Registry>,
}

impl LocalAdapter {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }
}

impl Adapter for LocalAdapter {
    fn emit(&self, packet: &Packet, audience: &Audience) {
        self.registry.for_each(audience, |socket| {
            // An overflow is the slow client's affair: it is counted and reported there, and the others go on.
            let _ = socket.deliver(packet);
        });
    }

    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        match self.registry.get(id) {
            Some(socket) => socket.deliver(packet),
            None => Err(EmitError::NotFound(id.to_owned())),
        }
    }

    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        socket.deliver(packet)
    }

    fn join(&self, socket: &Socket, room: &str) -> Arc<str> {
        self.registry.rooms().join(room, socket)
    }

    fn leave(&self, socket: &Socket, room: &str) {
        self.registry.rooms().leave(room, socket);
    }
}

impl Debug for LocalAdapter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Sockets would show their ids, which are locked while one changes.
        formatter.debug_struct("LocalAdapter").field("sockets", &self.registry.len()).finish_non_exhaustive()
    }
}
