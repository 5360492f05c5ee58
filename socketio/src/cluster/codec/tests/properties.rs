//! All messages are read as they were written, and no bytes make the reader panic.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::recorded::Recorded;
use super::{MAIN, REQUESTS, RESPONSES, add_sequence, decode, encode, sequence};
use crate::cluster::codec::check::{Owned, check};
use crate::cluster::codec::kind_in_log;
use crate::cluster::message::{
    FetchPage, Flags, HandshakeDetails, MAX_TIMEOUT, Names, Options, ReceivedValue, SocketDetails,
};
use crate::cluster::{Dialect, Topic};
use crate::wire::any_value::AnyValue;
use crate::wire::packet::Packet;
use crate::wire::payload::Payload;
use crate::wire::round_trips::value;

type Message = Owned;

/// What messages are made of.
#[derive(Clone, Debug)]
struct Parts {
    names: Vec<String>,
    options: Options<'static>,
    request: String,
    text: Option<String>,
    yes: bool,
    number: u32,
    values: Vec<AnyValue>,
}

fn parts() -> impl Strategy<Value = Parts> {
    let names = || prop::collection::vec(any::<String>(), 0..4);
    let numbers = (prop::option::of(0..=MAX_TIMEOUT), prop::option::of(0..1u64 << 52));
    let latest = prop::option::of(any::<String>().prop_map(Into::into));
    let flags = (any::<[bool; 3]>(), numbers, latest).prop_map(|(set, (timeout, session), latest)| {
        let [volatile, expect_single_response, raw] = set;
        Flags { volatile, latest, timeout, expect_single_response, raw, session }
    });
    let options = (names(), names(), flags).prop_map(|(rooms, except, flags)| Options {
        rooms: rooms.into_iter().map(Into::into).collect(),
        except: except.into_iter().map(Into::into).collect(),
        flags,
    });
    let text = prop::option::of(any::<String>());
    let values = prop::collection::vec(value(), 0..4);
    let all = (names(), options, any::<String>(), text, any::<bool>(), any::<u32>(), values);
    all.prop_map(|(names, options, request, text, yes, number, values)| Parts {
        names,
        options,
        request,
        text,
        yes,
        number,
        values,
    })
}

/// `None` if the values are no payload.
fn payload(values: &[AnyValue]) -> Option<Payload> {
    let mut payload = Payload::new();
    values.iter().try_for_each(|value| payload.push(value)).ok()?;
    Some(payload)
}

impl Parts {
    /// The messages of the kinds that are written, in both dialects and in the classic one.
    fn messages(&self) -> Option<(Vec<Message>, Vec<Message>)> {
        let Self { names, options, request, text, yes, number, values } = self.clone();
        let rooms: Names<'static> = names.iter().cloned().map(Into::into).collect();
        let request: std::borrow::Cow<'static, str> = request.into();
        let event = || Some(Packet::event("event", payload(&values)?));
        let bytes = Bytes::from(names.concat());
        let raw = || if yes { Packet::text(&names.concat()) } else { Packet::binary(bytes.clone()) };
        let answer = || -> Option<Option<ReceivedValue>> {
            let Some(value) = values.first() else { return Some(None) };
            let payload = payload(std::slice::from_ref(value))?;
            let (json, attachments) = payload.placeholders();
            let attachments = attachments.as_deref().unwrap_or_default().to_vec();
            Some(Some(ReceivedValue { json: json.into_owned(), attachments }))
        };
        let socket = SocketDetails {
            id: self.request.clone(),
            handshake: HandshakeDetails {
                headers: names.iter().map(|name| (name.clone(), json!(name))).collect(),
                time: names.concat(),
                secure: yes,
                issued: number.into(),
                auth: json!({ "names": names }),
                ..HandshakeDetails::default()
            },
            rooms: names.clone(),
            data: json!({ "number": number }),
        };
        let of_some = |optional: bool| optional.then(|| request.clone());
        let plain = Options { flags: Flags::default(), ..options.clone() };
        let raw_options = Options { flags: Flags { raw: true, ..options.flags.clone() }, ..options.clone() };
        let options = Options { flags: Flags { raw: false, ..options.flags.clone() }, ..options };
        let page = FetchPage { after: text.clone().map(Into::into), limit: number.into() };
        let both = vec![
            Message::Broadcast { packet: event()?, options: options.clone(), request: of_some(yes) },
            Message::Broadcast { packet: raw(), options: raw_options, request: of_some(!yes) },
            Message::Join { options: plain.clone(), rooms: rooms.clone() },
            Message::Leave { options: plain.clone(), rooms: rooms.clone() },
            Message::Disconnect { options: plain.clone(), close: yes, reason: names.concat().into() },
            Message::Fetch { options: plain.clone(), request: request.clone(), page: None },
            Message::Fetch { options: plain, request: request.clone(), page: Some(page.clone()) },
            Message::FetchRooms { request: request.clone(), page },
            Message::FetchRooms { request: request.clone(), page: FetchPage::ALL },
            Message::Rooms { request: request.clone(), rooms: names.clone() },
            Message::ServerEmit { packet: event()?, request: of_some(yes) },
            Message::Sockets { request: request.clone(), sockets: vec![socket.clone(); names.len()] },
            Message::ClientCount { request: request.clone(), clients: number as usize },
            Message::Ack { request: request.clone(), answer: answer()?, socket: text.map(Into::into) },
            Message::ServerAnswer { request: request.clone(), answer: answer()? },
            Message::Probe { number: number.into() },
        ];
        let mut classic = vec![Message::Done { request: request.clone() }];
        // An empty list is read as one of sockets.
        if !names.is_empty() {
            classic.push(Message::SocketIds { request, ids: names });
        }
        Some((both, classic))
    }
}

