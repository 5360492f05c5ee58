//! Socket.IO packets, and the messages that tests write and expect instead of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, from_str};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// The kinds of packets.
pub(super) const CONNECT: u8 = 0;
pub(super) const DISCONNECT: u8 = 1;
pub(super) const EVENT: u8 = 2;
pub(super) const ACK: u8 = 3;
pub(super) const CONNECT_ERROR: u8 = 4;

/// A packet of the namespace `/`. Its JSON has placeholders for its attachments.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) kind: u8,
    pub(super) id: Option<u64>,
    /// Empty if the packet has no data.
    pub(super) json: String,
    pub(super) attachments: Vec<Bytes>,
}

impl Packet {
    /// The text of the packet in the default encoding.
    pub(super) fn text(&self) -> String {
        let id = self.id.map(|id| id.to_string()).unwrap_or_default();
        match self.attachments.len() {
            0 => format!("4{}{id}{}", self.kind, self.json),
            count => format!("4{}{count}-{id}{}", self.kind + 3, self.json),
        }
    }

    /// Parses such a text without its first character. Also returns the number of attachments.
    pub(super) fn read(text: &str) -> (Self, usize) {
        let (kind, rest) = text.split_at(1);
        let kind: u8 = kind.parse().expect("a kind of packet");
        let (kind, count, rest) = match kind {
            5 | 6 => {
                let (count, rest) = rest.split_once('-').expect("a number of attachments");
                (kind - 3, count.parse().expect("a number of attachments"), rest)
            }
            _ => (kind, 0, rest),
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let id = rest[..digits].parse().ok();
        (Self { kind, id, json: rest[digits..].to_owned(), attachments: Vec::new() }, count)
    }

    /// The arguments of an event, with its name, or of an answer. Binary arguments are base64.
    pub(super) fn args(&self) -> Vec<Box<RawValue>> {
        if self.attachments.is_empty() {
            return from_str(&self.json).expect("a list");
        }
        let args: Vec<Value> = from_str(&self.json).expect("a list");
        let raw = |arg| serde_json::value::to_raw_value(&self.resolved(arg)).expect("JSON");
        args.into_iter().map(raw).collect()
    }

    /// The argument of an event `message`, if it is one string or binary value.
    pub(super) fn message(&self) -> Option<Message> {
        if self.kind != EVENT || self.id.is_some() || !self.json.starts_with(r#"["message","#) {
            return None;
        }
        match &*from_str::<Vec<Value>>(&self.json).expect("a list") {
            [_, Value::String(text)] => Some(Message::text(&**text)),
            [_, placeholder] => self.attachment(placeholder).map(|bytes| Message::Binary(bytes.clone())),
            _ => None,
        }
    }

    fn attachment(&self, value: &Value) -> Option<&Bytes> {
        let number = value.get("num").filter(|_| value["_placeholder"] == true)?.as_u64()?;
        Some(self.attachments.get(usize::try_from(number).ok()?).expect("as many attachments as placeholders"))
    }

    fn resolved(&self, value: Value) -> Value {
        if let Some(bytes) = self.attachment(&value) {
            return STANDARD.encode(bytes).into();
        }
        match value {
            Value::Array(values) => values.into_iter().map(|value| self.resolved(value)).collect(),
            Value::Object(values) => values.into_iter().map(|(key, value)| (key, self.resolved(value))).collect(),
            other => other,
        }
    }
}

/// An event or an answer as tests write it: an envelope of plain WebSocket clients.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) event: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Distinguishes `null` from a missing value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl<'a> Envelope<'a> {
    /// `None`: the text is a raw message.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let envelope: Self = from_str(text).ok().filter(|_| text.trim_start().starts_with('{'))?;
        let is_event = envelope.event.is_none_or(|name| name.get().starts_with('"') && name.get().len() > 2);
        let is_asking =
            |id: &&RawValue| id.get().starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit());
        let id = envelope.id.filter(is_asking);
        (is_event && (envelope.event.is_some() || id.is_some())).then_some(Self { id, ..envelope })
    }

    /// The packet's JSON array: an event's name and arguments, or the arguments of an answer.
    pub(super) fn list(&self) -> String {
        let error = self.error.map(|error| format!(r#"{{"error":{}}}"#, error.get()));
        let one = self.data.map(RawValue::get).or(error.as_deref());
        let args = self.args.iter().flatten().map(|arg| arg.get());
        let values: Vec<_> = self.event.map(RawValue::get).into_iter().chain(one).chain(args).collect();
        format!("[{}]", values.join(","))
    }
}

/// The envelope of an event.
pub(super) fn event(id: Option<u64>, args: &[Box<RawValue>]) -> String {
    let (name, args) = args.split_first().expect("a name");
    let id = id.map(|id| format!(r#","id":{id}"#)).unwrap_or_default();
    format!(r#"{{"event":{}{}{id}}}"#, name.get(), contents(args))
}

/// The envelope of an answer.
pub(super) fn answer(id: &str, args: &[Box<RawValue>]) -> String {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Failed<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    // serde_json also decodes a struct from an array.
    let only = args.first().filter(|one| args.len() == 1 && one.get().starts_with('{'));
    let failed = only.and_then(|one| from_str::<Failed<'_>>(one.get()).ok());
    let contents = match failed {
        Some(failed) => format!(r#","error":{}"#, failed.error.get()),
        None => contents(args),
    };
    format!(r#"{{"id":{id}{contents}}}"#)
}

fn contents(args: &[Box<RawValue>]) -> String {
    match args {
        [] => String::new(),
        [one] => format!(r#","data":{}"#, one.get()),
        args => format!(r#","args":[{}]"#, args.iter().map(|arg| arg.get()).collect::<Vec<_>>().join(",")),
    }
}
