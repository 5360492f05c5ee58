//! Engine.IO protocol revision 4: packets, and the bodies of HTTP long-polling.
//!
//! | first character | packet |
//! | --- | --- |
//! | `0` | open: sent once by the server, with the session as JSON |
//! | `1` | close |
//! | `2` | ping: the server's heartbeat, or the client's `2probe` on a new transport |
//! | `3` | pong |
//! | `4` | message |
//! | `5` | upgrade |
//! | `6` | noop |
//!
//! A binary message has no type character. On a WebSocket it is a binary frame, in a polling body
//! it is `b` and base64. Packets in one body are separated by 0x1e. See the [protocol's
//! page](https://github.com/socketio/engine.io-protocol).

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bytes::Bytes;
use serde::Serialize;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::frame::frames;

const SEPARATOR: u8 = 0x1e;
/// The body of a poll response without messages.
pub(crate) const NOOP: &str = "6";
/// The packet that closes a session.
pub(crate) const CLOSE: &str = "1";
/// The answer to a probe.
pub(crate) const PROBE_PONG: &str = "3probe";

/// A packet from a client.
#[derive(Debug, PartialEq)]
pub(crate) enum EnginePacket {
    Close,
    Ping,
    /// The first packet on a new transport: `2probe`.
    Probe,
    Pong,
    Text(Utf8Bytes),
    Binary(Bytes),
    Upgrade,
    /// A packet that has no effect when a client sends it: open and noop.
    Ignored,
}

/// The bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// Reads a packet from a text frame, or from one part of a polling body.
pub(crate) fn read(text: &Utf8Bytes) -> Result<EnginePacket, Invalid> {
    let (kind, data) = text.as_bytes().split_first().ok_or(Invalid)?;
    Ok(match kind {
        b'0' | b'6' => EnginePacket::Ignored,
        b'1' => EnginePacket::Close,
        b'2' if data == b"probe" => EnginePacket::Probe,
        b'2' => EnginePacket::Ping,
        b'3' => EnginePacket::Pong,
        b'4' => EnginePacket::Text(slice(text.as_ref(), data)),
        b'5' => EnginePacket::Upgrade,
        b'b' => EnginePacket::Binary(BASE64_ANY_PADDING.decode(data).map_err(|_| Invalid)?.into()),
        _ => return Err(Invalid),
    })
}

/// Standard base64, with or without padding: browsers and Node differ.
const BASE64_ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Slices a text without copying. `part` starts and ends at character boundaries.
fn slice(whole: &Bytes, part: &[u8]) -> Utf8Bytes {
    Utf8Bytes::try_from(whole.slice_ref(part)).unwrap_or_default()
}

/// The packets of a polling body, in order. Each must still be [read](read()).
#[derive(Debug)]
pub(crate) struct Body(Option<Utf8Bytes>);

impl Body {
    /// `Err`: the body is not UTF-8.
    pub(crate) fn new(bytes: Bytes) -> Result<Self, Invalid> {
        Utf8Bytes::try_from(bytes).map(|text| Self(Some(text))).map_err(|_| Invalid)
    }

    /// The number of remaining packets.
    pub(crate) fn packets(&self) -> usize {
        self.0.as_ref().map_or(0, |text| 1 + text.bytes().filter(|byte| *byte == SEPARATOR).count())
    }
}

impl Iterator for Body {
    type Item = Utf8Bytes;

    fn next(&mut self) -> Option<Utf8Bytes> {
        let rest = self.0.take()?;
        let Some(end) = rest.bytes().position(|byte| byte == SEPARATOR) else { return Some(rest) };
        let bytes: &Bytes = rest.as_ref();
        self.0 = Some(slice(bytes, &bytes[end + 1..]));
        // Copies: a pending packet must not keep the whole body in memory.
        Some(rest.as_str()[..end].into())
    }
}

/// Appends the body of a poll response. Outgoing packets are queued as encoded WebSocket frames, so
/// this decodes them.
pub(crate) fn write_body(out: &mut Vec<u8>, queued: &[u8]) {
    for (is_text, payload) in frames(queued) {
        if !out.is_empty() {
            out.push(SEPARATOR);
        }
        if is_text {
            out.extend_from_slice(payload);
        } else {
            out.push(b'b');
            let start = out.len();
            let length = base64::encoded_len(payload.len(), true).unwrap_or_default();
            out.resize(start + length, 0);
            let written = STANDARD.encode_slice(payload, &mut out[start..]).unwrap_or_default();
            out.truncate(start + written);
        }
    }
}

