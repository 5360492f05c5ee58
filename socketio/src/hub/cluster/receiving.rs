//! What the engine received is decoded, and delivered to the sockets of this server.

use bytes::Bytes;
use std::sync::Arc;

use super::core::ClusterCore;
use super::log::{RESUMED, WANTED};
use super::member::Member;
use super::requests::Answer;
use crate::cluster::codec::{self, Incoming, Malformed, RawPacket, Received};
use crate::cluster::message::{FetchPage, Message, Options};
use crate::cluster::{Dialect, GapReason, LogEntry, Offset, Receive, Topic};
use crate::connection_handle::flush_scope::FlushScope;
use crate::hub::adapter::{Adapter, Audience, Change, ServerId};
use crate::hub::listing::Page;

/// The bytes of an ignored message that are logged.
const LOGGED_BYTES: usize = 64;

impl Receive for ClusterCore {
    /// Runs on the engine's task and must not block.
    fn deliver(&self, topic: Topic<'_>, body: Bytes) {
        if body.len() > self.max_received() {
            self.counters().oversized.add(1);
            log(&body, "a message of the cluster is too large");
            return;
        }
        let _scope = FlushScope::begin();
        if self.receive(topic, &body, None).is_err() {
            self.malformed(&body);
        }
    }

    fn deliver_entry(&self, entry: LogEntry<'_>) {
        let LogEntry { offset, namespace, server, kind, data } = &entry;
        let _scope = FlushScope::begin();
        if data.len() > self.max_received() {
            self.counters().oversized.add(1);
            log(data, "an entry of the log is too large");
        } else if self.receive(Topic::Log { namespace, server, kind: *kind }, data, Some(*offset)).is_err() {
            self.malformed(data);
        }
        self.set_position(*offset);
    }

    fn deliver_together(&self, deliver: &mut dyn FnMut()) {
        let _scope = FlushScope::begin();
        deliver();
    }

    fn connected(&self) {
        self.state().connected();
        self.begin_heartbeats();
    }

    fn disconnected(&self, reason: String) {
        self.state().disconnected(reason);
    }

    fn gap(&self, reason: GapReason) {
        self.counters().gaps.add(1);
        if reason == GapReason::Trimmed {
            self.log_has_gap();
        }
        self.state().gap(reason);
    }

    fn malformed(&self, bytes: &[u8]) {
        self.counters().malformed.add(1);
        log(bytes, "a message of the cluster is malformed");
    }
}

/// Logs the beginning of a message that is ignored.
fn log(bytes: &[u8], why: &str) {
    let start = &bytes[..bytes.len().min(LOGGED_BYTES)];
    tracing::debug!(length = bytes.len(), start = %start.escape_ascii(), "{why}");
}

impl ClusterCore {
    /// `offset`: that of an entry of the log.
    fn receive(&self, topic: Topic<'_>, body: &Bytes, offset: Option<Offset>) -> Result<(), Malformed> {
        if self.is_answer_to_another(topic, body) {
            return Ok(());
        }
        let member = self.member(topic.namespace());
        if let Some(member) = &member
            && self.dialect() == Dialect::Classic
            && let Topic::Main { .. } | Topic::Room { .. } = topic
            && self.skips(member, topic, body)
        {
            return Ok(());
        }
        if self.skips_entry(member.as_deref(), topic) {
            return Ok(());
        }
        let Received { server, message, .. } = codec::decode(self.dialect(), topic, body)?;
        let server = server.as_deref();
        let is_own = server == Some(self.server().as_str());
        if let (false, Some(known), Some(server)) = (is_own, self.known(), server) {
            known.note(topic.namespace(), server, &message);
        }
        if let Message::Probe { number } = message {
            let own = Topic::Reply { namespace: topic.namespace(), server: self.server().as_str() };
            if matches!(topic, Topic::Log { server, .. } if server == self.server().as_str()) {
                self.publish_probe_directly(number);
            } else if is_own || topic == own {
                self.state().probe_arrived(number);
            }
            return Ok(());
        }
        let message = match is_own {
            true => message,
            false => match self.answer(server, message)? {
                Some(message) => message,
                None => return Ok(()),
            },
        };
        let (is_logged, is_volatile) = match &message {
            Message::Broadcast { options, request: None, .. } => (offset.is_some(), options.flags.volatile),
            _ => (false, false),
        };
        let recovery = member.as_ref().and_then(|member| member.local().recovery());
        let recovery = recovery.filter(|recovery| is_logged && recovery.shared().is_some());
        // If clients can resume, this server's own sockets get its events from the log.
        if is_own && (recovery.is_none() || is_volatile) {
            self.counters().own.add(1);
            return Ok(());
        }
        match is_own {
            true => self.counters().own.add(1),
            false => self.counters().received.add(1),
        }
        let Some(member) = &member else { return Ok(()) };
        if let (Some(recovery), Some(offset)) = (recovery, offset)
            && let Message::Broadcast { packet, options, .. } = &message
        {
            return member.deliver_entry(recovery, offset, packet, options);
        }
        if let Some(server) = server
            && let Message::Broadcast { request: None, .. } = message
            && let Some(number) = codec::sequence(self.dialect(), body)
        {
            self.note_number(member, server, number);
        }
        member.act(server, message, offset)
    }

