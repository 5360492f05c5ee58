//! [`ClusterAdapter`]: the adapter of a namespace in a cluster.

use std::sync::Arc;
use std::time::Duration;

use super::core::ClusterCore;
use super::log::MemberLog;
use super::member::Member;
use crate::cluster::message::{Message, Options};
use crate::hub::adapter::{
    Adapter, AdapterError, AllRooms, AnswerSink, Audience, BoxFuture, Change, Fetched, LocalAdapter, Packet,
    RequestError, ServerReplies,
};
use crate::hub::listing::Page;
use crate::hub::namespace::inner::Lifetime;
use crate::hub::selection::EmitError;
use crate::hub::socket::Socket;

/// Delivers to the sockets of this server through the local adapter, and publishes to the others.
#[derive(Debug)]
pub(super) struct ClusterAdapter(Arc<Member>);

impl ClusterAdapter {
    /// A static namespace joins the cluster at once, a dynamic one when it is opened.
    pub(super) fn new(core: &Arc<ClusterCore>, path: &str, local: LocalAdapter, lifetime: Lifetime) -> Self {
        let member = Member::new(core, path, local);
        if let Some(recovery) = member.local().recovery().filter(|_| core.engine().log().is_some()) {
            recovery.share(MemberLog::new(core, path));
        }
        if lifetime == Lifetime::Static {
            member.join();
        }
        Self(member)
    }

    pub(super) fn core(&self) -> &Arc<ClusterCore> {
        self.0.core()
    }
}

impl Drop for ClusterAdapter {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Adapter for ClusterAdapter {
    fn local(&self) -> &LocalAdapter {
        self.0.local()
    }

    fn emit(&self, packet: &Packet, audience: &Audience) {
        if let Some(recovery) = self.0.logs(packet).filter(|_| !audience.is_local()) {
            if !self.0.log_event(packet, audience, None) {
                recovery.emit_unlogged(packet, audience, self.local().registry(), true);
            }
            return;
        }
        if !audience.is_local() {
            self.0.publish_event(packet, audience, None);
        }
        self.local().emit(packet, audience);
    }

    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        let Some((recovery, session)) = self.0.logs(packet).zip(socket.session()) else {
            return self.local().emit_to_socket(packet, socket);
        };
        if !socket.is_alive() && !session.is_kept() {
            return Err(EmitError::Closed);
        }
        let audience = Audience::new([&*socket.id()], None::<&str>);
        match self.0.log_event(packet, &audience, Some(session.number())) {
            true => Ok(()),
            false => recovery.emit_unlogged_to(packet, socket, session, true),
        }
    }

    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        if let Some(recovery) = self.0.logs(packet) {
            let audience = Audience::new([id], None::<&str>);
            return match (self.0.log_event(packet, &audience, None), self.local().registry().get(id)) {
                (true, _) => Ok(()),
                (false, Some(socket)) => match socket.session() {
                    Some(session) => recovery.emit_unlogged_to(packet, &socket, session, true),
                    None => self.local().emit_to_socket(packet, &socket),
                },
                (false, None) => Err(EmitError::Unreachable),
            };
        }
        // An id that was set by the application may exist on several servers.
        if has_generated_form(id) && self.local().registry().get(id).is_some() {
            return self.local().emit_to(packet, id);
        }
        let is_queued = self.0.publish_event(packet, &Audience::new([id], None::<&str>), None);
        // The local adapter also keeps messages for clients that may resume their session.
        match self.local().emit_to(packet, id) {
            Err(EmitError::NotFound(_)) if is_queued => Ok(()),
            Err(EmitError::NotFound(_)) => Err(EmitError::Unreachable),
            result => result,
        }
    }

    fn ask(&self, question: Packet, audience: &Audience, answers: AnswerSink) {
        self.0.ask(question, audience, answers);
    }

    fn change(&self, change: &Change<'_>, audience: &Audience) {
        let sender = audience.except_id();
        let options = options(audience, sender.as_deref());
        let message = match change {
            Change::Join(rooms) => {
                Message::Join { options, rooms: rooms.iter().map(|room| (&**room).into()).collect() }
            }
            Change::Leave(rooms) => {
                Message::Leave { options, rooms: rooms.iter().map(|room| (&**room).into()).collect() }
            }
            Change::Disconnect { close, reason } => {
                Message::Disconnect { options, close: *close, reason: (*reason).into() }
            }
        };
        self.0.publish_to_all(&message);
        self.local().change(change, audience);
    }

    fn fetch(&self, audience: &Audience, timeout: Duration) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        self.0.fetch(audience, None, timeout)
    }

    fn fetch_page(
        &self,
        audience: &Audience,
        page: &Page,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        self.0.fetch(audience, Some(page), timeout)
    }

    fn servers(&self) -> BoxFuture<'static, Result<usize, RequestError>> {
        let member = Arc::clone(&self.0);
        Box::pin(async move {
            member.core().start();
            match member.count_others().await {
                Some(others) => Ok(others.len().saturating_add(1)),
                None => Err(RequestError::Unavailable("the servers can't be counted".to_owned())),
            }
        })
    }

    fn server_emit(&self, event: &Packet) -> Result<(), EmitError> {
        let is_queued = self.0.publish_to_all(&Message::ServerEmit { packet: event, request: None });
        if is_queued { Ok(()) } else { Err(EmitError::Unreachable) }
    }

    fn server_request(
        &self,
        event: &Packet,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<ServerReplies, RequestError>> {
        self.0.server_request(event, timeout)
    }

    fn all_rooms(&self, timeout: Duration) -> BoxFuture<'static, Result<AllRooms, RequestError>> {
        self.0.fetch_rooms(&Page::ALL, timeout)
    }

    fn fetch_rooms(&self, page: &Page, timeout: Duration) -> BoxFuture<'static, Result<AllRooms, RequestError>> {
        self.0.fetch_rooms(page, timeout)
    }

    fn added(&self, _socket: &Socket, id: &str) {
        self.0.joined(id);
    }

    fn joined(&self, _socket: &Socket, room: &Arc<str>) {
        self.0.joined(room);
    }

    fn left(&self, _socket: &Socket, room: &Arc<str>) {
        self.0.left(room);
    }

    fn renamed(&self, _socket: &Socket, from: &str, to: &str) {
        self.0.joined(to);
        self.0.left(from);
    }

    fn removed(&self, _socket: &Socket, id: &str) {
        self.0.left(id);
    }

    fn open(&self) -> BoxFuture<'static, Result<(), AdapterError>> {
        self.0.join();
        Box::pin(std::future::ready(Ok(())))
    }

    fn opened(&self) -> Option<BoxFuture<'static, ()>> {
        self.0.confirmed()
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.0.leave();
        Box::pin(std::future::ready(()))
    }
}

/// The audience as other servers are told it. `sender` is left out.
pub(super) fn options<'a>(audience: &'a Audience, sender: Option<&'a str>) -> Options<'a> {
    let except = audience.except_rooms().iter().map(|room| &**room).chain(sender);
    Options {
        rooms: audience.rooms().iter().map(|room| (&**room).into()).collect(),
        except: except.map(Into::into).collect(),
        ..Options::default()
    }
}

/// Whether an id has the form of generated ones: 15 random bytes in base64.
fn has_generated_form(id: &str) -> bool {
    id.len() == 20 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
