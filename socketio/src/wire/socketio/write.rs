//! Writes Socket.IO packets in the default encoding.

use serde::Serialize;

use crate::wire::envelope::write_value;
use crate::wire::json::write_string;
use crate::wire::mark::Mark;
use crate::wire::payload::Payload;

fn write_head(out: &mut Vec<u8>, plain: u8, with_attachments: u8, namespace: &str, attachments: usize) {
    if attachments == 0 {
        out.push(plain);
    } else {
        out.push(with_attachments);
        write_number(out, attachments as u64);
        out.push(b'-');
    }
    if namespace != "/" {
        out.extend_from_slice(namespace.as_bytes());
        out.push(b',');
    }
}

/// Appends an EVENT. With `ack`, the client is asked to answer with that id. The mark is its last
/// argument.
pub(crate) fn write_event(
    out: &mut Vec<u8>,
    namespace: &str,
    name: &str,
    payload: &Payload,
    ack: Option<u64>,
    mark: Option<Mark>,
) {
    write_head(out, b'2', b'5', namespace, payload.attachments().len());
    if let Some(id) = ack {
        write_number(out, id);
    }
    out.push(b'[');
    write_string(out, name);
    if payload.count() > 0 {
        out.push(b',');
        payload.write_placeholders(out);
    }
    if let Some(mark) = mark {
        out.push(b',');
        mark.write(out);
    }
    out.push(b']');
}

/// Appends an ACK. `id` has the digits that the client sent.
pub(crate) fn write_ack(out: &mut Vec<u8>, namespace: &str, id: &str, payload: &Payload) {
    write_head(out, b'3', b'6', namespace, payload.attachments().len());
    out.extend_from_slice(id.as_bytes());
    out.push(b'[');
    payload.write_placeholders(out);
    out.push(b']');
}

/// Appends an ACK for an error. Its one argument is an object with the field `error`.
pub(crate) fn write_error(out: &mut Vec<u8>, namespace: &str, id: &str, error: &impl Serialize) {
    write_head(out, b'3', b'6', namespace, 0);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b"[{\"error\":");
    write_value(out, error);
    out.extend_from_slice(b"}]");
}

/// Appends a CONNECT. With `pid`, the client may resume its session with it.
pub(crate) fn write_connect(out: &mut Vec<u8>, namespace: &str, sid: &str, pid: Option<&str>) {
    write_head(out, b'0', b'0', namespace, 0);
    out.extend_from_slice(b"{\"sid\":");
    write_string(out, sid);
    if let Some(pid) = pid {
        out.extend_from_slice(b",\"pid\":");
        write_string(out, pid);
    }
    out.push(b'}');
}

/// Appends a CONNECT_ERROR.
pub(crate) fn write_connect_error(out: &mut Vec<u8>, namespace: &str, error: &ConnectError<'_>) {
    write_head(out, b'4', b'4', namespace, 0);
    write_value(out, error);
}

/// Appends a DISCONNECT.
pub(crate) fn write_disconnect(out: &mut Vec<u8>, namespace: &str) {
    write_head(out, b'1', b'1', namespace, 0);
}

/// Why a client may not connect to a namespace.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ConnectError<'a> {
    pub(crate) message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<&'a serde_json::Value>,
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    write_value(out, &number);
}
