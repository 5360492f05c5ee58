//! [`read`]: takes a Socket.IO packet apart.

use bytes::Bytes;
use std::borrow::Cow;

use super::placeholder::{self, Allowance};
use crate::wire::scan::Scanner;

/// The event names that no client may send.
// The macros share this list, because they reject the names at compile time.
pub(crate) const RESERVED: &[&str] = &socketio_macros::__reserved_names!();

/// Whether the protocol reserves this event name.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The packet's type, with or without attachments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
}

/// A received packet, borrowed from its text. Its JSON is valid for its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketIoPacket<'a> {
    pub(crate) kind: Kind,
    /// The number of binary messages that follow the packet.
    pub(crate) attachments: usize,
    pub(crate) namespace: &'a str,
    /// The digits of the ack id: the id to answer with, or the id of the answered event.
    pub(crate) id: Option<&'a str>,
    /// Empty if the packet has none.
    pub(crate) json: &'a str,
    /// The name of an event; empty in other packets.
    pub(crate) name: Cow<'a, str>,
    /// The arguments of an event or an answer, comma-separated.
    pub(crate) args: &'a str,
    /// The nesting of the arguments. Their list is the first level. A client's auth object counts
    /// as one argument.
    pub(crate) depth: usize,
}

/// The text is not a valid packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// Reads a packet with at most `max_attachments`.
pub(crate) fn read(text: &str, max_attachments: usize) -> Result<SocketIoPacket<'_>, Invalid> {
    let (kind, rest) = text.split_at_checked(1).ok_or(Invalid)?;
    let (kind, is_binary) = match kind {
        "0" => (Kind::Connect, false),
        "1" => (Kind::Disconnect, false),
        "2" => (Kind::Event, false),
        "3" => (Kind::Ack, false),
        "4" => (Kind::ConnectError, false),
        "5" => (Kind::Event, true),
        "6" => (Kind::Ack, true),
        _ => return Err(Invalid),
    };
    let (attachments, rest) = match is_binary {
        true => {
            let (digits, rest) = split_digits(rest);
            let attachments = digits.parse().ok().filter(|count| (1..=max_attachments).contains(count));
            (attachments.ok_or(Invalid)?, rest.strip_prefix('-').ok_or(Invalid)?)
        }
        false => (0, rest),
    };
    let (namespace, rest) = match rest.starts_with('/') {
        true => rest.split_once(',').unwrap_or((rest, "")),
        false => ("/", rest),
    };
    let (id, json) = split_digits(rest);
    let id = Some(id).filter(|id| !id.is_empty());
    let mut packet =
        SocketIoPacket { kind, attachments, namespace, id, json, name: Cow::Borrowed(""), args: "", depth: 1 };
    packet.read_json().ok_or(Invalid)?;
    Ok(packet)
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

impl<'a> SocketIoPacket<'a> {
    /// Finds the parts of the JSON. `None` if the JSON is not valid for the packet's kind.
    fn read_json(&mut self) -> Option<()> {
        let mut scanner = Scanner::new(self.json);
        let is_valid = match self.kind {
            Kind::Connect if self.json.is_empty() => true,
            Kind::Connect => {
                self.depth = depth(self.json, '{')?.saturating_add(1);
                true
            }
            Kind::Disconnect => self.json.is_empty(),
            Kind::ConnectError => depth(self.json, '{').or_else(|| depth(self.json, '"')).is_some(),
            // The reference implementation accepts these packets without JSON.
            Kind::Ack | Kind::Event if self.json.is_empty() => true,
            Kind::Ack => scanner.take(b'[') && (scanner.take(b']') && scanner.is_at_end() || self.read_args(scanner)),
            Kind::Event => {
                if !scanner.take(b'[') {
                    return None;
                }
                self.name = name(scanner.value()?)?;
                match scanner.take(b',') {
                    true => self.read_args(scanner),
                    false => scanner.take(b']') && scanner.is_at_end(),
                }
            }
        };
        is_valid.then_some(())
    }