    /// Whether a message on a shared topic answers a request of another server. Servers on Node.js
    /// answer there by default, with descriptions of all their sockets.
    fn is_answer_to_another(&self, topic: Topic<'_>, body: &[u8]) -> bool {
        let request = match (self.dialect(), topic) {
            (Dialect::Classic, Topic::Responses { .. }) => body.strip_prefix(br#"{"requestId":""#),
            (Dialect::Messages, Topic::Main { .. }) => codec::answered_request(body),
            _ => None,
        };
        // The ids of this server's requests begin with its own.
        request.is_some_and(|request| !request.starts_with(self.server().as_str().as_bytes()))
    }

    /// Decides without decoding it whether an entry of the log concerns nobody here: it is of this
    /// server, whose sockets do not get its messages from the log, or of a namespace without
    /// sockets.
    fn skips_entry(&self, member: Option<&Member>, topic: Topic<'_>) -> bool {
        let Topic::Log { server, kind, .. } = topic else { return false };
        if kind == codec::PROBE_IN_LOG {
            return server != self.server().as_str();
        }
        let Some(member) = member else { return true };
        let is_shared = member.local().recovery().is_some_and(|recovery| recovery.shared().is_some());
        if is_shared {
            return false;
        }
        let counters = self.counters();
        if server == self.server().as_str() {
            counters.own.add(1);
            return true;
        }
        // Events of servers, which emitters write into the log, need no sockets.
        let is_skipped = kind == codec::BROADCAST_IN_LOG && member.local().registry().is_empty();
        if is_skipped {
            counters.received.add(1);
            counters.skipped.add(1);
        }
        is_skipped
    }

    /// Decides by its first and last bytes whether an event of the classic dialect concerns no
    /// socket of this server.
    fn skips(&self, member: &Member, topic: Topic<'_>, body: &Bytes) -> bool {
        let Some(server) = codec::server_of(self.dialect(), body) else { return false };
        if server == self.server().as_str() {
            self.counters().own.add(1);
            return true;
        }
        let is_concerned = match topic {
            Topic::Room { room, .. } => member.local().registry().has_members(room),
            _ => !member.local().registry().is_empty(),
        };
        if is_concerned {
            return false;
        }
        if let Some(number) = codec::sequence(self.dialect(), body) {
            self.note_number(member, server, number);
        }
        self.counters().received.add(1);
        self.counters().skipped.add(1);
        true
    }

    fn note_number(&self, member: &Member, server: &str, number: u64) {
        let missing = member.note_number(server, number);
        if missing > 0 {
            self.counters().missed.add(missing);
            self.gap(GapReason::Sequence { missing });
        }
    }

    /// Passes an answer to its request. Returns other messages.
    fn answer<'a>(&self, server: Option<&str>, message: Incoming<'a>) -> Result<Option<Incoming<'a>>, Malformed> {
        let server = || server.map(ServerId::from);
        let requests = self.requests();
        let (request, answer) = match message {
            Message::Sockets { request, sockets } => (request, Answer::Sockets(sockets)),
            Message::Rooms { request, rooms } => (request, Answer::Rooms(rooms)),
            Message::ClientCount { request, clients } => (request, Answer::ClientCount(clients)),
            Message::Ack { request, answer, socket } if requests.is_pending(&request) => {
                let value = answer.map(|answer| answer.value()).transpose()?;
                (request, Answer::Ack { value, socket: socket.map(Into::into) })
            }
            Message::ServerAnswer { request, answer } if requests.is_pending(&request) => {
                (request, Answer::Server(answer.map(|answer| answer.value()).transpose()?))
            }
            Message::Ack { .. } | Message::ServerAnswer { .. } | Message::SocketIds { .. } | Message::Done { .. } => {
                return Ok(None);
            }
            other => return Ok(Some(other)),
        };
        self.counters().received.add(1);
        requests.answer(&request, server(), answer);
        Ok(None)
    }
}

