//! What fuzz targets need to see of the inside. Compiled for them alone.

use bytes::Bytes;
use http::{Extensions, Request as HttpRequest};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::websocket::WebSocketTransport;
use crate::handle::request::Request;
use crate::handle::stream::Stream;
use crate::hub::Hub;
use crate::hub::connections::ConnectionPermit;
use crate::hub::peer::EngineSession;
use crate::transport::engine_routes::EngineRoutes;
use crate::wire::engineio::{self, Body};
use crate::wire::envelope::{self, ArgumentText, Envelope};
use crate::wire::frame::EncodedFrame;
use crate::wire::socketio;

/// What a text was read as.
#[derive(Debug)]
pub enum Read {
    /// An event; the arguments as they stand between the brackets of a list.
    Event {
        /// Its name.
        name: String,
        /// Its arguments.
        args: String,
    },
    /// An answer.
    Answer,
    /// An ordinary message.
    Message,
}

/// Reads a text as plain WebSocket connections do.
pub fn read_envelope(text: &str) -> Read {
    match envelope::read(text) {
        Some(Envelope::Event { name, args: ArgumentText::One(args) | ArgumentText::Many(args), .. }) => {
            Read::Event { name: name.into_owned(), args: args.to_owned() }
        }
        Some(Envelope::Answer { .. }) => Read::Answer,
        None => Read::Message,
    }
}

/// A plain WebSocket connection of a hub, over a stream on which the handshake is done. It has ended when the future does.
///
/// # Panics
///
/// The hub shuts down, or has as many connections as it may have.
pub fn connection<S>(hub: &Hub, stream: S) -> impl Future<Output = ()> + Send + use<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (request, permit) = beginning(hub);
    hub.websocket().begin(Stream::Other(Box::new(stream)), Vec::new(), request, Extensions::new(), permit)
}

/// A Socket.IO connection of a hub, over a stream on which the handshake for its WebSocket is done. It has ended when the future
/// does.
///
/// # Panics
///
/// The hub shuts down, or has as many connections as it may have.
pub fn socketio_connection<S>(routes: &EngineRoutes, hub: &Hub, stream: S) -> impl Future<Output = ()> + Send + use<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (request, permit) = beginning(hub);
    let websocket = WebSocketTransport::new(Stream::Other(Box::new(stream)), Vec::new(), hub.config().max_payload);
    let session = EngineSession::new(&routes.options().sessions, false);
    routes.options().opened(session, websocket, request, Extensions::new(), permit)
}

fn beginning(hub: &Hub) -> (Request, ConnectionPermit) {
    let (parts, ()) = HttpRequest::new(()).into_parts();
    let request = Request::new(&parts, std::iter::empty(), None, false, None);
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

/// The messages in a body of long-polling; `None` if it is no body.
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

/// A body with these messages.
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
    /// How many attachments it has.
    pub attachments: usize,
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub id: Option<String>,
    /// Its JSON.
    pub json: String,
    /// An event's name.
    pub name: String,
    /// Its arguments, or an answer's.
    pub args: String,
    /// How deeply they are nested.
    pub depth: usize,
    /// Its text with all placeholders in the same form, if they can be.
    pub rewritten: Option<String>,
}

/// Reads a text as a Socket.IO packet, as long as it is not too deep for whatever comes after.
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
