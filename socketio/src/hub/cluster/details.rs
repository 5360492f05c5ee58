//! Sockets as servers describe them to each other.

use http::{HeaderMap, HeaderName, HeaderValue};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cluster::message::{HandshakeDetails, SocketDetails};
use crate::hub::adapter::{RemoteHandshake, RemoteSocket, ServerId};
use crate::hub::socket::Socket;
use crate::wire::msgpack::iso_date;
use crate::wire::shown::Shown;

/// The most attributes of a socket that are told, in bytes of JSON. Of more, none is told.
const MAX_ATTRIBUTES: usize = 64 * 1024;

/// Describes a socket of this server.
pub(super) fn details(socket: &Socket) -> SocketDetails {
    let RemoteSocket { id, rooms, attributes, handshake, .. } = RemoteSocket::of(socket);
    let mut headers = IndexMap::new();
    for (name, value) in &handshake.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        match headers.entry(name.as_str().to_owned()).or_insert_with(|| Value::from("")) {
            // Headers that occur several times are joined, as Node.js does.
            Value::String(values) if !values.is_empty() => {
                values.push_str(", ");
                values.push_str(&value);
            }
            values => *values = value.into(),
        }
    }
    let issued = handshake.issued.unwrap_or_default();
    let mut attributes: Map<String, Value> =
        attributes.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    if let Some((name, told)) = socket.namespace_inner().observer().told(socket) {
        attributes.insert(name.to_owned(), told);
    }
    let data = Value::from(attributes);
    let is_too_large = data.to_string().len() > MAX_ATTRIBUTES;
    if is_too_large {
        tracing::warn!(socket = %Shown(&id), "the attributes of a socket are too large to be told to other servers");
    }
    SocketDetails {
        id: id.to_string(),
        handshake: HandshakeDetails {
            headers,
            time: date(issued),
            address: handshake.address.unwrap_or_default(),
            xdomain: handshake.xdomain,
            secure: handshake.secure.unwrap_or_default(),
            issued,
            url: handshake.url,
            query: handshake.query.into_iter().map(|(name, value)| (name, value.into())).collect(),
            auth: handshake.auth,
        },
        rooms,
        data: if is_too_large { Map::new().into() } else { data },
    }
}

/// A socket that another server described.
pub(super) fn remote_socket(details: SocketDetails, server: Option<ServerId>) -> RemoteSocket {
    let mut socket = RemoteSocket::new(details.id);
    socket.rooms = details.rooms;
    socket.server = server;
    if let Value::Object(data) = details.data {
        socket.attributes = data.into_iter().collect();
    }
    let handshake = details.handshake;
    let mut headers = HeaderMap::new();
    for (name, value) in handshake.headers {
        // Node.js has an array for `set-cookie` alone.
        let values = if let Value::Array(values) = value { values } else { vec![value] };
        for value in values.iter().filter_map(Value::as_str) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
    }
    socket.handshake = RemoteHandshake {
        headers,
        time: (handshake.issued > 0).then(|| at(handshake.issued)),
        address: (!handshake.address.is_empty()).then_some(handshake.address),
        xdomain: handshake.xdomain,
        secure: Some(handshake.secure),
        issued: (handshake.issued > 0).then_some(handshake.issued),
        url: handshake.url,
        query: handshake.query.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect(),
        auth: handshake.auth,
    };
    socket
}

/// The first value of a parameter. Node.js has an array for a parameter that occurs several times.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(values) => text(values.into_iter().next()?),
        _ => None,
    }
}

fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)).unwrap_or(UNIX_EPOCH)
}

/// Formats a time in UTC like JavaScript's `Date.prototype.toString`.
fn date(milliseconds: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // 1970 began on a Thursday.
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    // `2026-11-23T13:18:27.000Z`
    let iso = i64::try_from(milliseconds).ok().and_then(iso_date).filter(|iso| iso.len() == 24);
    let Some(iso) = iso else { return "Invalid Date".to_owned() };
    let (year, day, time) = (&iso[..4], &iso[8..10], &iso[11..19]);
    let month = iso[5..7].parse().ok().and_then(|month: usize| MONTHS.get(month.checked_sub(1)?)).unwrap_or(&MONTHS[0]);
    let weekday = DAYS[(milliseconds / 86_400_000 % 7) as usize];
    format!("{weekday} {month} {day} {year} {time} GMT+0000 (Coordinated Universal Time)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_form_of_javascript() {
        assert_eq!(date(1_795_439_907_000), "Mon Nov 23 2026 13:18:27 GMT+0000 (Coordinated Universal Time)");
        assert_eq!(date(0), "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)");
        assert_eq!(date(u64::MAX), "Invalid Date");
    }
}
