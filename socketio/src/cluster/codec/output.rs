//! [`Output`]: writes a message as JSON or MessagePack.

use crate::cluster::message::{Flags, Options, SocketDetails, ValueRef};
use crate::wire::json::write_string;
use crate::wire::msgpack::write::Writer;
use crate::wire::packet::Packet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Msgpack,
}

impl Format {
    /// JSON can't hold binary data.
    pub(super) fn with_binary(has_binary: bool) -> Self {
        if has_binary { Self::Msgpack } else { Self::Json }
    }
}

/// Appends a message to a buffer.
pub(super) struct Output<'o> {
    out: &'o mut Vec<u8>,
    format: Format,
}

impl<'o> Output<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, format: Format) -> Self {
        Self { out, format }
    }

    fn msgpack(&mut self) -> Writer<'_> {
        Writer { out: self.out }
    }

    /// Writes a map. `write` writes as many entries.
    pub(super) fn map(&mut self, entries: usize, write: impl FnOnce(&mut Self)) {
        match self.format {
            Format::Json => {
                self.out.push(b'{');
                write(self);
                self.out.push(b'}');
            }
            Format::Msgpack => {
                self.msgpack().map(entries);
                write(self);
            }
        }
    }

    /// Writes a key that needs no escaping. Its value must follow.
    pub(super) fn key(&mut self, key: &str) -> &mut Self {
        match self.format {
            Format::Json => {
                if self.out.last() != Some(&b'{') {
                    self.out.push(b',');
                }
                self.out.push(b'"');
                self.out.extend_from_slice(key.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            Format::Msgpack => self.msgpack().string(key),
        }
        self
    }

    pub(super) fn text(&mut self, text: &str) {
        match self.format {
            Format::Json => write_string(self.out, text),
            Format::Msgpack => self.msgpack().string(text),
        }
    }

    pub(super) fn unsigned(&mut self, number: u64) {
        match self.format {
            Format::Json => serialize(self.out, &number),
            Format::Msgpack => self.msgpack().unsigned(number),
        }
    }

    pub(super) fn boolean(&mut self, value: bool) {
        match self.format {
            Format::Json => self.out.extend_from_slice(if value { b"true" } else { b"false" }),
            Format::Msgpack => self.msgpack().boolean(value),
        }
    }

    /// Writes an array of strings.
    pub(super) fn names(&mut self, names: &[impl AsRef<str>]) {
        match self.format {
            Format::Json => {
                self.out.push(b'[');
                for (at, name) in names.iter().enumerate() {
                    if at > 0 {
                        self.out.push(b',');
                    }
                    write_string(self.out, name.as_ref());
                }
                self.out.push(b']');
            }
            Format::Msgpack => {
                let mut writer = self.msgpack();
                writer.array(names.len());
                for name in names {
                    writer.string(name.as_ref());
                }
            }
        }
    }

    /// Writes options. Most requests of the classic dialect have no flags.
    pub(super) fn options(&mut self, options: &Options<'_>, has_flags: bool) {
        self.map(2 + usize::from(has_flags), |output| {
            output.key("rooms").names(&options.rooms);
            output.key("except").names(&options.except);
            if has_flags {
                output.key("flags").flags(&options.flags);
            }
        });
    }

    fn flags(&mut self, flags: &Flags<'_>) {
        let Flags { volatile, latest, timeout, expect_single_response, raw, session } = flags;
        let set = [*expect_single_response, *volatile, latest.is_some(), timeout.is_some(), *raw, session.is_some()];
        self.map(set.iter().filter(|is_set| **is_set).count(), |output| {
            if *expect_single_response {
                output.key("expectSingleResponse").boolean(true);
            }
            if *volatile {
                output.key("volatile").boolean(true);
            }
            if let Some(key) = latest {
                output.key("latest").text(key);
            }
            if let Some(millis) = timeout {
                output.key("timeout").unsigned(*millis);
            }
            if *raw {
                output.key("raw").boolean(true);
            }
            if let Some(number) = session {
                output.key("session").unsigned(*number);
            }
        });
    }

    /// Writes an array of an event's name and its arguments.
    pub(super) fn event(&mut self, packet: &Packet) {
        let Some((name, payload)) = packet.name_and_payload() else { return self.raw_message(packet) };
        let json = payload.json_with_markers();
        match self.format {
            Format::Json => {
                self.out.push(b'[');
                write_string(self.out, name);
                if payload.count() > 0 {
                    self.out.push(b',');
                    self.out.extend_from_slice(json);
                }
                self.out.push(b']');
            }
            Format::Msgpack => self.msgpack().list(name, json, payload.attachments()),
        }
    }

    fn raw_message(&mut self, packet: &Packet) {
        match self.format {
            Format::Json => self.out.extend_from_slice(br#"["message","#),
            Format::Msgpack => {
                let mut writer = self.msgpack();
                writer.array(2);
                writer.string("message");
            }
        }
        match packet.raw_message() {
            Some(Ok(text)) => self.text(text),
            // Its format is always MessagePack.
            Some(Err(bytes)) => self.msgpack().binary(bytes),
            None => {}
        }
        if self.format == Format::Json {
            self.out.push(b']');
        }
    }

    pub(super) fn value(&mut self, value: ValueRef<'_>) {
        match self.format {
            Format::Json => self.out.extend_from_slice(value.json.as_bytes()),
            Format::Msgpack => self.msgpack().json(value.json.as_bytes(), value.attachments),
        }
    }

    /// Writes the details of sockets. They have no binary data.
    pub(super) fn sockets(&mut self, sockets: &[SocketDetails]) {
        match self.format {
            Format::Json => serialize(self.out, &sockets),
            Format::Msgpack => {
                let mut json = Vec::new();
                serialize(&mut json, &sockets);
                self.msgpack().json(&json, &[]);
            }
        }
    }
}

/// Whether the packet has binary data.
pub(super) fn has_binary(packet: &Packet) -> bool {
    match packet.raw_message() {
        Some(message) => message.is_err(),
        None => packet.name_and_payload().is_some_and(|(_, payload)| !payload.attachments().is_empty()),
    }
}

/// Appends JSON.
fn serialize(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    // These values always serialize.
    let _ = serde_json::to_writer(out, value);
}
