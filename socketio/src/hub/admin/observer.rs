//! [`Observer`]: what a namespace tells the admins of a hub in development mode.
//!
//! Events are observed with listeners, which each socket gets when it is registered. Those of the
//! admins are not observed: a report of a report would have no end.

use serde_json::json;
use std::sync::Arc;
use tokio::runtime::Handle;

use super::AdminCore;
use super::describe;
use super::reports::{Reports, now};
use crate::connection_handle::engine_session::Transport;
use crate::event::listener::EventPayload;
use crate::hub::Hub;
use crate::hub::socket::Socket;
use crate::session::disconnect::Disconnect;

/// The observer of a namespace. Without an Admin UI in development mode it does nothing.
pub(crate) struct Observer(Option<Arc<AdminCore>>);

impl Observer {
    pub(super) fn new(core: Option<Arc<AdminCore>>) -> Self {
        Self(core)
    }

    pub(crate) fn observes(&self) -> bool {
        self.0.is_some()
    }

    /// Calls `report` if somebody may receive it.
    fn report(&self, hub: &Hub, report: impl FnOnce(&AdminCore, Reports)) {
        if let Some(core) = &self.0
            && let Some(reports) = Reports::of(core, hub)
        {
            report(core, reports);
        }
    }

    /// A socket was registered, and is not accepted yet.
    pub(crate) fn added(&self, socket: &Socket) {
        let Some(core) = self.0.as_ref().filter(|core| core.path() != socket.namespace()) else { return };
        let received = Arc::clone(core);
        socket.on_any(move |payload: EventPayload| {
            if payload.from_client()
                && let Some(reports) = Reports::of(&received, payload.socket.hub())
            {
                let namespace = payload.socket.namespace();
                reports.send_event("event_received", namespace, &payload.socket_id, &payload.name, payload.args());
            }
        });
        let (core, weak) = (Arc::clone(core), socket.downgrade());
        socket.on_any_outgoing(move |name, args| {
            if let Some(socket) = weak.upgrade()
                && let Some(reports) = Reports::of(&core, socket.hub())
            {
                reports.send_event("event_sent", socket.namespace(), &socket.id(), name, args);
            }
        });
    }

    /// A socket was accepted.
    pub(crate) fn connected(&self, socket: &Socket) {
        self.report(socket.hub(), |core, reports| {
            let id = socket.id();
            reports.send(("room_joined", socket.namespace(), &id, &id, now()));
            reports.send(("socket_connected", describe::of(core, socket), now()));
        });
        self.tell_upgrade(socket);
    }

    /// Tells when a client that polls has upgraded to a WebSocket.
    fn tell_upgrade(&self, socket: &Socket) {
        if !self.observes() || socket.transport() != Transport::Polling {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let (observer, socket) = (Self(self.0.clone()), socket.clone());
        runtime.spawn(async move {
            if socket.upgraded().await && socket.is_connected() {
                observer.report(socket.hub(), |_, reports| {
                    let transport = socket.transport().as_str();
                    let update = json!({ "id": socket.id(), "nsp": socket.namespace(), "transport": transport });
                    reports.send(("socket_updated", update));
                });
            }
        });
    }

    /// A socket is about to leave.
    pub(crate) fn disconnected(&self, socket: &Socket, disconnect: &Disconnect) {
        if self.observes() && socket.is_connected() {
            self.tell_end(socket, &socket.id(), disconnect.reason().as_str());
        }
    }

    fn tell_end(&self, socket: &Socket, id: &str, reason: &str) {
        self.report(socket.hub(), |_, reports| {
            reports.send(("socket_disconnected", socket.namespace(), id, reason, now()));
            reports.send(("room_left", socket.namespace(), id, id, now()));
        });
    }

    /// The rooms of a socket that is not accepted yet are told when it is.
    pub(crate) fn joined(&self, socket: &Socket, room: &str) {
        if socket.is_connected() {
            self.tell_room("room_joined", socket, room);
        }
    }

    pub(crate) fn left(&self, socket: &Socket, room: &str) {
        if socket.was_connected() {
            self.tell_room("room_left", socket, room);
        }
    }

    fn tell_room(&self, report: &str, socket: &Socket, room: &str) {
        self.report(socket.hub(), |_, reports| {
            reports.send((report, socket.namespace(), room, socket.id(), now()));
        });
    }

    /// A socket has another id. The page knows no event for that.
    pub(crate) fn renamed(&self, socket: &Socket, from: &str) {
        if socket.is_connected() {
            self.tell_end(socket, from, "renamed");
            self.connected(socket);
        }
    }

    /// The attributes of a socket have changed.
    pub(crate) fn changed(&self, socket: &Socket) {
        if !self.observes() || !socket.is_connected() {
            return;
        }
        self.report(socket.hub(), |_, reports| {
            let data = describe::data(socket.attributes().iter());
            reports.send(("socket_updated", json!({ "id": socket.id(), "nsp": socket.namespace(), "data": data })));
        });
    }

    /// An attribute that other servers are told, for their admins.
    #[cfg(feature = "cluster")]
    pub(crate) fn told(&self, socket: &Socket) -> Option<(&'static str, serde_json::Value)> {
        Some((describe::ATTRIBUTE, describe::told(self.0.as_ref()?, socket)))
    }
}