    /// Finds the arguments up to the end of the list. There must be at least one.
    fn read_args(&mut self, mut scanner: Scanner<'a>) -> bool {
        let rest = scanner.rest();
        loop {
            if scanner.value().is_none() {
                return false;
            }
            self.depth = self.depth.max(scanner.depth().saturating_add(1));
            if !scanner.take(b',') {
                break;
            }
        }
        self.args = rest[..rest.len() - scanner.rest().len()].trim_matches([' ', '\t', '\n', '\r']);
        scanner.take(b']') && scanner.is_at_end()
    }

    /// The packet's text with all placeholders in the form that encoders write. The packet must
    /// have attachments.
    ///
    /// # Errors
    ///
    /// Returns [`Invalid`] if a placeholder refers to a missing attachment, or if the placeholders
    /// together stand for more than `max` bytes. Several placeholders may refer to one attachment,
    /// which forwarding the packet would send several times.
    pub(crate) fn with_placeholders(&self, text: &str, attachments: &[Bytes], max: usize) -> Result<String, Invalid> {
        let mut out = Vec::with_capacity(text.len());
        out.extend_from_slice(&text.as_bytes()[..text.len() - self.json.len()]);
        placeholder::rewrite(&mut Scanner::new(self.json), &mut out, &mut Allowance::new(attachments, max))?;
        String::from_utf8(out).map_err(|_| Invalid)
    }
}

/// The nesting of a JSON value that starts with `first`; `None` if the text is not such a value.
fn depth(text: &str, first: char) -> Option<usize> {
    let mut scanner = Scanner::new(text);
    let is_json = text.starts_with(first) && scanner.value().is_some() && scanner.is_at_end();
    is_json.then_some(scanner.depth())
}

/// An event's name. The reference also accepts numbers. Reserved names are rejected.
fn name(json: &str) -> Option<Cow<'_, str>> {
    let name = match json.as_bytes().first()? {
        b'"' if json.contains('\\') => Cow::Owned(serde_json::from_str(json).ok()?),
        b'"' => Cow::Borrowed(&json[1..json.len() - 1]),
        b'-' | b'0'..=b'9' => Cow::Borrowed(json),
        _ => return None,
    };
    (!is_reserved(&name)).then_some(name)
}

/// A partly received packet: its text and the attachments that have arrived.
#[derive(Debug)]
pub(crate) struct Partial<T> {
    pub(crate) text: T,
    expected: usize,
    attachments: Vec<Bytes>,
}

impl<T> Partial<T> {
    pub(crate) fn new(text: T, expected: usize) -> Self {
        Self { text, expected, attachments: Vec::new() }
    }

    /// Adds an attachment. Returns whether it was the last one.
    pub(crate) fn take(&mut self, attachment: Bytes) -> bool {
        self.attachments.push(attachment);
        self.attachments.len() == self.expected
    }

    /// The number of bytes of the attachments that have arrived.
    pub(crate) fn size(&self) -> usize {
        self.attachments.iter().map(Bytes::len).fold(0, usize::saturating_add)
    }

    pub(crate) fn into_parts(self) -> (T, Vec<Bytes>) {
        (self.text, self.attachments)
    }
}

