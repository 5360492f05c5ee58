//! The limits on attachments are the same in the default encoding and with a custom parser.

use bytes::Bytes;

use super::*;
use crate::wire::msgpack::MsgpackParser;
use crate::wire::parser::{Parser, ParserMessage, ParserPacket};

const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

/// Sends an event with attachments of these sizes. Returns whether the connection stays open.
fn is_accepted(client: ClientProtocol, arguments: &[&str], attachments: &[usize]) -> bool {
    let mut harness = Harness::new(client, false, false);
    harness.text("40");
    harness.text(&format!(r#"45{}-["e1",{}]"#, attachments.len(), arguments.join(",")));
    for length in attachments {
        harness.receive(Message::binary(vec![0; *length]));
    }
    assert_eq!(harness.session.is_open(), harness.driver.sockets[0].end.is_none());
    harness.session.is_open()
}

#[test]
fn placeholders_may_not_multiply_attachments() {
    for client in [ClientProtocol::SocketIo, ClientProtocol::Parsed] {
        assert!(is_accepted(client, &[PLACEHOLDER], &[400]));
        assert!(is_accepted(client, &[PLACEHOLDER, PLACEHOLDER], &[400]));
        assert!(!is_accepted(client, &[PLACEHOLDER, PLACEHOLDER, PLACEHOLDER], &[400]));
    }
}

#[test]
fn the_number_of_attachments_is_limited() {
    for client in [ClientProtocol::SocketIo, ClientProtocol::Parsed] {
        assert!(is_accepted(client, &["1"], &[1, 1]));
        assert!(!is_accepted(client, &["1"], &[1, 1, 1]));
    }
}

#[test]
fn the_number_of_attachments_in_one_message_is_limited() {
    for (count, is_open) in [(2, true), (3, false)] {
        let mut harness = Harness::new(ClientProtocol::Parsed, false, false);
        harness.session.protocol = Protocol::engine_io(Flavour::SocketIo, &Encoding::Parsed(Arc::new(MsgpackParser)));
        let placeholders: Vec<_> = (0..count).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
        let event = format!(r#"5{count}-["e1",{}]"#, placeholders.join(","));
        let attachments = vec![Bytes::from_static(&[0]); count];
        for (text, attachments) in [("0".to_owned(), Vec::new()), (event, attachments)] {
            for message in MsgpackParser.encode(&ParserPacket { text, attachments }) {
                let ParserMessage::Binary(bytes) = message else { panic!("MessagePack is binary") };
                harness.receive(Message::Binary(bytes));
            }
        }
        assert_eq!(harness.session.is_open(), is_open, "{count}");
        assert_eq!(harness.driver.sockets.len(), 1);
    }
}
