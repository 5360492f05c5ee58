//! [`LocalAdapter`]: delivers to the sockets of this server.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use super::{
    Adapter, AllRooms, AnswerSink, Audience, BoxFuture, Change, Fetched, Packet, RemoteSocket, RequestError, ServerId,
    ServerReplies,
};
use crate::hub::listing::{Page, Selecting};
use crate::hub::namespace::registry::Registry;
use crate::hub::recovery::namespace::RecoveryOf;
use crate::hub::selection::EmitError;
use crate::hub::server_events::{ServerAck, ServerEvent, ServerListeners};
use crate::hub::socket::Socket;

/// The adapter for a single server. It acts on the sockets of this server and knows no others.
#[derive(Clone)]
pub struct LocalAdapter {
    registry: Arc<Registry>,
    server_listeners: Arc<ServerListeners>,
    /// Keeps what is emitted for clients that are cut off. `None` if recovery is off.
    recovery: Option<Arc<RecoveryOf>>,
}

impl LocalAdapter {
    pub(crate) fn new(
        registry: Arc<Registry>,
        server_listeners: Arc<ServerListeners>,
        recovery: Option<Arc<RecoveryOf>>,
    ) -> Self {
        Self { registry, server_listeners, recovery }
    }

    pub(crate) fn recovery(&self) -> Option<&Arc<RecoveryOf>> {
        self.recovery.as_ref()
    }

    /// The connected sockets of this server that belong to the audience.
    pub fn sockets(&self, audience: &Audience) -> Vec<Socket> {
        let mut sockets = Vec::new();
        self.registry.for_each(audience, |socket| {
            if socket.is_connected() {
                sockets.push(socket.clone());
            }
        });
        sockets
    }

    /// The sockets of a page, and one more if there are more.
    pub(crate) fn page(&self, audience: &Audience, page: &Page) -> Vec<Socket> {
        let mut selecting = Selecting::new(page);
        self.registry.for_each(audience, |socket| {
            if socket.is_connected() {
                selecting.offer(socket.id(), || socket.clone());
            }
        });
        selecting.into_entries().collect()
    }

    /// The names of a page of rooms, and one more if there are more. Each socket is also in a room
    /// with its own id.
    pub(crate) fn room_page(&self, page: &Page) -> BTreeSet<String> {
        let mut selecting = Selecting::names(page);
        self.registry.rooms().for_each_name(|name| selecting.offer_name(name));
        self.registry.all().iter().for_each(|socket| selecting.offer_name(&socket.id()));
        selecting.into_names()
    }

    /// Calls the namespace's [listeners](crate::Namespace::on_server) for an event that another
    /// server sent with [`server_emit`](Adapter::server_emit). Packets of raw messages are ignored.
    pub fn received(&self, event: &Packet, from: Option<ServerId>) {
        self.call_listeners(event, from, None);
    }

    /// Like [`received`](Self::received), for an event that another server sent with
    /// [`server_request`](Adapter::server_request). The first answer of a listener is passed to
    /// `ack`.
    pub fn received_request(&self, event: &Packet, from: Option<ServerId>, ack: ServerAck) {
        self.call_listeners(event, from, Some(ack));
    }

    fn call_listeners(&self, event: &Packet, from: Option<ServerId>, ack: Option<ServerAck>) {
        if let Some(name) = event.name() {
            let event = ServerEvent::new(name, event.args(), from, ack);
            if !self.revoke_for(&event) && !self.tell_stats_for(&event) {
                self.server_listeners.call(&event);
            }
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Adapter for LocalAdapter {
    fn local(&self) -> &LocalAdapter {
        self
    }

    fn emit(&self, packet: &Packet, audience: &Audience) {
        if let Some(recovery) = &self.recovery {
            return recovery.emit(packet, audience, &self.registry);
        }
        self.registry.for_each(audience, |socket| {
            // `deliver` counts and reports the overflow of a slow client. The other clients still
            // get the message.
            let _ = socket.deliver(packet);
        });
    }

    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        if let Some(recovery) = &self.recovery {
            return recovery.emit_to(packet, id, &self.registry);
        }
        match self.registry.get(id) {
            Some(socket) => socket.deliver(packet),
            None => Err(EmitError::NotFound(id.to_owned())),
        }
    }

    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        match &self.recovery {
            Some(recovery) => recovery.emit_to_socket(packet, socket),
            None => socket.deliver(packet),
        }
    }

    fn ask(&self, question: Packet, audience: &Audience, answers: AnswerSink) {
        answers.ask(question, &self.sockets(audience));
    }

    fn change(&self, change: &Change<'_>, audience: &Audience) {
        for socket in self.sockets(audience) {
            socket.change(change);
        }
    }

    fn fetch(&self, audience: &Audience, _timeout: Duration) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        let fetched = Fetched::new(self.sockets(audience).iter().map(RemoteSocket::of).collect());
        Box::pin(std::future::ready(Ok(fetched)))
    }

    fn fetch_page(
        &self,
        audience: &Audience,
        page: &Page,
        _timeout: Duration,
    ) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        let fetched = Fetched::new(self.page(audience, page).iter().map(RemoteSocket::of).collect());
        Box::pin(std::future::ready(Ok(fetched)))
    }

    fn servers(&self) -> BoxFuture<'static, Result<usize, RequestError>> {
        Box::pin(std::future::ready(Ok(1)))
    }

    fn server_emit(&self, _event: &Packet) -> Result<(), EmitError> {
        // There is no other server.
        Ok(())
    }

    fn server_request(
        &self,
        _event: &Packet,
        _timeout: Duration,
    ) -> BoxFuture<'static, Result<ServerReplies, RequestError>> {
        Box::pin(std::future::ready(Ok(ServerReplies::default())))
    }

    fn all_rooms(&self, _timeout: Duration) -> BoxFuture<'static, Result<AllRooms, RequestError>> {
        Box::pin(std::future::ready(Ok(AllRooms::new(self.room_page(&Page::ALL)))))
    }

    fn fetch_rooms(&self, page: &Page, _timeout: Duration) -> BoxFuture<'static, Result<AllRooms, RequestError>> {
        Box::pin(std::future::ready(Ok(AllRooms::new(self.room_page(page)))))
    }
}

impl Debug for LocalAdapter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Socket`'s output contains its id, and reading the id takes a lock.
        formatter.debug_struct("LocalAdapter").field("sockets", &self.registry.len()).finish_non_exhaustive()
    }
}
