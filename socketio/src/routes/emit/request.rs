//! [`EmitRequest`]: what a request asks to emit, and whether it may.

use http::StatusCode;
use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::problem::Problem;
use crate::contract::openapi::{Disagreement, EmittedEvents};
use crate::hub::Hub;
use crate::hub::adapter::{Audience, Packet, PacketError};
use crate::hub::namespace::Namespace;

/// The body of a request. Unknown members are refused: a misspelled `rooms` would emit to everyone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow, default = "root")]
    namespace: Cow<'a, str>,
    #[serde(default, deserialize_with = "present")]
    rooms: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    except: Option<Vec<String>>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present_value")]
    args: Option<&'a RawValue>,
    #[serde(default)]
    volatile: bool,
}

fn root<'a>() -> Cow<'a, str> {
    "/".into()
}

/// A list that is there. `null` would emit to everyone, and is mostly a mistake.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(deserializer).map(Some)
}

/// A value that is there, `null` too.
fn present_value<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The limits of requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_body: usize,
    pub(super) max_rooms: usize,
    pub(super) max_room_name: usize,
}

/// An event that can be emitted.
#[derive(Debug)]
pub(super) struct EmitRequest {
    namespace: Namespace,
    audience: Audience,
    packet: Packet,
}

impl EmitRequest {
    /// Reads the body of a request, and checks it. `events` are those of the contracts, if there
    /// are some.
    pub(super) fn read(
        body: &[u8],
        hub: &Hub,
        limits: &Limits,
        events: Option<&EmittedEvents>,
    ) -> Result<Self, Problem> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let parsed = serde_path_to_error::deserialize(&mut deserializer);
        let Body { namespace, rooms, except, event, args, volatile } = parsed.map_err(|error| {
            let path = error.path().iter().map(pointer_part).collect::<String>();
            malformed(error.inner(), path)
        })?;
        deserializer.end().map_err(|error| malformed(&error, String::new()))?;
        let rooms = checked_rooms(rooms, "/rooms", limits)?;
        let except = checked_rooms(except, "/except", limits)?;
        if rooms.len() + except.len() > limits.max_rooms {
            let detail = format!("a request has at most {} rooms", limits.max_rooms);
            return Err(Problem::unprocessable("too_many_rooms", detail));
        }
        let max_name = hub.config().max_event_name;
        if event.len() > max_name {
            let detail = format!("the name of an event has at most {max_name} bytes");
            return Err(Problem::unprocessable("invalid_event", detail).at("/event"));
        }
        let packet = packet(&event, args)?.with_volatile(volatile);
        let Some(namespace) = hub.find(&namespace) else {
            let detail = "there is no such namespace";
            return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_namespace", detail).at("/namespace"));
        };
        if let Some(events) = events {
            agree(events, namespace.path(), &packet)?;
        }
        Ok(Self { namespace, audience: Audience::new(rooms, except), packet })
    }

    /// Emits it.
    pub(super) fn emit(&self) -> Result<(), Problem> {
        let emitted = self.namespace.namespace_inner().emit(&self.packet, &self.audience);
        emitted.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_emitted", error.to_string()))
    }

    pub(super) fn namespace(&self) -> &str {
        self.namespace.path()
    }

    pub(super) fn event(&self) -> &str {
        self.packet.name().unwrap_or_default()
    }
}

/// What is wrong with JSON that does not have the form.
fn malformed(error: &serde_json::Error, pointer: String) -> Problem {
    use serde_json::error::Category;
    let is_json = error.classify() == Category::Data;
    if !is_json {
        return Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is no JSON: {error}"));
    }
    Problem::unprocessable("invalid_request", error.to_string()).at(pointer)
}

/// A part of a JSON pointer.
fn pointer_part(segment: &serde_path_to_error::Segment) -> String {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            format!("/{}", key.replace('~', "~0").replace('/', "~1"))
        }
        Segment::Unknown => String::new(),
    }
}

/// An empty list of rooms selects nobody, and not everybody: most likely it was computed.
fn checked_rooms(rooms: Option<Vec<String>>, pointer: &str, limits: &Limits) -> Result<Vec<String>, Problem> {
    let Some(rooms) = rooms else { return Ok(Vec::new()) };
    if rooms.is_empty() {
        let detail = "a list of rooms is not empty: leave it out to emit to all sockets of the namespace";
        return Err(Problem::unprocessable("no_rooms", detail).at(pointer));
    }
    match rooms.iter().position(|room| room.is_empty() || room.len() > limits.max_room_name) {
        None => Ok(rooms),
        Some(at) => {
            let detail = format!("the name of a room has 1 to {} bytes", limits.max_room_name);
            Err(Problem::unprocessable("invalid_room", detail).at(format!("{pointer}/{at}")))
        }
    }
}

fn packet(event: &str, args: Option<&RawValue>) -> Result<Packet, Problem> {
    let wrong = |code, detail: String| Problem::unprocessable(code, detail).at("/args");
    let list = args.map_or("[]", RawValue::get).trim();
    let inner = list.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.ok_or_else(|| wrong("invalid_request", "`args` is a list".to_owned()))?;
    Packet::event_json(event, inner.trim(), &[]).map_err(|error| match error {
        PacketError::Name(_) => Problem::unprocessable("reserved_event", error.to_string()).at("/event"),
        PacketError::TooDeep => wrong("too_deep", error.to_string()),
        PacketError::Json | PacketError::Placeholder => wrong("invalid_request", error.to_string()),
    })
}

/// Compares the event with the contracts.
fn agree(events: &EmittedEvents, namespace: &str, packet: &Packet) -> Result<(), Problem> {
    let Some((event, payload)) = packet.name_and_payload() else { return Ok(()) };
    events.check(namespace, event, payload.count()).map_err(|disagreement| {
        let (detail, pointer) = match disagreement {
            Disagreement::Unknown => ("the contract of the namespace has no such event", "/event"),
            Disagreement::Answered => {
                ("the contract says that clients answer the event, which can't be asked here", "/event")
            }
            Disagreement::Arguments => ("the event has one argument in the contract: its payload", "/args"),
        };
        Problem::unprocessable("not_in_contract", detail).at(pointer)
    })
}
