//! A custom [`Parser`] for the default encoding.

use crate::wire::parser::{InvalidPacket, Parser, ParserMessage, ParserPacket};

/// Encodes a packet as its text, followed by one message per attachment.
#[derive(Debug)]
pub(super) struct SplitParser;

impl Parser for SplitParser {
    fn encode(&self, packet: &ParserPacket) -> Vec<ParserMessage> {
        let attachments = packet.attachments.iter().cloned().map(ParserMessage::Binary);
        [ParserMessage::Text(packet.text.clone())].into_iter().chain(attachments).collect()
    }

    fn decode(&self, received: &[ParserMessage]) -> Result<Option<ParserPacket>, InvalidPacket> {
        let [ParserMessage::Text(text), rest @ ..] = received else { return Err(InvalidPacket) };
        let expected = match text.split_once('-') {
            Some((head, _)) if head.starts_with(['5', '6']) => head[1..].parse().map_err(|_| InvalidPacket)?,
            _ => 0,
        };
        let mut attachments = Vec::new();
        for message in rest {
            let ParserMessage::Binary(bytes) = message else { return Err(InvalidPacket) };
            attachments.push(bytes.clone());
        }
        let packet = ParserPacket { text: text.clone(), attachments };
        Ok((packet.attachments.len() == expected).then_some(packet))
    }
}
