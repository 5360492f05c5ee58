//! [`Packet`] methods for adapters, which read packets and create them from data of other servers.

use bytes::Bytes;
use std::borrow::Cow;

use crate::event::context::{Frame, RawArgs};
use crate::event::message::check_name;
use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;
use crate::wire::packet::Packet;
use crate::wire::payload::{InvalidArgs, Payload};

/// The error for a [`Packet`] or an answer that can't be created from the data of another server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The event name is empty or reserved by the framework.
    #[error("no event can be named `{0}`")]
    Name(String),
    /// The arguments are not JSON values separated by commas.
    #[error("the arguments are not JSON values separated by commas")]
    Json,
    /// The arguments are nested more than 128 levels deep. The list of arguments is the first
    /// level. An object with a key that `serde_json` reserves counts as too deep, because decoding
    /// it may add levels.
    #[error("the arguments are nested too deeply")]
    TooDeep,
    /// A placeholder has no attachment, or the numbers of attachments and placeholders differ.
    #[error("the placeholders don't match the attachments")]
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

/// The arguments of a [`Packet`]: JSON text and binary attachments.
#[derive(Clone, Debug)]
pub struct PacketArgs<'a> {
    json: Cow<'a, str>,
    attachments: Option<Attachments>,
}

impl<'a> PacketArgs<'a> {
    pub(crate) fn of(payload: &'a Payload) -> Self {
        let (json, attachments) = payload.placeholders();
        Self { json, attachments }
    }
}

impl PacketArgs<'_> {
    /// The JSON text of the arguments, separated by commas, without brackets. It is empty if there
    /// are none. `{"_placeholder":true,"num":0}` stands for the first of the
    /// [`attachments`](Self::attachments).
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The binary attachments, in the order of their placeholders' numbers.
    pub fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    /// Returns the arguments as [`RawArgs`], which can be decoded or emitted.
    pub fn as_raw(&self) -> RawArgs<'_> {
        RawArgs::unscanned(ArgumentText::Many(&self.json), self.attachments.as_ref())
    }
}

/// Creating and reading packets in an adapter.
impl Packet {
    /// Creates an event from the JSON text of its arguments: separated by commas, without brackets,
    /// empty for none.
    ///
    /// `{"_placeholder":true,"num":0}` stands for the first attachment. Without attachments such an
    /// object is an ordinary value.
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
    /// assert_eq!(packet.args().json(), picture);
    /// assert_eq!(packet.args().attachments()[0][..], [1, 2]);
    ///
    /// assert_eq!(Packet::event_json("picture", "{", &[]).unwrap_err(), PacketError::Json);
    /// # Ok::<(), PacketError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The name is empty or reserved, the text is not JSON or nested too deeply, or the
    /// placeholders don't match the attachments.
    pub fn event_json(name: &str, args: &str, attachments: &[Bytes]) -> Result<Self, PacketError> {
        check_name(name).map_err(|_| PacketError::Name(name.to_owned()))?;
        Ok(Self::event(name, Payload::from_json(args, attachments)?))
    }

    /// The arguments. A raw message has one: a string or binary data.
    pub fn args(&self) -> PacketArgs<'_> {
        let (json, attachments) = self.arguments();
        PacketArgs { json, attachments }
    }

    /// The content of a raw message, or `None` for events.
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

    /// Returns `true` if the client is asked to answer the event. Such a packet is meant for one
    /// socket. An adapter must deliver it unchanged or [replaced](Self::replaced_by).
    pub fn expects_answer(&self) -> bool {
        self.ack().is_some()
    }

    /// Replaces this packet by another one, which inherits whether it is volatile, its
    /// [`latest`](Self::latest) key and which answer it expects.
    ///
    /// ```
    /// use socketio::adapter::{Packet, PacketError};
    ///
    /// fn shout(packet: &Packet) -> Result<Packet, PacketError> {
    ///     let args = packet.args();
    ///     let json = args.json().to_uppercase();
    ///     let loud = Packet::event_json("shout", &json, args.attachments())?;
    ///     Ok(packet.replaced_by(loud))
    /// }
    ///
    /// let loud = shout(&Packet::event_json("say", r#""hello""#, &[])?.with_volatile(true))?;
    /// assert_eq!(loud.name(), Some("shout"));
    /// assert_eq!(loud.args().json(), r#""HELLO""#);
    /// assert!(loud.is_volatile());
    /// # Ok::<(), PacketError>(())
    /// ```
    #[must_use]
    pub fn replaced_by(&self, other: Self) -> Self {
        let other = other.with_latest(self.latest().map(str::to_owned));
        other.with_volatile(self.is_volatile()).with_ack(self.ack()).with_mark(self.mark())
    }
}
