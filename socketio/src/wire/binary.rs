//! [`Binary`]: the payload type for binary data.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

thread_local! {
    /// The bytes of the [`Binary`] that is being serialized. [`super::payload`] takes them and
    /// shares them instead of copying. Other serializers receive only the byte slice. serde's
    /// traits have no parameter for it.
    static SERIALIZING: RefCell<Option<Bytes>> = const { RefCell::new(None) };
    /// The attachments of the event that is being decoded. serde's traits have no parameter for
    /// them either.
    static ATTACHMENTS: RefCell<Option<Attachments>> = const { RefCell::new(None) };
}

/// The attachments of an event.
pub(crate) type Attachments = Arc<[Bytes]>;

/// Runs `decode` with these attachments for the placeholders in its input.
pub(crate) fn with_attachments<R>(attachments: Option<&Attachments>, decode: impl FnOnce() -> R) -> R {
    /// Restores the previous attachments, even if decoding panics.
    struct Restore(Option<Attachments>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ATTACHMENTS.set(self.0.take());
        }
    }
    let Some(attachments) = attachments else { return decode() };
    let _restore = Restore(ATTACHMENTS.replace(Some(Arc::clone(attachments))));
    decode()
}

/// Binary data in a payload: as a whole argument or as a field at any depth.
///
/// Socket.IO clients send and receive it as a `Buffer`, an `ArrayBuffer` or a `Blob`. In the JSON
/// envelopes of plain WebSocket clients it is a string of standard base64 in both directions.
/// Cloning is cheap: the bytes are shared.
///
/// ```
/// use socketio::{Binary, event};
///
/// #[event("picture")]
/// #[derive(serde::Serialize)]
/// struct Picture {
///     name: String,
///     bytes: Binary,
/// }
///
/// let picture = Picture { name: "dot.png".into(), bytes: Binary::from(vec![0x89, 0x50]) };
/// assert_eq!(picture.bytes.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Binary(pub Bytes);

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for Binary {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SERIALIZING.set(Some(self.0.clone()));
        let result = serializer.serialize_bytes(&self.0);
        SERIALIZING.take();
        result
    }
}

/// The attachment with this number of the event that is being decoded.
pub(super) fn attachment(number: usize) -> Option<Binary> {
    ATTACHMENTS.with_borrow(|attachments| attachments.as_ref()?.get(number).cloned()).map(Binary)
}

/// Takes the bytes of the [`Binary`] that is being serialized on this thread.
pub(super) fn take_serializing() -> Option<Bytes> {
    SERIALIZING.take()
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("binary data, or a base64 string")
    }

    /// Decodes a placeholder as its attachment.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Binary, A::Error> {
        let (mut is_placeholder, mut number) = (false, None);
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "_placeholder" => is_placeholder = map.next_value()?,
                "num" => number = Some(map.next_value::<usize>()?),
                _ => return Err(de::Error::custom("expected binary data")),
            }
        }
        let number = number.filter(|_| is_placeholder).ok_or_else(|| de::Error::custom("expected binary data"))?;
        attachment(number).ok_or_else(|| de::Error::custom("there is no such attachment"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Binary, E> {
        STANDARD.decode(text).map(Binary::from).map_err(|error| E::custom(format_args!("invalid base64: {error}")))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(4096));
        while let Some(byte) = seq.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(Binary(bytes.into()))
    }
}

/// Appends `bytes` as a JSON string of standard base64.
pub(super) fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), true).expect("an attachment is far smaller than the address space");
    out.resize(start + length, 0);
    STANDARD.encode_slice(bytes, &mut out[start..]).expect("the length was computed for it");
    out.push(b'"');
}
