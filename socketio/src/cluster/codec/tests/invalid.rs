//! Messages of unusual forms are read, and invalid ones are refused.

use bytes::Bytes;

use super::{MAIN, Malformed, REQUESTS, RESPONSES, decode};
use crate::cluster::codec::RawPacket;
use crate::cluster::message::Message;
use crate::cluster::{Dialect, Topic};
use crate::small_stack::{nested, on_small_stack};
use crate::wire::packet::Packet;

/// A classic broadcast with these bytes as the data of its packet.
fn classic(data: &[u8]) -> Bytes {
    let parts = [b"\x93\xa2me\x83\xa4type\x02\xa4data", data, b"\xa3nsp\xa1/\x80"];
    parts.concat().into()
}

fn cluster_message(data: &str) -> Bytes {
    format!(r#"{{"type":3,"data":{{"packet":{{"type":2,"data":{data}}},"opts":{{}}}},"uid":"me","nsp":"/"}}"#).into()
}

fn with_packet<T>(dialect: Dialect, body: &Bytes, read: impl FnOnce(RawPacket<'_>) -> T) -> T {
    let received = decode(dialect, MAIN, body).expect("a message");
    let Message::Broadcast { packet, .. } = received.message else { panic!("{body:?}") };
    read(packet)
}

fn packet(dialect: Dialect, body: &Bytes) -> Result<Packet, Malformed> {
    with_packet(dialect, body, |packet| packet.packet())
}

#[test]
fn old_forms_of_values_are_read() {
    // undefined, nil, dates of three encoders, an array buffer, and a float.
    let data = b"\x98\xa1a\xd4\0\0\xc0\xd7\0\0\0\0\0\0\0\0\0\xd6\xff\0\0\0\0\xc7\x0c\xff\0\0\0\0\0\0\0\0\0\0\0\0\xc7\x01\0\x07\xcb\x7f\xf0\0\0\0\0\0\0";
    let packet = packet(Dialect::Classic, &classic(data)).expect("a packet");
    let date = r#""1970-01-01T00:00:00.000Z""#;
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    assert_eq!(packet.args().json(), format!("null,null,{date},{date},{date},{placeholder},null"));
    assert_eq!(packet.args().attachments(), [&[7][..]]);
}

#[test]
fn fields_have_any_order_and_may_be_unknown() {
    let text = r#" { "nsp" : "/", "data":{"more":[1],"opts":{"flags":{"volatile":true,"x":{},"timeout":2.5},"rooms":[1,"a",-2.5]},
        "packet":{"id":7,"data":["a\u0062", 1 ],"type":2}}, "uid":"m\u0065", "ty\u0070e":3, "x":null }"#;
    let body = Bytes::from(text.trim_start());
    let received = decode(Dialect::Messages, MAIN, &body).expect("a message");
    assert_eq!(received.server.as_deref(), Some("me"));
    let Message::Broadcast { packet, options, request: None } = received.message else { panic!("{received:?}") };
    assert_eq!(options.rooms[..], ["1", "a", "-2.5"]);
    assert!(options.except.is_empty() && options.flags.volatile && options.flags.timeout == Some(2));
    let packet = packet.packet().expect("a packet");
    assert_eq!((packet.name(), packet.args().json()), (Some("ab"), "1"));

    let body = b"\x95\xc0\x84\xa4data\x91\xa1a\x01\x02\xa4type\x02\xa3nsp\xc0\x82\xa5rooms\x93\x05\xfb\xcb\x3f\xf8\0\0\0\0\0\0\xa5flags\xc0\xa1x\x90";
    let body = Bytes::from_static(body);
    let received = decode(Dialect::Classic, MAIN, &body).expect("a message");
    assert_eq!(received.server, None);
    let Message::Broadcast { options, .. } = received.message else { panic!("{body:?}") };
    assert_eq!(options.rooms[..], ["5", "-5", "1.5"]);
}

#[test]
fn the_flag_of_raw_messages_needs_one_argument() {
    for (data, raw) in [
        (&b"\x92\xa7message\xa2hi"[..], true),
        (b"\x92\xa7message\xc4\x02hi", true),
        (b"\x92\xa7message\x01", false),
        (b"\x93\xa7message\xa2hi\xa2hi", false),
        (b"\x91\xa7message", false),
        (b"\x92\xa1a\xa2hi", false),
    ] {
        let end = b"\xa3nsp\xa1/\x81\xa5flags\x81\xa3raw\xc3";
        let body = Bytes::from([b"\x93\xa2me\x83\xa4type\x02\xa4data", data, end].concat());
        let packet = packet(Dialect::Classic, &body).expect("a packet");
        assert_eq!(packet.raw().is_some(), raw, "{data:?}");
    }
}

