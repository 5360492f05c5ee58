//! The verbs of a [`Hub`]: those of its namespace `/`.
//!
//! They are written out instead of being reached by `Deref`: a hub has a namespace `/` and is none. The documentation of a hub shows all
//! that it can do, and a method that is added to one of the two never hides one of the other.

use serde::Serialize;
use std::time::Duration;

use super::Hub;
use crate::event::listener::{EventPayload, ListenerHandle, ListenerOutput};
use crate::event::message::{IntoMessage, Request};
use crate::hub::adapter::{Fetched, RequestError};
use crate::hub::namespace::Namespace;
use crate::hub::selection::{EmitError, Selection};
use crate::hub::server_events::ServerEvent;
use crate::hub::socket::Socket;
use crate::hub::socket::answer::FromAnswer;
use crate::hub::socket::answers::AckStream;

/// The namespace `/`. For other namespaces there is [`of`](Self::of).
impl Hub {
    /// The namespace `/` itself, for what is written for any namespace.
    pub fn root(&self) -> &Namespace {
        &self.root
    }

    /// Calls `listener` for events of this name. See [`Namespace::on`].
    ///
    /// ```
    /// # let hub = socketio::Hub::builder().build()?;
    /// use socketio::EventPayload;
    ///
    /// hub.on("note", |payload: EventPayload| println!("{}", payload.socket_id));
    /// let handle = hub.on("task", |payload: EventPayload| async move {
    ///     let _ = payload.ack().send("done");
    /// });
    /// handle.off();
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn on<F, R, M>(&self, event: impl AsRef<str>, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        self.root.on(event, listener)
    }

    /// Emits to the socket with this id.
    ///
    /// # Errors
    ///
    /// As [`Namespace::emit_to`].
    pub fn emit_to(&self, id: impl AsRef<str>, message: impl IntoMessage) -> Result<(), EmitError> {
        self.root.emit_to(id, message)
    }

    /// Emits to several sockets. One that can't be reached is no error.
    ///
    /// # Errors
    ///
    /// As [`Namespace::emit_to_list`].
    pub fn emit_to_list<I>(&self, ids: I, message: impl IntoMessage) -> Result<(), EmitError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.root.emit_to_list(ids, message)
    }

    /// Emits to everyone.
    ///
    /// # Errors
    ///
    /// As [`Namespace::broadcast`].
    pub fn broadcast(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.root.broadcast(message)
    }

    /// The same as [`broadcast`](Self::broadcast), under the name that Socket.IO has for it.
    ///
    /// # Errors
    ///
    /// As [`Namespace::emit`].
    pub fn emit(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.root.emit(message)
    }

    /// Queues an event on every connected socket as if its client had sent it. See [`Socket::fire`].
    ///
    /// # Errors
    ///
    /// As [`Namespace::fire`].
    pub fn fire(&self, event: impl AsRef<str>, data: impl Serialize) -> Result<(), EmitError> {
        self.root.fire(event, data)
    }

    /// Selects the members of a room.
    pub fn to(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.root.to(room)
    }

    /// The same as [`to`](Self::to): a hub has no self to leave out.
    pub fn within(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.root.within(room)
    }

    /// Selects everyone but the members of a room.
    pub fn except(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.root.except(room)
    }

    /// Selects everyone but the socket with this id, on whatever server it is.
    pub fn except_id(&self, id: impl AsRef<str>) -> Selection<'_> {
        self.root.except_id(id)
    }

    /// Selects everyone on this server.
    pub fn local(&self) -> Selection<'_> {
        self.root.local()
    }

    /// Selects everyone; what is emitted is dropped for clients that can't take it now.
    pub fn volatile(&self) -> Selection<'_> {
        self.root.volatile()
    }

    /// Selects everyone, with another timeout for answers than the hub's. See [`Namespace::timeout`].
    pub fn timeout(&self, timeout: Duration) -> Selection<'_> {
        self.root.timeout(timeout)
    }

    /// Emits to everyone, and waits for all answers. See [`Selection::emit_with_ack`].
    ///
    /// # Errors
    ///
    /// As [`Namespace::emit_with_ack`].
    pub fn emit_with_ack<T: FromAnswer>(&self, message: impl IntoMessage) -> AckStream<T> {
        self.root.emit_with_ack(message)
    }

    /// Asks everyone, and waits for the answers that belong to the question. See [`Selection::request`].
    ///
    /// # Errors
    ///
    /// As [`Namespace::request`].
    pub fn request<Q>(&self, question: &Q) -> AckStream<Q::Answer>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.root.request(question)
    }

    /// Lets everyone join rooms.
    pub fn sockets_join<I>(&self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.root.sockets_join(rooms);
    }

    /// Lets everyone leave rooms.
    pub fn sockets_leave<I>(&self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.root.sockets_leave(rooms);
    }

    /// [Disconnects](Socket::disconnect) everyone.
    pub fn disconnect_sockets(&self) {
        self.root.disconnect_sockets();
    }

    /// [Closes](Socket::close) everyone's connection.
    pub fn close_sockets(&self) {
        self.root.close_sockets();
    }

    /// What is known of everyone. See [`Selection::fetch_sockets`].
    ///
    /// # Errors
    ///
    /// As [`Namespace::fetch_sockets`].
    pub fn fetch_sockets(&self) -> impl Future<Output = Result<Fetched, RequestError>> + Send + use<> {
        self.root.fetch_sockets()
    }

    /// How many servers share the namespace `/`. See [`Namespace::servers`].
    ///
    /// # Errors
    ///
    /// As [`Namespace::servers`].
    pub fn servers(&self) -> impl Future<Output = Result<usize, RequestError>> + Send + use<> {
        self.root.servers()
    }

    /// Sends an event to the other servers. See [`Namespace::server_emit`].
    ///
    /// # Errors
    ///
    /// As [`Namespace::server_emit`].
    pub fn server_emit(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.root.server_emit(message)
    }

    /// Calls `listener` for events of this name that other servers send. See [`Namespace::on_server`].
    pub fn on_server(&self, event: impl AsRef<str>, listener: impl Fn(&ServerEvent<'_>) + Send + Sync + 'static) {
        self.root.on_server(event, listener);
    }

    /// The connected socket with this id.
    pub fn socket(&self, id: impl AsRef<str>) -> Option<Socket> {
        self.root.socket(id)
    }

    /// The sockets that are connected now.
    pub fn sockets(&self) -> Vec<Socket> {
        self.root.sockets()
    }

    /// How many sockets are connected.
    pub fn len(&self) -> usize {
        self.root.len()
    }

    /// Whether no socket is connected.
    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }
}
