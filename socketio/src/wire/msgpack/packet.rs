//! Reads a client's packet.

use bytes::Bytes;

use super::cursor::{Cursor, Head};
use super::read::{BinaryForm, Translator};
use crate::wire::parser::{InvalidPacket, ParserPacket};

/// The most attachments of a packet.
const MAX_ATTACHMENTS: usize = 1_000;

/// The encoding of `undefined` by the JavaScript encoder.
const UNDEFINED: &[u8] = &[0xd4, 0, 0];

/// Reads a message as one packet.
pub(super) fn read(message: &Bytes) -> Result<ParserPacket, InvalidPacket> {
    let mut translator = Translator::new(message, BinaryForm::Placeholder, MAX_ATTACHMENTS);
    let fields = Fields::read(message, &mut translator).ok_or(InvalidPacket)?;
    let Fields { kind, namespace, id, data } = fields;
    let namespace: String = serde_json::from_slice(&namespace).map_err(|_| InvalidPacket)?;
    if !namespace.starts_with('/') || namespace.contains(',') || !id.iter().all(u8::is_ascii_digit) {
        return Err(InvalidPacket);
    }
    // The default encoding has no separator before the data, so `data` must not start with a digit.
    if !matches!(
        (&*kind, data.first()),
        (b"0", None | Some(b'{')) | (b"1", None) | (b"2" | b"3", Some(b'[')) | (b"4", Some(b'{' | b'"'))
    ) {
        return Err(InvalidPacket);
    }
    let attachments = translator.into_attachments();
    let (kind, count) = match (&*kind, attachments.len()) {
        (kind, 0) => (kind, String::new()),
        (b"2", count) => (&b"5"[..], format!("{count}-")),
        (b"3", count) => (&b"6"[..], format!("{count}-")),
        _ => return Err(InvalidPacket),
    };
    let text = [kind, count.as_bytes(), namespace.as_bytes(), b",", &id, &data].concat();
    let text = String::from_utf8(text).map_err(|_| InvalidPacket)?;
    Ok(ParserPacket { text, attachments })
}

/// The fields of a packet as JSON. A missing one is empty.
#[derive(Default)]
struct Fields {
    kind: Vec<u8>,
    namespace: Vec<u8>,
    id: Vec<u8>,
    data: Vec<u8>,
}

impl Fields {
    fn read<'a>(message: &'a [u8], translator: &mut Translator<'a>) -> Option<Self> {
        let mut fields = Self::default();
        let mut cursor = Cursor::new(message);
        let Head::Map(entries) = cursor.head()? else { return None };
        for _ in 0..entries {
            let mut key = Vec::new();
            translator.key(&mut cursor, &mut key)?;
            let field = match &*key {
                br#""type""# => &mut fields.kind,
                br#""nsp""# => &mut fields.namespace,
                br#""id""# => &mut fields.id,
                br#""data""# => &mut fields.data,
                _ => {
                    let known = translator.attachments.len();
                    translator.value(&mut cursor, &mut Vec::new(), 0)?;
                    translator.attachments.truncate(known);
                    continue;
                }
            };
            field.clear();
            if cursor.rest().starts_with(UNDEFINED) {
                cursor.take(UNDEFINED.len())?;
            } else {
                translator.value(&mut cursor, field, 0)?;
            }
        }
        cursor.rest().is_empty().then_some(fields)
    }
}
