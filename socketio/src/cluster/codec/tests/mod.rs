//! Messages are written and read as servers on Node.js do.

mod invalid;
mod properties;
mod recorded;

use bytes::Bytes;

use super::{Malformed, Received, add_sequence, decode, encode, sequence, server_of};
use crate::cluster::message::{FetchPage, Message, Options, Outgoing, ValueRef};
use crate::cluster::{Dialect, Topic};
use crate::wire::packet::Packet;

pub(super) const MAIN: Topic<'_> = Topic::Main { namespace: "/" };
pub(super) const REQUESTS: Topic<'_> = Topic::Requests { namespace: "/" };
pub(super) const RESPONSES: Topic<'_> = Topic::Responses { namespace: "/" };

pub(super) fn encoded(dialect: Dialect, message: &Outgoing<'_>) -> Vec<u8> {
    let server = if dialect == Dialect::Classic { "5Vwf26" } else { "0123456789abcdef" };
    let mut out = Vec::new();
    encode(dialect, server, MAIN, message, &mut out);
    out
}

pub(super) fn event(name: &str, args: &str) -> Packet {
    Packet::event_json(name, args, &[]).expect("a packet")
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks_exact(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

const HELLO: &str = "93 a6355677663236 83 a474797065 02 a464617461 93 a568656c6c6f 01 81 a178 c0 a36e7370 a12f
    83 a5726f6f6d73 90 a6657863657074 90 a5666c616773 80";

#[test]
fn a_classic_broadcast_is_that_of_node() {
    let packet = event("hello", r#"1,{"x":null}"#);
    let message = Message::Broadcast { packet: &packet, options: Options::default(), request: None };
    let mut bytes = encoded(Dialect::Classic, &message);
    assert_eq!(bytes, hex(HELLO));
    assert_eq!(sequence(Dialect::Classic, &bytes), None);

    bytes.insert(0, b'x');
    add_sequence(Dialect::Classic, &mut bytes, 1, 258);
    let body = Bytes::from(bytes).slice(1..);
    assert_eq!(sequence(Dialect::Classic, &body), Some(258));
    assert_eq!(server_of(Dialect::Classic, &body), Some("5Vwf26"));
    let Received { server, message } = decode(Dialect::Classic, MAIN, &body).expect("a message");
    assert_eq!(server.as_deref(), Some("5Vwf26"));
    let Message::Broadcast { packet, options, request: None } = message else { panic!("{message:?}") };
    assert_eq!(options, Options::default());
    let packet = packet.packet().expect("a packet");
    assert_eq!((packet.name(), packet.args().json()), (Some("hello"), r#"1,{"x":null}"#));

    for namespace in ["/other", ""] {
        let read = decode(Dialect::Classic, Topic::Room { namespace, room: "a" }, &body);
        assert_eq!(read.map(|_| ()), Err(Malformed));
    }
}

#[test]
fn a_broadcast_as_a_cluster_message_is_that_of_node() {
    let packet = event("hello", r#"1,{"x":null}"#);
    let message = Message::Broadcast { packet: &packet, options: Options::default(), request: None };
    let mut bytes = encoded(Dialect::Messages, &message);
    let expected = r#"{"type":3,"data":{"packet":{"type":2,"data":["hello",1,{"x":null}]},"opts":{"rooms":[],"except":[],"flags":{}}},"uid":"0123456789abcdef","nsp":"/"}"#;
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
    add_sequence(Dialect::Messages, &mut bytes, 0, 7);
    let body = Bytes::from(bytes);
    assert_eq!(sequence(Dialect::Messages, &body), Some(7));
    assert_eq!(server_of(Dialect::Messages, &body), Some("0123456789abcdef"));
    let received = decode(Dialect::Messages, MAIN, &body).expect("a message");
    assert_eq!(received.server.as_deref(), Some("0123456789abcdef"));
    let Message::Broadcast { packet, .. } = received.message else { panic!("{received:?}") };
    assert_eq!(packet.packet().expect("a packet").args().json(), r#"1,{"x":null}"#);
}

#[test]
fn binary_data_is_inline() {
    let json = r#"{"_placeholder":true,"num":0},[1]"#;
    let packet = Packet::event_json("a", json, &[Bytes::from_static(b"\x01\x02")]).expect("a packet");
    for dialect in [Dialect::Classic, Dialect::Messages] {
        let message = Message::Broadcast { packet: &packet, options: Options::default(), request: None };
        let body = Bytes::from(encoded(dialect, &message));
        assert!(body.windows(9).any(|bytes| bytes == b"\x93\xa1a\xc4\x02\x01\x02\x91\x01"));
        let received = decode(dialect, MAIN, &body).expect("a message");
        let Message::Broadcast { packet, .. } = received.message else { panic!("{received:?}") };
        let packet = packet.packet().expect("a packet");
        assert_eq!(packet.args().json(), json);
        assert_eq!(packet.args().attachments(), [&[1, 2][..]]);
    }
}

#[test]
fn answers_are_read() {
    let attachments = [Bytes::from_static(b"\x07")];
    let answer = Some(ValueRef { json: r#"[{"_placeholder":true,"num":0}]"#, attachments: &attachments });
    for dialect in [Dialect::Classic, Dialect::Messages] {
        for answer in [None, Some(ValueRef { json: r#"{"a":1}"#, attachments: &[] }), answer] {
            let message = Message::Ack { request: "r".into(), answer, socket: Some("s".into()) };
            let body = Bytes::from(encoded(dialect, &message));
            let received = decode(dialect, RESPONSES, &body).expect("a message");
            let Message::Ack { request, answer: read, socket } = received.message else { panic!("{received:?}") };
            assert_eq!((&*request, socket.as_deref()), ("r", Some("s")));
            let read = read.map(|value| value.value().expect("a value"));
            let read = read.as_ref().map(|value| ValueRef { json: &value.json, attachments: &value.attachments });
            assert_eq!(read, answer);
        }
    }
}

#[test]
fn requests_of_the_classic_dialect_are_those_of_node() {
    let message: Outgoing<'_> =
        Message::Join { options: Options::default(), rooms: ["room3".into()].into_iter().collect() };
    let bytes = encoded(Dialect::Classic, &message);
    let expected = r#"{"uid":"5Vwf26","type":2,"opts":{"rooms":[],"except":[]},"rooms":["room3"]}"#;
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
    let body = Bytes::from(bytes);
    let received = decode(Dialect::Classic, REQUESTS, &body).expect("a message");
    assert!(matches!(received.message, Message::Join { rooms, .. } if rooms[..] == ["room3"]));
}

/// Servers on Node.js ignore the page, and answer with all that they have.
#[test]
fn questions_for_pages_are_those_of_node_with_one_more_field() {
    let page = || FetchPage { after: Some("a".into()), limit: 5 };
    let rooms = |page| Message::FetchRooms { request: "r".into(), page };
    let sockets = Message::Fetch { options: Options::default(), request: "r".into(), page: Some(page()) };
    let data = r#""opts":{"rooms":[],"except":[],"flags":{}},"requestId":"r""#;
    let messages = |data: &str| format!(r#"{{"type":7,"data":{{{data}}},"uid":"0123456789abcdef","nsp":"/"}}"#);
    let classic = |rest: &str| format!(r#"{{"uid":"5Vwf26","requestId":"r",{rest}}}"#);
    let expected = [
        (&rooms(FetchPage::ALL), classic(r#""type":1"#), messages(&format!(r#"{data},"roomPage":{{}}"#))),
        (
            &rooms(page()),
            classic(r#""type":1,"page":{"after":"a","limit":5}"#),
            messages(&format!(r#"{data},"roomPage":{{"after":"a","limit":5}}"#)),
        ),
        (
            &sockets,
            classic(r#""type":5,"opts":{"rooms":[],"except":[]},"page":{"after":"a","limit":5}"#),
            messages(&format!(r#"{data},"page":{{"after":"a","limit":5}}"#)),
        ),
    ];
    for (message, classic, messages) in expected {
        assert_eq!(String::from_utf8_lossy(&encoded(Dialect::Classic, message)), classic);
        assert_eq!(String::from_utf8_lossy(&encoded(Dialect::Messages, message)), messages);
    }
    let names = Message::Rooms { request: "r".into(), rooms: vec!["a".into()] };
    let expected =
        r#"{"type":8,"data":{"requestId":"r","sockets":[],"rooms":["a"]},"uid":"0123456789abcdef","nsp":"/"}"#;
    assert_eq!(String::from_utf8_lossy(&encoded(Dialect::Messages, &names)), expected);
}

#[test]
fn a_small_attachment_does_not_keep_what_was_read_with_it() {
    let attachment = Bytes::from_static(&[7; 100]);
    let packet = Packet::event_json("a", r#"{"_placeholder":true,"num":0}"#, &[attachment]).expect("a packet");
    let message = Message::Broadcast { packet: &packet, options: Options::default(), request: None };
    let body = Bytes::from(encoded(Dialect::Classic, &message));
    let Ok(Received { message: Message::Broadcast { packet, .. }, .. }) = decode(Dialect::Classic, MAIN, &body) else {
        panic!("a broadcast");
    };
    let packet = packet.packet().expect("an event");
    let range = body.as_ptr_range();
    assert!(!range.contains(&packet.args().attachments()[0].as_ptr()));
}

/// As `ClusterAdapterWithHeartbeat` of `socket.io-adapter` publishes them.
#[test]
fn heartbeats_are_those_of_node() {
    let expected = [
        (Message::InitialHeartbeat, r#"{"type":1,"uid":"0123456789abcdef","nsp":"/"}"#, "83a47479706501"),
        (Message::Heartbeat, r#"{"type":2,"uid":"0123456789abcdef","nsp":"/"}"#, "83a47479706502"),
        (Message::Close, r#"{"type":13,"uid":"0123456789abcdef","nsp":"/"}"#, "83a4747970650d"),
    ];
    for (message, json, start) in expected {
        let bytes = encoded(Dialect::Messages, &message);
        assert_eq!(String::from_utf8_lossy(&bytes), json);
        let mut msgpack = hex(start);
        msgpack.extend(hex("a3756964 b030313233343536373839616263646566 a36e7370 a12f"));
        for body in [bytes, msgpack].map(Bytes::from) {
            assert_eq!(server_of(Dialect::Messages, &body), Some("0123456789abcdef"));
            let received = decode(Dialect::Messages, MAIN, &body).expect("a message");
            assert_eq!(received.server.as_deref(), Some("0123456789abcdef"));
            assert_eq!(format!("{:?}", received.message), format!("{message:?}"));
        }
        assert!(encoded(Dialect::Classic, &message).is_empty());
    }
}
