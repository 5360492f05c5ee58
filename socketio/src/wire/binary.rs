//! [`Binary`]: the payload type for binary data.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

thread_local! {
    /// The bytes of the [`Binary`] that is being serialized. [`super::json`] takes them and shares
    /// them instead of copying. serde's traits have no parameter for it.
    static SERIALIZING: RefCell<Option<Bytes>> = const { RefCell::new(None) };
    /// The attachments of the event that is being decoded. A [`Binary`] shares its attachment
    /// instead of copying it. serde's traits have no parameter for them either.
    static ATTACHMENTS: RefCell<Option<Attachments>> = const { RefCell::new(None) };
}

/// The attachments of an event.
pub(crate) type Attachments = Arc<[Bytes]>;

/// Runs `decode`, during which each [`Binary`] shares these attachments.
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
/// Take it, or [`AnyValue`](crate::AnyValue), wherever a client may send binary data. Types that
/// can't hold any, such as `serde_json::Value` or `String`, fail with `invalid_payload`. Data in a
/// field or argument that nothing takes is ignored, like any other.
///
/// | type | is sent as | receives |
/// | --- | --- | --- |
/// | `Binary` | binary data | binary data, base64 strings, arrays of numbers |
/// | other types that serialize as bytes, such as those of `serde_bytes` | binary data | binary data; a string as the bytes of its text |
/// | `Vec<u8>`, `[u8; N]`, `&[u8]` | an array of numbers | an array of numbers |
///
/// This holds inside of untagged and internally tagged enums and of flattened fields, too. Other
/// formats that people read, such as a `serde_json::Value`, get a `Binary` as a base64 string. So
/// does `json!({ "bytes": binary })`: emit a struct or an `AnyValue` to send binary data.
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
        /// Forgets the bytes, even if the serializer panics.
        struct Forget;
        impl Drop for Forget {
            fn drop(&mut self) {
                SERIALIZING.take();
            }
        }
        SERIALIZING.set(Some(self.0.clone()));
        let _forget = Forget;
        serializer.serialize_newtype_struct(NAME, &Contents(&self.0))
    }
}

/// The name of the newtype that a [`Binary`] serializes as. serde keeps it where it buffers values,
/// so that [`super::json`] recognizes the buffered ones.
pub(super) const NAME: &str = "$socketio::Binary";

/// The contents of the newtype for all other serializers.
struct Contents<'a>(&'a [u8]);

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(&STANDARD.encode(self.0)),
            false => serializer.serialize_bytes(self.0),
        }
    }
}

/// Reads the contents of a buffered [`Binary`].
pub(super) fn from_contents(text: &str) -> Option<Bytes> {
    STANDARD.decode(text).ok().map(Bytes::from)
}

/// Shares the attachment that consists of these bytes. Bytes of anything else are copied.
pub(super) fn shared(bytes: &[u8]) -> Bytes {
    let attachment = ATTACHMENTS.with_borrow(|attachments| {
        attachments.iter().flat_map(|all| all.iter()).find(|attachment| std::ptr::eq(&***attachment, bytes)).cloned()
    });
    attachment.unwrap_or_else(|| Bytes::copy_from_slice(bytes))
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

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Binary, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Binary, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Binary, E> {
        Ok(Binary(shared(bytes)))
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