impl Member {
    /// Does what another server asks for.
    fn act(
        self: &Arc<Self>,
        server: Option<&str>,
        message: Incoming<'_>,
        offset: Option<Offset>,
    ) -> Result<(), Malformed> {
        let local = self.local();
        match message {
            Message::Broadcast { packet, options, request: None } => self.deliver(&packet, &options)?,
            Message::Broadcast { packet, options, request: Some(request) } => {
                let packet = packet.packet()?.with_volatile(options.flags.volatile);
                self.ask_local(server, &request, packet, &audience(&options), options.flags.timeout);
            }
            Message::Join { options, rooms } => self.change(&Change::Join(&names(&rooms)), &options, offset),
            Message::Leave { options, rooms } => self.change(&Change::Leave(&names(&rooms)), &options, offset),
            Message::Disconnect { options, close, reason } => {
                self.change(&Change::Disconnect { close, reason: &reason }, &options, offset);
            }
            Message::OldJoin { socket, room, request } => {
                local.change(&Change::Join(&[(&*room).into()]), &Audience::new([&*socket], None::<&str>));
                self.reply(server, &Message::Done { request });
            }
            Message::OldLeave { socket, room, request } => {
                local.change(&Change::Leave(&[(&*room).into()]), &Audience::new([&*socket], None::<&str>));
                self.reply(server, &Message::Done { request });
            }
            Message::OldDisconnect { socket, close, request } => {
                let audience = Audience::new([&*socket], None::<&str>);
                local.change(&Change::Disconnect { close, reason: "" }, &audience);
                self.reply(server, &Message::Done { request });
            }
            Message::Fetch { options, request, page: None } => {
                self.tell_sockets(server, request, &local.sockets(&audience(&options)));
            }
            Message::Fetch { options, request, page: Some(page) } => {
                self.tell_sockets(server, request, &local.page(&audience(&options), &wanted(page)));
            }
            Message::FetchRooms { request, page } => {
                let page = if page.is_all() { Page::ALL } else { wanted(page) };
                let rooms = local.room_page(&page).into_iter().collect();
                self.reply(server, &Message::Rooms { request, rooms });
            }
            Message::FetchIds { request, rooms } => {
                let audience = Audience::new(rooms.iter().map(|room| &**room), None::<&str>);
                let ids = local.sockets(&audience).iter().map(|socket| socket.id().to_string()).collect();
                self.reply(server, &Message::SocketIds { request, ids });
            }
            Message::ServerEmit { packet, request } => self.receive_server_event(server, &packet, request)?,
            Message::InitialHeartbeat => self.answer_heartbeat(),
            // Answers and probes were handled before. Heartbeats were noted.
            _ => {}
        }
        Ok(())
    }

    /// Changes sockets. A socket that has resumed its session is not concerned by earlier entries
    /// of the log.
    fn change(&self, change: &Change<'_>, options: &Options<'_>, offset: Option<Offset>) {
        for socket in self.local().sockets(&audience(options)) {
            if let (Some(session), Some(offset)) = (socket.session(), offset) {
                if !session.is_live_at(offset) {
                    continue;
                }
                match change {
                    Change::Disconnect { reason: RESUMED, .. } => session.set_moved(),
                    Change::Disconnect { reason: WANTED, .. } => {
                        socket.cut_off();
                        continue;
                    }
                    _ => {}
                }
            }
            socket.change(change);
        }
    }

    /// Delivers an event. It is decoded only if there is somebody to receive it.
    fn deliver(&self, packet: &RawPacket<'_>, options: &Options<'_>) -> Result<(), Malformed> {
        let registry = self.local().registry();
        let is_concerned = match &*options.rooms {
            [] => !registry.is_empty(),
            rooms => rooms.iter().any(|room| registry.has_members(room)),
        };
        if !is_concerned {
            self.core().counters().skipped.add(1);
            return Ok(());
        }
        let packet = options.flags.with_policy(packet.packet()?);
        self.local().emit(&packet, &audience(options));
        self.core().counters().delivered.add(1);
        Ok(())
    }
}

pub(super) fn audience(options: &Options<'_>) -> Audience {
    Audience::new(options.rooms.iter().map(|room| &**room), options.except.iter().map(|room| &**room))
}

/// The page that another server asks for. It gets one more socket or room if there are more.
fn wanted(FetchPage { after, limit }: FetchPage<'_>) -> Page {
    let page = Page::new().limit(usize::try_from(limit).unwrap_or(usize::MAX));
    match after {
        Some(after) => page.after(after),
        None => page,
    }
}

fn names(names: &[std::borrow::Cow<'_, str>]) -> Vec<Arc<str>> {
    names.iter().map(|name| (&**name).into()).collect()
}