#[cfg(test)]
mod tests {
    use super::super::write::*;
    use super::*;
    use crate::Binary;
    use crate::session::limits::MAX_DEPTH;
    use crate::small_stack::{nested, on_small_stack};
    use crate::wire::payload::Payload;
    use crate::wire::scan::UNBOUNDED;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn packet<'a>(
        kind: Kind,
        namespace: &'a str,
        id: Option<&'a str>,
        json: &'a str,
    ) -> Result<SocketIoPacket<'a>, Invalid> {
        read_as(SocketIoPacket { kind, attachments: 0, namespace, id, json, name: "".into(), args: "", depth: 1 })
    }

    fn read_as(mut packet: SocketIoPacket<'_>) -> Result<SocketIoPacket<'_>, Invalid> {
        packet.read_json().map(|()| packet).ok_or(Invalid)
    }

    #[test]
    fn packets_of_every_kind_are_read() {
        assert_eq!(read("0", 10), packet(Kind::Connect, "/", None, ""));
        assert_eq!(read(r#"0{"token":1}"#, 10), packet(Kind::Connect, "/", None, r#"{"token":1}"#));
        assert_eq!(read("0/admin", 10), packet(Kind::Connect, "/admin", None, ""));
        assert_eq!(read("0/admin,{}", 10), packet(Kind::Connect, "/admin", None, "{}"));
        assert_eq!(read("1", 10), packet(Kind::Disconnect, "/", None, ""));
        assert_eq!(read("1/admin,", 10), packet(Kind::Disconnect, "/admin", None, ""));
        assert_eq!(read(r#"2["a",1]"#, 10), packet(Kind::Event, "/", None, r#"["a",1]"#));
        assert_eq!(read(r#"2/x,12["a"]"#, 10), packet(Kind::Event, "/x", Some("12"), r#"["a"]"#));
        assert_eq!(read("312[]", 10), packet(Kind::Ack, "/", Some("12"), "[]"));
        assert_eq!(read("312", 10), packet(Kind::Ack, "/", Some("12"), ""));
        assert_eq!(read(r#"4{"message":"no"}"#, 10), packet(Kind::ConnectError, "/", None, r#"{"message":"no"}"#));
        let binary = r#"51-/x,3["a",{"_placeholder":true,"num":0}]"#;
        let read = read(binary, 10).expect("a packet");
        assert_eq!((read.kind, read.attachments, read.namespace, read.id), (Kind::Event, 1, "/x", Some("3")));
    }

    #[test]
    fn invalid_packets_are_rejected() {
        for text in [
            "",
            "7",
            "x",
            "é",
            "2{}",
            "2[]",
            "2[null]",
            "2[{}]",
            "2[\"a\"",
            "2[\"a\",]",
            "2[\"a\"]x",
            "2abc[\"a\"]",
            "2[\"connect\"]",
            "2[\"disconnecting\"]",
            "0[]",
            "0null",
            "0\"a\"",
            "0{",
            "1{}",
            "1x",
            "3{}",
            "3[",
            "31[1,]",
            "4",
            "4[]",
            "5[\"a\"]",
            "50-[\"a\"]",
            "5-[\"a\"]",
            "511-[\"a\"]",
            "51[\"a\"]",
            "5x-[\"a\"]",
        ] {
            assert_eq!(read(text, 10), Err(Invalid), "{text}");
        }
    }

    #[test]
    fn placeholders_are_recognized_in_other_spellings() {
        let attachments = [Bytes::from_static(&[0; 60]), Bytes::from_static(&[0; 40])];
        let rewritten = |text: &str| {
            let packet = read(text, 10).expect("a packet");
            packet.with_placeholders(text, &attachments[..packet.attachments], 100)
        };
        let text = r#"52-/x,3["a", {"num" : 1, "_placeholder":true},[{"b":{"_placeholder":true,"num":0}, "c":1}],{}]"#;
        let expected = r#"52-/x,3["a",{"_placeholder":true,"num":1},[{"b":{"_placeholder":true,"num":0},"c":1}],{}]"#;
        assert_eq!(rewritten(text).as_deref(), Ok(expected));
        for placeholder in [
            r#"{"_placeholder":true,"num":2}"#,
            r#"{"_placeholder":true,"num":-1}"#,
            r#"{"_placeholder":true,"num":"0"}"#,
            r#"{"_placeholder":true}"#,
            r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}"#,
        ] {
            assert_eq!(rewritten(&format!(r#"52-["a",{placeholder}]"#)), Err(Invalid), "{placeholder}");
        }
        let lookalike = r#"51-["a",{"_placeholder":false,"num":7},{"_placeholder":"true"}]"#;
        assert_eq!(rewritten(lookalike).as_deref(), Ok(lookalike));
    }

    #[test]
    fn placeholders_are_found_at_the_maximum_depth() {
        on_small_stack(|| {
            let text = format!("51-[\"a\",{}]", nested(MAX_DEPTH - 1, "[]"));
            let packet = read(&text, 10).expect("a packet");
            assert_eq!(packet.depth, MAX_DEPTH + 1);
            assert_eq!(packet.with_placeholders(&text, &[Bytes::new()], 100), Ok(text.clone()));
        });
    }

    #[test]
    fn the_auth_object_counts_as_one_argument() {
        for (text, depth) in [
            ("0", 1),
            ("0{}", 2),
            (r#"0/x,{"a":[]}"#, 3),
            (r#"0{"a":{"\u0024serde_json::private::RawValue":"1"}}"#, UNBOUNDED),
        ] {
            assert_eq!(read(text, 10).map(|packet| packet.depth), Ok(depth), "{text}");
        }
    }

    #[test]
    fn names_and_arguments_of_events_are_split() {
        let event = |text: &'static str| {
            let packet = read(text, 10).expect("a packet");
            (packet.name, packet.args, packet.depth)
        };
        assert_eq!(event(r#"2["a"]"#), ("a".into(), "", 1));
        assert_eq!(event(r#"2[ "a" , 1 , [2] ] "#), ("a".into(), "1 , [2]", 2));
        assert_eq!(event(r#"2["caf\u00e9",{"x":"]"}]"#), ("café".into(), r#"{"x":"]"}"#, 2));
        assert_eq!(event(r#"2[7,"x"]"#), ("7".into(), r#""x""#, 1));
    }

    #[test]
    fn written_packets_have_the_expected_text() {
        let text = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(text(&|out| write_connect(out, "/", "id", None)), r#"0{"sid":"id"}"#);
        let connected = text(&|out| write_connect(out, "/x", "id", Some("secret")));
        assert_eq!(connected, r#"0/x,{"sid":"id","pid":"secret"}"#);
        assert_eq!(text(&|out| write_disconnect(out, "/x")), "1/x,");
        let error = ConnectError { message: "no", data: None };
        assert_eq!(text(&|out| write_connect_error(out, "/x", &error)), r#"4/x,{"message":"no"}"#);
        let data = json!([1]);
        let error = ConnectError { message: "no", data: Some(&data) };
        assert_eq!(text(&|out| write_connect_error(out, "/", &error)), r#"4{"message":"no","data":[1]}"#);
        let payload = Payload::of(&json!({ "b": 1 })).expect("JSON");
        assert_eq!(text(&|out| write_event(out, "/x", "a", &payload, Some(3), None)), r#"2/x,3["a",{"b":1}]"#);
        assert_eq!(text(&|out| write_event(out, "/", "a", &Payload::new(), None, None)), r#"2["a"]"#);
        assert_eq!(text(&|out| write_ack(out, "/", "3", &Payload::new())), "33[]");
        let binary = Payload::of(&[Binary::from(vec![1]), Binary::from(vec![2])]).expect("JSON");
        let expected = r#"52-["a",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]"#;
        assert_eq!(text(&|out| write_event(out, "/", "a", &binary, None, None)), expected);
        assert!(text(&|out| write_ack(out, "/x", "3", &binary)).starts_with(r#"62-/x,3[[{"_"#));
    }

    proptest! {
        #[test]
        fn events_are_read_back(
            name in any::<String>(),
            namespace in "/[a-z]{0,5}",
            id in any::<Option<u64>>(),
            args in prop::collection::vec(any::<(String, i64)>(), 0..4),
            bytes in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            prop_assume!(!is_reserved(&name));
            let mut payload = Payload::new();
            for argument in &args {
                payload.push(argument).expect("JSON");
            }
            for byte in &bytes {
                payload.push(&Binary::from(vec![*byte])).expect("JSON");
            }
            let mut text = Vec::new();
            write_event(&mut text, &namespace, &name, &payload, id, None);
            let text = String::from_utf8(text).expect("text");
            let packet = read(&text, 10).expect("a packet");
            let list = packet.args;
            prop_assert_eq!(&*packet.name, name);
            prop_assert_eq!((packet.namespace, packet.attachments), (&*namespace, bytes.len()));
            prop_assert_eq!(packet.id.map(str::to_owned), id.map(|id| id.to_string()));
            let list: Vec<Value> = serde_json::from_str(&format!("[{list}]")).expect("JSON");
            prop_assert_eq!(list.len(), args.len() + bytes.len());
            let expected: Vec<Value> = args.into_iter().map(|argument| json!(argument)).collect();
            prop_assert_eq!(&list[..expected.len()], &expected[..]);
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = read(&text, 10);
        }

        /// The JSON of every accepted packet is valid.
        #[test]
        fn the_json_of_a_packet_is_valid(text in r#"[0-6](1-)?(/a,)?[0-9]{0,2}[\[\]{}",:0-9a]{0,10}"#) {
            if let Ok(packet) = read(&text, 10) {
                prop_assert!(packet.json.is_empty() || serde_json::from_str::<Value>(packet.json).is_ok());
            }
        }
    }
}
