//! What adapters read of packets, and how they make them.

use bytes::Bytes;
use std::borrow::Cow;

use crate::event::context::{Frame, RawArgs};
use crate::event::message::check_name;
use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;
use crate::wire::packet::Packet;
use crate::wire::payload::{InvalidArgs, Payload};

/// Why a [`Packet`] or an answer can't be made from what another server has sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// No event can have this name: it is empty, or reserved by the framework.
    #[error("no event can be named `{0}`")]
    Name(String),
    /// The arguments are not JSON values, separated by commas.
    #[error("the arguments are not JSON values separated by commas")]
    Json,
    /// The arguments are nested more deeply than 128 levels, their list included. An object with a
    /// key that `serde_json` reserves counts as too deep, because decoding it may add levels.
    #[error("the arguments are nested too deeply")]
    TooDeep,
    /// A placeholder stands for an attachment that is not there, or there are more attachments than
    /// placeholders, or fewer.
    #[error("the placeholders are not those of the attachments")]
    Placeholder,
}

impl From<InvalidArgs> for PacketError {
    fn from(error: InvalidArgs) -> Self {
        match error {
            InvalidArgs::Json => Self::Json,
            InvalidArgs::TooDeep => Self::TooDeep,
            InvalidArgs::Placeholder => Self::Placeholder,
        }
    }
}

/// The arguments of a [`Packet`] as JSON text, with the binary data in them.
#[derive(Clone, Debug)]
pub struct PacketArgs<'a> {
    json: Cow<'a, str>,
    attachments: Option<Attachments>,
}

impl PacketArgs<'_> {
    /// The arguments' JSON text, comma separated, without brackets; empty if there are none. Where
    /// binary data belongs, `{"_placeholder":true,"num":0}` stands for the first of the
    /// [`attachments`](Self::attachments).
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The binary data, in the order of its placeholders' numbers.
    pub fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    /// The same, to be decoded or emitted again.
    pub fn as_raw(&self) -> RawArgs<'_> {
        RawArgs::unscanned(ArgumentText::Many(&self.json), self.attachments.as_ref())
    }
}

/// Making and reading.
impl Packet {
    /// An event, from the JSON text of its arguments: comma separated, without brackets, empty for
    /// none. Where binary data belongs, `{"_placeholder":true,"num":0}` stands for the first of the
    /// attachments. Without attachments such an object is an ordinary value.
    ///
    /// ```
    /// use socketio::adapter::{Packet, PacketError};
    ///
    /// let packet = Packet::event_json("news", r#"{"text":"hello"}, 3"#, &[])?;
    /// assert_eq!(packet.name(), Some("news"));
    /// assert_eq!(packet.args().json(), r#"{"text":"hello"}, 3"#);
    ///
    /// let picture = r#"{"_placeholder":true,"num":0}"#;
    /// let packet = Packet::event_json("picture", picture, &[vec![1, 2].into()])?;
    /// assert_eq!((packet.args().json(), &packet.args().attachments()[0][..]), (picture, &[1, 2][..]));
    ///
    /// assert_eq!(Packet::event_json("picture", "{", &[]).unwrap_err(), PacketError::Json);
    /// # Ok::<(), PacketError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The name is none that an event can have, the text is not JSON or nested too deeply, or its
    /// placeholders are not those of the attachments.
    pub fn event_json(name: &str, args: &str, attachments: &[Bytes]) -> Result<Self, PacketError> {
        check_name(name).map_err(|_| PacketError::Name(name.to_owned()))?;
        Ok(Self::event(name, Payload::from_json(args, attachments)?))
    }

    /// The arguments. A raw message is one argument: a string, or binary data.
    pub fn args(&self) -> PacketArgs<'_> {
        let (json, attachments) = self.arguments();
        PacketArgs { json, attachments }
    }

    /// The text or the bytes of a raw message; `None` for events.
    ///
    /// ```
    /// use socketio::Frame;
    /// use socketio::adapter::Packet;
    ///
    /// let packet = Packet::text("hello");
    /// assert_eq!((packet.raw(), packet.name()), (Some(Frame::Text("hello")), None));
    /// assert_eq!(packet.args().json(), r#""hello""#);
    /// ```
    pub fn raw(&self) -> Option<Frame<'_>> {
        self.raw_message().map(|message| match message {
            Ok(text) => Frame::Text(text),
            Err(bytes) => Frame::Binary(bytes),
        })
    }

    /// Whether the client is asked to answer the event. Such a packet is for one socket, and has to
    /// reach it as it is, or [replaced](Self::replaced_by).
    pub fn expects_answer(&self) -> bool {
        self.ack().is_some()
    }

    /// Another packet in place of this one: it is volatile if this one is, and asks for the same
    /// answer.
    ///
    /// ```
    /// use socketio::adapter::{Packet, PacketError};
    ///
    /// fn shout(packet: &Packet) -> Result<Packet, PacketError> {
    ///     let args = packet.args();
    ///     let loud = Packet::event_json("shout", &args.json().to_uppercase(), args.attachments())?;
    ///     Ok(packet.replaced_by(loud))
    /// }
    ///
    /// let loud = shout(&Packet::event_json("say", r#""hello""#, &[])?.with_volatile(true))?;
    /// assert_eq!((loud.name(), loud.args().json(), loud.is_volatile()), (Some("shout"), r#""HELLO""#, true));
    /// # Ok::<(), PacketError>(())
    /// ```
    #[must_use]
    pub fn replaced_by(&self, other: Self) -> Self {
        other.with_volatile(self.is_volatile()).with_ack(self.ack())
    }
}
