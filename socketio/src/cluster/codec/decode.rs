//! [`decode`]: reads messages of servers on Node.js and of this crate.

use bytes::Bytes;
use std::borrow::Cow;

use super::Malformed;
use super::document::{Document, Read};
use super::fields::{EventFields, Fields, options};
use super::packet::RawPacket;
use super::types::{classic, messages};
use super::value::RawValue;
use crate::cluster::message::{FetchPage, Message, Names, Options, RequestId, SocketDetails};
use crate::cluster::{Dialect, Topic};

/// A received message. Events and answers are not yet decoded.
pub(crate) type Incoming<'a> = Message<'a, RawPacket<'a>, RawValue<'a>>;

/// A received message, and who sent it.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    /// The id of the server that sent it. Answers of servers on Node.js in the classic dialect have
    /// none. That of an emitter is `emitter`, or it has none.
    pub(crate) server: Option<Cow<'a, str>>,
    pub(crate) message: Incoming<'a>,
}

/// Reads a message that was received on a topic. Events and answers are only measured, and decoded
/// by [`RawPacket::packet`] and [`RawValue::value`].
///
/// In the classic dialect, an empty list of sockets is read as [`Message::Sockets`], also if it
/// answers [`Message::FetchIds`].
pub(crate) fn decode<'a>(dialect: Dialect, topic: Topic<'a>, body: &'a Bytes) -> Result<Received<'a>, Malformed> {
    let mut document = Document::new(body)?;
    if let (Dialect::Classic, Topic::Main { namespace } | Topic::Room { namespace, .. }) = (dialect, topic) {
        let received = broadcast(&mut document, namespace)?;
        document.end()?;
        return Ok(received);
    }
    if let Topic::Log { namespace, server, kind } = topic {
        let fields = Fields::read_data(&mut document, dialect, kind)?;
        document.end()?;
        let server = (!server.is_empty()).then_some(server.into());
        return Ok(Received { server, message: cluster_message(fields, namespace)? });
    }
    let mut fields = Fields::read(&mut document, dialect)?;
    document.end()?;
    let server = fields.server.take();
    let message = match (dialect, topic) {
        (Dialect::Classic, Topic::Requests { namespace }) => classic_request(fields, namespace)?,
        (Dialect::Classic, _) => classic_response(fields)?,
        (Dialect::Messages | Dialect::Streams, topic) => cluster_message(fields, topic.namespace())?,
    };
    Ok(Received { server, message })
}

/// Reads an array of the sender's id, a packet and options.
fn broadcast<'a>(document: &mut Document<'a>, namespace: &str) -> Read<Received<'a>> {
    let mut left = document.array()?;
    let mut expect = |document: &mut Document<'a>| document.element(&mut left)?.then_some(()).ok_or(Malformed);
    expect(document)?;
    let server = if document.null() { None } else { Some(document.text()?) };
    expect(document)?;
    let event = EventFields::read(document)?;
    expect(document)?;
    let options = options(document)?;
    // The number, and what later versions may add.
    while document.element(&mut left)? {
        document.value()?;
    }
    if event.namespace.as_deref().unwrap_or("/") != namespace {
        return Err(Malformed);
    }
    let packet = packet(event, &options)?;
    Ok(Received { server, message: Message::Broadcast { packet, options, request: None } })
}

/// The event of a broadcast. It is read already if the type came before it.
fn event<'a>(event: Option<EventFields<'a>>, packet: Option<RawValue<'a>>) -> Read<EventFields<'a>> {
    match event {
        Some(event) => Ok(event),
        None => EventFields::read(&mut required(packet)?.document()),
    }
}

/// The packet of an event of the type 2, the only one that servers send.
fn packet<'a>(event: EventFields<'a>, options: &Options<'_>) -> Read<RawPacket<'a>> {
    match event {
        EventFields { kind: Some(2), data: Some(data), has_id, .. } => {
            Ok(RawPacket::new(data, options.flags.raw).with_answer(has_id))
        }
        _ => Err(Malformed),
    }
}

fn classic_request<'a>(fields: Fields<'a>, namespace: &str) -> Read<Incoming<'a>> {
    let kind = fields.kind.ok_or(Malformed)?;
    // The old forms name one socket.
    let is_old = fields.options.is_none();
    Ok(match kind {
        classic::SOCKET_IDS => Message::FetchIds { request: required(fields.request)?, rooms: fields.rooms },
        classic::ALL_ROOMS => {
            let page = fields.page.unwrap_or(FetchPage::ALL);
            Message::FetchRooms { request: required(fields.request)?, page }
        }
        classic::JOIN if is_old => {
            let (socket, room, request) = old_change(fields)?;
            Message::OldJoin { socket, room, request }
        }
        classic::LEAVE if is_old => {
            let (socket, room, request) = old_change(fields)?;
            Message::OldLeave { socket, room, request }
        }
        classic::DISCONNECT if is_old => Message::OldDisconnect {
            socket: required(fields.socket)?,
            close: fields.close,
            request: required(fields.request)?,
        },
        classic::JOIN => Message::Join { options: required(fields.options)?, rooms: fields.rooms },
        classic::LEAVE => Message::Leave { options: required(fields.options)?, rooms: fields.rooms },
        classic::DISCONNECT => disconnect(fields)?,
        classic::FETCH => fetch(fields)?,
        classic::SERVER_EMIT => server_emit(fields.data, fields.request)?,
        classic::BROADCAST => {
            let event = event(fields.event, fields.packet)?;
            let options = required(fields.options)?;
            if event.namespace.as_deref().is_some_and(|other| other != namespace) {
                return Err(Malformed);
            }
            let packet = packet(event, &options)?;
            Message::Broadcast { packet, options, request: Some(required(fields.request)?) }
        }
        _ => return Err(Malformed),
    })
}

