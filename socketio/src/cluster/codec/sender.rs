//! [`server_of`]: who sent a message, and [`answered_request`]: what it answers, without decoding.

use super::types::messages;
use crate::cluster::Dialect;
use crate::wire::msgpack::cursor::{Cursor, Head};

/// The id of the server that sent a message, where it is found without decoding. `None` does not
/// mean that the message has no id.
///
/// It is found in all messages whose fields are in the order of servers on Node.js, except answers.
pub(crate) fn server_of(dialect: Dialect, body: &[u8]) -> Option<&str> {
    match (dialect, body.first()?) {
        (Dialect::Classic, b'{') => {
            let rest = body.strip_prefix(br#"{"uid":""#)?;
            plain(&rest[..rest.iter().position(|byte| *byte == b'"')?])
        }
        (Dialect::Classic, _) => {
            let mut cursor = Cursor::new(body);
            match cursor.head()? {
                Head::Array(3..) => cursor.text(),
                Head::Map(_) if cursor.text()? == "uid" => cursor.text(),
                _ => None,
            }
        }
        (Dialect::Messages | Dialect::Streams, b'{') => {
            // The text ends outside of a string. These strings have no escapes, so that it can be
            // read from its end.
            let rest = without_sequence(body.strip_suffix(b"}")?);
            let (rest, _) = last_string(rest)?;
            let (rest, server) = last_string(rest.strip_suffix(br#","nsp":"#)?)?;
            rest.ends_with(br#","uid":"#).then_some(server)
        }
        (Dialect::Messages | Dialect::Streams, _) => {
            let mut cursor = Cursor::new(body);
            let Head::Map(entries) = cursor.head()? else { return None };
            for _ in 0..entries {
                if cursor.text()? == "uid" {
                    return cursor.text();
                }
                cursor.skip()?;
            }
            None
        }
    }
}

/// The id of the request that a message of the dialect `Messages` answers, and what follows. `None`
/// does not mean that the message is no answer.
pub(crate) fn answered_request(body: &[u8]) -> Option<&[u8]> {
    let rest = body.strip_prefix(br#"{"type":"#)?;
    let kinds = [messages::SOCKETS, messages::SERVER_ANSWER, messages::CLIENT_COUNT, messages::ACK];
    let (kind, rest) = rest.split_at(rest.iter().position(|byte| *byte == b',')?);
    let kind = std::str::from_utf8(kind).ok()?.parse().ok()?;
    kinds.contains(&kind).then(|| rest.strip_prefix(br#","data":{"requestId":""#))?
}

fn without_sequence(body: &[u8]) -> &[u8] {
    let digits = body.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    body[..body.len() - digits].strip_suffix(br#","seq":"#).unwrap_or(body)
}

/// Splits off the string at the end, if it has no escapes.
fn last_string(json: &[u8]) -> Option<(&[u8], &str)> {
    let inside = json.strip_suffix(b"\"")?;
    let start = inside.iter().rposition(|byte| *byte == b'"')?;
    Some((&inside[..start], plain(&inside[start + 1..])?))
}

fn plain(contents: &[u8]) -> Option<&str> {
    std::str::from_utf8(contents).ok().filter(|contents| !contents.contains('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Topic;
    use crate::cluster::codec::encode;
    use crate::cluster::message::{Message, Outgoing};

    #[test]
    fn answers_tell_their_requests() {
        let answered = |message: Outgoing<'_>| {
            let mut body = Vec::new();
            encode(Dialect::Messages, "a", Topic::Main { namespace: "/" }, &message, &mut body);
            answered_request(&body).map(|rest| String::from_utf8_lossy(rest).into_owned())
        };
        let request = || "b-7".into();
        for answer in [
            Message::Sockets { request: request(), sockets: Vec::new() },
            Message::ClientCount { request: request(), clients: 2 },
            Message::Ack { request: request(), answer: None, socket: None },
            Message::ServerAnswer { request: request(), answer: None },
        ] {
            assert!(answered(answer).is_some_and(|rest| rest.starts_with("b-7\"")));
        }
        let options = crate::cluster::message::Options::default();
        for other in [Message::Fetch { options, request: request(), page: None }, Message::Probe { number: 1 }] {
            assert_eq!(answered(other), None);
        }
        for other in [&b""[..], b"{", b"{\"type\":8", b"{\"type\":800,\"data\":{\"requestId\":\"", b"\x84\xa4type\x08"]
        {
            assert_eq!(answered_request(other), None);
        }
    }
}