/// The topic on which a message is published.
fn topic<'a>(dialect: Dialect, server: &'a str, message: &Message) -> Topic<'a> {
    match (dialect, message) {
        (Dialect::Streams, message) => match kind_in_log(&message.outgoing()) {
            Some(kind) => Topic::Log { namespace: "/", server, kind },
            None => MAIN,
        },
        (_, Message::Broadcast { request: None, .. }) => MAIN,
        (
            Dialect::Classic,
            Message::Broadcast { .. }
            | Message::Join { .. }
            | Message::Leave { .. }
            | Message::Disconnect { .. }
            | Message::Fetch { .. }
            | Message::FetchRooms { .. }
            | Message::ServerEmit { .. },
        ) => REQUESTS,
        (Dialect::Classic, _) => RESPONSES,
        (Dialect::Messages, _) => Topic::Reply { namespace: "/", server: "me" },
    }
}

/// The messages of these parts as they are published.
fn published<'a>(parts: &Parts, server: &'a str) -> Vec<(Dialect, Topic<'a>, Message, Vec<u8>)> {
    let Some((both, classic)) = parts.messages() else { return Vec::new() };
    let again = |dialect| {
        let (both, _) = parts.messages().expect("the same");
        both.into_iter().map(move |message| (dialect, message))
    };
    let classic = both.into_iter().chain(classic).map(|message| (Dialect::Classic, message));
    let all = classic.chain(again(Dialect::Messages)).chain(again(Dialect::Streams));
    all.map(|(dialect, message)| {
        let mut body = b"before".to_vec();
        let topic = topic(dialect, server, &message);
        encode(dialect, server, topic, &message.outgoing(), &mut body);
        assert!(body.starts_with(b"before"));
        (dialect, topic, message, body.split_off(6))
    })
    .collect()
}

fn corrupted(body: &[u8], changes: &[(prop::sample::Index, u8, u8)]) -> Bytes {
    let mut body = body.to_vec();
    for (at, how, byte) in changes {
        let at = at.index(body.len() + 1);
        match how % 4 {
            0 => body.truncate(at),
            1 => body.insert(at, *byte),
            2 if at < body.len() => drop(body.remove(at)),
            _ if at < body.len() => body[at] ^= byte,
            _ => {}
        }
    }
    body.into()
}

proptest! {
    #[test]
    fn messages_are_read_back(parts in parts(), server in any::<String>(), number in prop::option::of(any::<u64>())) {
        for (dialect, topic, message, mut body) in published(&parts, &server) {
            if let Some(number) = number {
                add_sequence(dialect, &mut body, 0, number);
            }
            prop_assert_eq!(sequence(dialect, &body), number);
            let body = Bytes::from(body);
            let received = decode(dialect, topic, &body);
            prop_assert!(received.is_ok(), "{} {:?}", message.shown(), body);
            let received = received.expect("a message");
            if !matches!((dialect, &message), (Dialect::Classic, Message::Probe { .. })) {
                // An entry of a log without a server has an empty name.
                let named = received.server.as_deref().unwrap_or_default();
                prop_assert_eq!(named, &*server);
            }
            let again = Owned::of(&received.message);
            prop_assert!(again.is_some(), "{}", message.shown());
            prop_assert_eq!(again.expect("a message").shown(), message.shown());
        }
    }

    #[test]
    fn corrupted_messages_are_harmless(
        parts in parts(),
        recorded in any::<prop::sample::Index>(),
        changes in prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 1..5),
    ) {
        for (dialect, topic, _, body) in published(&parts, "0123456789abcdef") {
            check(dialect, topic, &corrupted(&body, &changes));
        }
        let recorded = recorded.get(RECORDED.with(|all| *all));
        check(recorded.dialect(), recorded.topic(), &corrupted(&recorded.body(), &changes));
    }

    #[test]
    fn arbitrary_bytes_are_harmless(bytes in any::<Vec<u8>>()) {
        for start in [&b""[..], b"{\"", b"\x93\xa2me\x83", b"\x85\xa4type\x07\xa6packet", b"\x84\xa4type\x03\xa4data"] {
            let body = Bytes::from([start, &bytes].concat());
            for topic in [MAIN, REQUESTS, RESPONSES] {
                check(Dialect::Classic, topic, &body);
                check(Dialect::Messages, topic, &body);
            }
            for kind in 0..16 {
                check(Dialect::Streams, Topic::Log { namespace: "/", server: "me", kind }, &body);
            }
        }
    }
}

thread_local! {
    static RECORDED: &'static [Recorded] = Recorded::all().leak();
}