#[test]
fn invalid_broadcasts_are_refused() {
    for body in [
        &b""[..],
        b"\x93",
        b"\x92\xa2me\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/",
        b"\x93\xa2me\x83\xa4type\x03\xa4data\x91\xa1a\xa3nsp\xa1/\x80",
        b"\x93\xa2me\x82\xa4data\x91\xa1a\xa3nsp\xa1/\x80",
        b"\x93\xa2me\x82\xa4type\x02\xa3nsp\xa1/\x80",
        b"\x93\xa2me\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa2/a\x80",
        b"\x93\x07\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/\x80",
        b"\x93\xa2me\xc0\x80",
        b"\x93\xa2me\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/\xc0",
        b"\x93\xa2me\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/\x81\xa5rooms\xa1a",
        b"\x93\xa2me\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/\x81\xa5rooms\x91\x90",
        b"\x93\xa2me\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/\x81\xa5rooms\xdd\xff\xff\xff\xff",
        b"\x93\xa2me\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/\x80\0",
        b"\xdd\xff\xff\xff\xff\xa2me\x83\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/\x80",
        b"{\"type\":3}",
    ] {
        assert!(decode(Dialect::Classic, MAIN, &Bytes::from_static(body)).is_err(), "{body:?}");
    }
    // A namespace that is missing is `/`.
    let body = Bytes::from_static(b"\x93\xa2me\x82\xa4type\x02\xa4data\x91\xa1a\x80");
    assert!(decode(Dialect::Classic, MAIN, &body).is_ok());
    assert!(decode(Dialect::Classic, Topic::Main { namespace: "/a" }, &body).is_err());

    for text in [
        r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]},"opts":{}},"nsp":"/a"}"#,
        r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]}},"nsp":"/"}"#,
        r#"{"type":3,"data":{"packet":["a"],"opts":{}},"nsp":"/"}"#,
        r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]},"opts":[]},"nsp":"/"}"#,
        r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]},"opts":{"rooms":[null]}},"nsp":"/"}"#,
        r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]},"opts":{"rooms":["a",]}},"nsp":"/"}"#,
        r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]},"opts":{}},"nsp":"/",}"#,
        r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]},"opts":{}},"nsp":"/"}}"#,
        r#"{"type":3.5,"data":{"packet":{"type":2,"data":["a"]},"opts":{}},"nsp":"/"}"#,
        r#"{"type":99,"data":{},"nsp":"/"}"#,
        r#"{"type":3,"data":null,"nsp":"/"}"#,
        r#"{"data":{},"nsp":"/"}"#,
        r#"{"#,
        r#"[]"#,
    ] {
        assert!(decode(Dialect::Messages, MAIN, &Bytes::from_static(text.as_bytes())).is_err(), "{text}");
    }
    // Emitters leave the namespace out.
    let text = r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]},"opts":{}},"uid":"emitter"}"#;
    let body = Bytes::from_static(text.as_bytes());
    assert!(decode(Dialect::Messages, Topic::Main { namespace: "/a" }, &body).is_ok());
    assert!(decode(Dialect::Messages, MAIN, &Bytes::from_static(b"{\"uid\":\"\xff\"}")).is_err());
}