/// The session parameters in the open packet.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'a [&'static str],
    ping_interval: u64,
    ping_timeout: u64,
    max_payload: usize,
}

/// The packet that opens a session. `interval` and `timeout` are those of the heartbeat, `max` is
/// the payload limit in bytes.
pub(crate) fn open(sid: &str, upgrades: &[&'static str], interval: Duration, timeout: Duration, max: usize) -> String {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let open = Open { sid, upgrades, ping_interval: millis(interval), ping_timeout: millis(timeout), max_payload: max };
    // Strings and numbers always serialize.
    format!("0{}", serde_json::to_string(&open).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{FrameWriter, Opcode};
    use proptest::prelude::*;

    fn packet(text: &str) -> Result<EnginePacket, Invalid> {
        read(&Utf8Bytes::from(text))
    }

    #[test]
    fn every_kind_of_packet_is_read() {
        assert_eq!(packet("1"), Ok(EnginePacket::Close));
        assert_eq!(packet("2"), Ok(EnginePacket::Ping));
        assert_eq!(packet("2probe"), Ok(EnginePacket::Probe));
        assert_eq!(packet("3"), Ok(EnginePacket::Pong));
        assert_eq!(packet("4hé"), Ok(EnginePacket::Text("hé".into())));
        assert_eq!(packet("4"), Ok(EnginePacket::Text("".into())));
        assert_eq!(packet("5"), Ok(EnginePacket::Upgrade));
        assert_eq!(packet("6"), Ok(EnginePacket::Ignored));
        assert_eq!(packet("bAQIDBA=="), Ok(EnginePacket::Binary(Bytes::from_static(&[1, 2, 3, 4]))));
        assert_eq!(packet("bAQIDBA"), Ok(EnginePacket::Binary(Bytes::from_static(&[1, 2, 3, 4]))));
        for invalid in ["", "7", "x", "é", "b?", " 4"] {
            assert_eq!(packet(invalid), Err(Invalid), "{invalid}");
        }
    }

    #[test]
    fn a_body_has_one_packet_more_than_separators() {
        let all = |body: &'static str| {
            let body = Body::new(Bytes::from_static(body.as_bytes())).expect("text");
            (body.packets(), body.map(|packet| packet.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(all("4a"), (1, vec!["4a".to_owned()]));
        assert_eq!(all("4a\u{1e}2\u{1e}bAA=="), (3, vec!["4a".to_owned(), "2".to_owned(), "bAA==".to_owned()]));
        assert_eq!(all(""), (1, vec![String::new()]));
        assert_eq!(all("4a\u{1e}"), (2, vec!["4a".to_owned(), String::new()]));
        assert!(Body::new(Bytes::from_static(b"4\xff")).is_err());
    }

    #[test]
    fn the_open_packet_is_written() {
        let second = Duration::from_secs(1);
        let text = open("abc", &["websocket"], 25 * second, 20 * second, 1_000_000);
        let expected =
            r#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        assert_eq!(text, expected);
    }

    proptest! {
        /// Every queued message is read back from the body unchanged.
        #[test]
        fn bodies_are_read_back(messages in prop::collection::vec((any::<bool>(), "[^\u{1e}]{0,200}"), 1..8)) {
            let mut queued = Vec::new();
            for (is_text, text) in &messages {
                let mut writer = FrameWriter::new();
                if *is_text {
                    writer.payload().push(b'4');
                }
                writer.payload().extend_from_slice(text.as_bytes());
                writer.finish(if *is_text { Opcode::Text } else { Opcode::Binary }).append_to(&mut queued);
            }
            let mut body = Vec::new();
            write_body(&mut body, &queued);
            let read: Vec<_> = Body::new(body.into()).expect("text").map(|packet| read(&packet)).collect();
            let expected: Vec<_> = messages
                .into_iter()
                .map(|(is_text, text)| {
                    Ok(if is_text { EnginePacket::Text(text.into()) } else { EnginePacket::Binary(text.into()) })
                })
                .collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn reading_never_panics(bytes in any::<Vec<u8>>()) {
            if let Ok(body) = Body::new(bytes.into()) {
                body.for_each(|packet| drop(read(&packet)));
            }
        }
    }
}