fn old_change(fields: Fields<'_>) -> Read<(Cow<'_, str>, Cow<'_, str>, RequestId<'_>)> {
    Ok((required(fields.socket)?, required(fields.room)?, required(fields.request)?))
}

fn classic_response(fields: Fields<'_>) -> Read<Incoming<'_>> {
    if let Some(number) = fields.probe {
        return Ok(Message::Probe { number });
    }
    let request = required(fields.request)?;
    Ok(match fields.kind {
        Some(classic::CLIENT_COUNT) => client_count(fields.clients, request)?,
        Some(classic::ACK) => Message::Ack { request, answer: fields.packet, socket: fields.socket },
        Some(classic::SERVER_EMIT) => Message::ServerAnswer { request, answer: fields.data },
        Some(_) => return Err(Malformed),
        None => match (fields.sockets, fields.has_rooms) {
            (Some(sockets), _) if has_ids(sockets) => {
                let ids = sockets.document().names()?.into_iter().map(Cow::into_owned).collect();
                Message::SocketIds { request, ids }
            }
            (Some(sockets), _) => Message::Sockets { request, sockets: details(sockets)? },
            (None, true) => Message::Rooms { request, rooms: owned(fields.rooms) },
            (None, false) => Message::Done { request },
        },
    })
}

fn cluster_message<'a>(fields: Fields<'a>, namespace: &str) -> Read<Incoming<'a>> {
    // Emitters leave it out.
    if fields.namespace.as_deref().is_some_and(|other| other != namespace) {
        return Err(Malformed);
    }
    if let Some(number) = fields.probe {
        return Ok(Message::Probe { number });
    }
    Ok(match required(fields.kind)? {
        messages::BROADCAST => {
            let event = event(fields.event, fields.packet)?;
            let options = required(fields.options)?;
            Message::Broadcast { packet: packet(event, &options)?, options, request: fields.request }
        }
        messages::JOIN => Message::Join { options: required(fields.options)?, rooms: fields.rooms },
        messages::LEAVE => Message::Leave { options: required(fields.options)?, rooms: fields.rooms },
        messages::DISCONNECT => disconnect(fields)?,
        messages::FETCH => match fields.room_page {
            Some(page) => Message::FetchRooms { request: required(fields.request)?, page },
            None => fetch(fields)?,
        },
        messages::SOCKETS if fields.has_rooms => rooms(fields)?,
        messages::SOCKETS => {
            Message::Sockets { request: required(fields.request)?, sockets: details(required(fields.sockets)?)? }
        }
        messages::SERVER_EMIT => server_emit(fields.packet, fields.request)?,
        messages::SERVER_ANSWER => Message::ServerAnswer { request: required(fields.request)?, answer: fields.packet },
        messages::CLIENT_COUNT => client_count(fields.clients, required(fields.request)?)?,
        messages::ACK => {
            Message::Ack { request: required(fields.request)?, answer: fields.packet, socket: fields.socket }
        }
        messages::INITIAL_HEARTBEAT => Message::InitialHeartbeat,
        messages::HEARTBEAT => Message::Heartbeat,
        messages::CLOSE => Message::Close,
        _ => return Err(Malformed),
    })
}

fn disconnect(fields: Fields<'_>) -> Read<Incoming<'_>> {
    Ok(Message::Disconnect {
        options: required(fields.options)?,
        close: fields.close,
        reason: fields.reason.unwrap_or_default(),
    })
}

fn fetch(fields: Fields<'_>) -> Read<Incoming<'_>> {
    let Fields { options, request, page, .. } = fields;
    Ok(Message::Fetch { options: required(options)?, request: required(request)?, page })
}

fn rooms(fields: Fields<'_>) -> Read<Incoming<'_>> {
    Ok(Message::Rooms { request: required(fields.request)?, rooms: owned(fields.rooms) })
}

fn owned(names: Names<'_>) -> Vec<String> {
    names.into_iter().map(Cow::into_owned).collect()
}

fn server_emit<'a>(data: Option<RawValue<'a>>, request: Option<RequestId<'a>>) -> Read<Incoming<'a>> {
    Ok(Message::ServerEmit { packet: RawPacket::new(required(data)?, false), request })
}

fn client_count(clients: Option<u64>, request: RequestId<'_>) -> Read<Incoming<'_>> {
    let clients = required(clients)?.try_into().map_err(|_| Malformed)?;
    Ok(Message::ClientCount { request, clients })
}

/// Whether a list of sockets only has their ids.
fn has_ids(sockets: RawValue<'_>) -> bool {
    let mut document = sockets.document();
    document
        .array()
        .and_then(|mut left| Ok(document.element(&mut left)? && document.text().is_ok()))
        .unwrap_or_default()
}

fn details(sockets: RawValue<'_>) -> Read<Vec<SocketDetails>> {
    serde_json::from_str(&sockets.to_json()?).map_err(|_| Malformed)
}

fn required<T>(field: Option<T>) -> Read<T> {
    field.ok_or(Malformed)
}