#[test]
fn invalid_events_are_refused_when_they_are_decoded() {
    for data in [
        &b"\x90"[..],
        b"\xc0",
        b"\x91\x01",
        b"\x91\xa0",
        b"\x91\xa7connect",
        b"\x92\xa1a\xa1\xff",
        b"\x92\xa1a\xc1",
        // An object like a placeholder beside binary data.
        b"\x93\xa1a\xc4\x01\x07\x82\xac_placeholder\xc3\xa3num\0",
        // A key of `serde_json`.
        b"\x92\xa1a\x81\xbe$serde_json::private::RawValue\xa1x",
    ] {
        let body = classic(data);
        let Ok(received) = decode(Dialect::Classic, MAIN, &body) else {
            assert!(data.contains(&0xc1), "{data:?}");
            continue;
        };
        let Message::Broadcast { packet, .. } = received.message else { panic!("{data:?}") };
        assert_eq!(packet.packet().map(|_| ()), Err(Malformed), "{data:?}");
    }
    for data in ["[]", "7", "{}", "[1]", r#"[""]"#, r#"["connect"]"#, r#"["a",{"$serde_json::private::RawValue":"x"}]"#]
    {
        assert_eq!(packet(Dialect::Messages, &cluster_message(data)).map(|_| ()), Err(Malformed), "{data}");
    }
    // Without binary data it is an ordinary object.
    let lookalike = r#"{"_placeholder":true,"num":0}"#;
    let packets = [
        packet(Dialect::Messages, &cluster_message(&format!(r#"["a",{lookalike}]"#))),
        packet(Dialect::Classic, &classic(b"\x92\xa1a\x82\xac_placeholder\xc3\xa3num\0")),
    ];
    for packet in packets {
        assert_eq!(packet.expect("a packet").args().json(), lookalike);
    }
}

#[test]
fn depth_is_limited_as_for_events_of_clients() {
    on_small_stack(|| {
        for (levels, is_ok) in [(1, true), (127, true), (128, false), (100_000, false)] {
            let text = nested(levels, "1");
            let body = cluster_message(&format!(r#"["a",{text}]"#));
            assert_eq!(packet(Dialect::Messages, &body).is_ok(), is_ok, "{levels}");
            let body = classic(&[b"\x92\xa1a", &vec![0x91; levels][..], b"\x01"].concat());
            assert_eq!(packet(Dialect::Classic, &body).is_ok(), is_ok, "{levels}");

            let answer = Bytes::from(format!(r#"{{"type":6,"requestId":"r","data":{text}}}"#));
            let received = decode(Dialect::Classic, RESPONSES, &answer).expect("a message");
            let Message::ServerAnswer { answer: Some(answer), .. } = received.message else { panic!("{received:?}") };
            assert_eq!(answer.value().is_ok(), is_ok, "{levels}");
        }
    });
}

#[test]
fn many_attachments_are_refused() {
    let data = [&b"\x92\xa1a\xdd\0\x01\0\x01"[..], &b"\xc4\0".repeat(0x1_0001)].concat();
    assert!(packet(Dialect::Classic, &classic(&data)).is_err());
}

#[test]
fn requests_and_answers_of_old_members_are_read() {
    let read = |topic, text: &'static str| {
        format!(
            "{:?}",
            decode(Dialect::Classic, topic, &Bytes::from_static(text.as_bytes())).map(|received| received.message)
        )
    };
    for (topic, text, expected) in [
        (REQUESTS, r#"{"requestId":"r","type":0,"rooms":["a"]}"#, r#"Ok(FetchIds { request: "r", rooms: ["a"] })"#),
        (
            REQUESTS,
            r#"{"sid":"s","room":"a","requestId":"r","type":2}"#,
            r#"Ok(OldJoin { socket: "s", room: "a", request: "r" })"#,
        ),
        (
            REQUESTS,
            r#"{"sid":"s","room":5,"requestId":"r","type":3}"#,
            r#"Ok(OldLeave { socket: "s", room: "5", request: "r" })"#,
        ),
        (
            REQUESTS,
            r#"{"sid":"s","requestId":"r","type":4}"#,
            r#"Ok(OldDisconnect { socket: "s", close: false, request: "r" })"#,
        ),
        (REQUESTS, r#"{"type":2,"rooms":["a"]}"#, "Err(Malformed)"),
        (REQUESTS, r#"{"type":5,"opts":{}}"#, "Err(Malformed)"),
        (REQUESTS, r#"{"type":6}"#, "Err(Malformed)"),
        (REQUESTS, r#"{"requestId":"r"}"#, "Err(Malformed)"),
        (RESPONSES, r#"{"requestId":"r"}"#, r#"Ok(Done { request: "r" })"#),
        (RESPONSES, r#"{"requestId":"r","sockets":["a","b"]}"#, r#"Ok(SocketIds { request: "r", ids: ["a", "b"] })"#),
        (RESPONSES, r#"{"requestId":"r","sockets":[]}"#, r#"Ok(Sockets { request: "r", sockets: [] })"#),
        (RESPONSES, r#"{"requestId":"r","sockets":{}}"#, "Err(Malformed)"),
        (RESPONSES, r#"{"requestId":"r","rooms":["a",1]}"#, r#"Ok(Rooms { request: "r", rooms: ["a", "1"] })"#),
        (RESPONSES, r#"{"type":8,"requestId":"r","clientCount":-1}"#, "Err(Malformed)"),
        (RESPONSES, r#"{"type":8,"clientCount":1}"#, "Err(Malformed)"),
        (RESPONSES, r#"{"type":7,"requestId":"r"}"#, "Err(Malformed)"),
    ] {
        assert_eq!(read(topic, text), expected, "{text}");
    }
}

#[test]
fn details_of_sockets_may_lack_fields() {
    let text = r#"{"requestId":"r","sockets":[{"id":"a","rooms":["a",1],"handshake":{"address":null,"issued":1.5e3,"x":1}},{}]}"#;
    let body = Bytes::from_static(text.as_bytes());
    let received = decode(Dialect::Classic, RESPONSES, &body).expect("a message");
    let Message::Sockets { sockets, .. } = received.message else { panic!("{received:?}") };
    assert_eq!(sockets[0].rooms, ["a", "1"]);
    assert_eq!((&*sockets[0].handshake.address, sockets[0].handshake.issued), ("", 1500));
    assert_eq!(sockets.len(), 2);
}
