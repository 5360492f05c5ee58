//! Access to internals for the fuzz targets. Compiled only for them.

use bytes::Bytes;
use http::{Extensions, Request as HttpRequest};
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(feature = "cluster")]
use crate::cluster::{Dialect, Topic, codec};
use crate::connection::websocket::WebSocketTransport;
use crate::connection_handle::request::Request;
use crate::connection_handle::stream::Stream;
use crate::hub::Hub;
use crate::hub::aliases::EngineSession;
use crate::hub::connections::ConnectionPermit;
use crate::routes::engine_routes::EngineRoutes;
use crate::wire::engineio::{self, Body};
use crate::wire::envelope::{self, ArgumentText, Envelope};
use crate::wire::frame::EncodedFrame;
use crate::wire::socketio;

/// The result of reading a text message.
#[derive(Debug)]
pub enum Read {
    /// An event.
    Event {
        /// Its name.
        name: String,
        /// Its arguments, comma-separated.
        args: String,
    },
    /// An answer.
    Answer,
    /// An ordinary message.
    Message,
}

/// Reads a text as a plain WebSocket connection does.
pub fn read_envelope(text: &str) -> Read {
    match envelope::read(text) {
        Some(Envelope::Event { name, args: ArgumentText::One(args) | ArgumentText::Many(args), .. }) => {
            Read::Event { name: name.into_owned(), args: args.to_owned() }
        }
        Some(Envelope::Answer { .. }) => Read::Answer,
        None => Read::Message,
    }
}

/// Runs a plain WebSocket connection of a hub over a stream after the handshake. The future
/// completes when the connection has ended.
///
/// # Panics
///
/// Panics if the hub is shutting down or has reached its maximum number of connections.
pub fn connection<S>(hub: &Hub, stream: S) -> impl Future<Output = ()> + Send + use<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (request, permit) = beginning(hub);
    hub.websocket().begin(Stream::Other(Box::new(stream)), Vec::new(), request, Extensions::new(), permit)
}

/// Runs a Socket.IO connection of a hub over a WebSocket stream after the handshake. The future
/// completes when the connection has ended.
///
/// # Panics
///
/// Panics if the hub is shutting down or has reached its maximum number of connections.
pub fn socketio_connection<S>(routes: &EngineRoutes, hub: &Hub, stream: S) -> impl Future<Output = ()> + Send + use<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (request, permit) = beginning(hub);
    let websocket = WebSocketTransport::new(Stream::Other(Box::new(stream)), Vec::new(), hub.config().max_payload);
    let session = EngineSession::new(&routes.settings().sessions, false);
    routes.settings().websocket_connection(session, websocket, request, Extensions::new(), permit)
}

fn beginning(hub: &Hub) -> (Request, ConnectionPermit) {
    let (parts, ()) = HttpRequest::new(()).into_parts();
    let request = Request::new(&parts, std::iter::empty(), None, false, |_| true);
    (request, ConnectionPermit::acquire(hub).expect("a place for the connection"))
}

/// An Engine.IO message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

/// Reads the messages in a long-polling body; `None` if the body is invalid.
pub fn read_body(body: &[u8]) -> Option<Vec<Message>> {
    let body = Body::new(Bytes::copy_from_slice(body)).ok()?;
    let mut messages = Vec::new();
    for packet in body {
        match engineio::read(&packet).ok()? {
            engineio::EnginePacket::Text(text) => messages.push(Message::Text(text.to_string())),
            engineio::EnginePacket::Binary(bytes) => messages.push(Message::Binary(bytes)),
            _ => {}
        }
    }
    Some(messages)
}

/// Writes a long-polling body with these messages.
pub fn write_body(messages: &[Message]) -> Vec<u8> {
    let mut waiting = Vec::new();
    for message in messages {
        match message {
            Message::Text(text) => EncodedFrame::text(&format!("4{text}")).append_to(&mut waiting),
            Message::Binary(bytes) => EncodedFrame::binary(bytes).append_to(&mut waiting),
        }
    }
    let mut body = Vec::new();
    engineio::write_body(&mut body, &waiting);
    body
}

/// A Socket.IO packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The number of its attachments.
    pub attachments: usize,
    /// Its namespace.
    pub namespace: String,
    /// Its ack id.
    pub id: Option<String>,
    /// Its JSON.
    pub json: String,
    /// The name of an event.
    pub name: String,
    /// The arguments of an event or an answer.
    pub args: String,
    /// The nesting of the arguments.
    pub depth: usize,
    /// Its text with all placeholders in the same form, if all of them are valid.
    pub rewritten: Option<String>,
}

/// Reads a text as a Socket.IO packet. `None` if it is invalid or nested too deeply for decoders.
pub fn read_packet(text: &str) -> Option<Packet> {
    let packet = socketio::read(text, 10).ok()?;
    let attachments = vec![Bytes::new(); packet.attachments];
    let rewritten = (packet.depth <= 128).then(|| packet.with_placeholders(text, &attachments, 1000).ok()).flatten();
    Some(Packet {
        attachments: packet.attachments,
        namespace: packet.namespace.to_owned(),
        id: packet.id.map(str::to_owned),
        json: packet.json.to_owned(),
        name: packet.name.into_owned(),
        args: packet.args.to_owned(),
        depth: packet.depth,
        rewritten,
    })
}

/// Reads bytes as a message of a cluster. The first byte chooses the topic: `r` that of requests,
/// `a` that of answers, every other the main one. What is read must survive writing and reading.
///
/// # Panics
///
/// Panics if it does not.
#[cfg(feature = "cluster")]
pub fn check_cluster_message(dialect: Dialect, bytes: &[u8]) {
    let Some((topic, body)) = bytes.split_first() else { return };
    let namespace = "/";
    let topic = match topic {
        b'r' => Topic::Requests { namespace },
        b'a' => Topic::Responses { namespace },
        _ => Topic::Main { namespace },
    };
    codec::check(dialect, topic, &Bytes::copy_from_slice(body));
}
