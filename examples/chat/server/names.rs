//! Strings that are validated when they are decoded, and are valid from then on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{Argument, Arguments, DescribedArguments, EventError, RemoteSocket, Socket};
use std::borrow::Borrow;
use std::fmt;
use ts_rs::TS;

/// The attribute of a socket with the name of its person.
const ATTRIBUTE: &str = "name";

/// A person's name. As a handler parameter, it is the name of the event's sender.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, TS)]
pub(crate) struct Name(String);

/// A room's name, without the `#` that the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(try_from = "String")]
pub(crate) struct RoomName(String);

/// The text of a message. An invalid text is answered with `invalid_payload`, and no handler sees
/// it.
#[derive(Clone, Serialize, Deserialize, JsonSchema, TS)]
#[serde(try_from = "String")]
pub(crate) struct Text(String);

impl Name {
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        checked("a name", name, 24, |char| !char.is_control()).map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a socket, which may be on another server of a cluster.
    pub(crate) fn of(socket: &RemoteSocket) -> Option<Self> {
        Self::parse(&socket.attributes.get_as::<String>(ATTRIBUTE)?).ok()
    }

    /// Gives the name to a socket. The extension is for this server's handlers, the attribute for
    /// all servers of a cluster.
    pub(crate) fn assign(&self, socket: &Socket) {
        socket.insert_extension(self.clone());
        socket.set_attribute(ATTRIBUTE, self.0.clone());
    }
}

/// Read from the socket's extension.
impl<'a> Argument<'a> for Name {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        arguments.socket().extension().ok_or_else(|| EventError::new("nameless", "connect with a name first"))
    }

    fn describe(payload: &mut DescribedArguments) {
        payload.error_code("nameless");
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoomName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let name = checked("a room's name", &name, 24, |char| char.is_alphanumeric() || "-_".contains(char))?;
        Ok(Self(name.to_lowercase()))
    }
}

impl AsRef<str> for RoomName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{}", self.0)
    }
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        checked("a message", &text, 2000, |char| char == '\n' || !char.is_control()).map(Self)
    }
}

/// Returns the trimmed text, or the reason why it is invalid.
fn checked(what: &str, text: &str, longest: usize, allowed: impl Fn(char) -> bool) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{what} can't be empty"));
    }
    if text.chars().count() > longest {
        return Err(format!("{what} can't be longer than {longest} characters"));
    }
    match text.chars().find(|&char| !allowed(char)) {
        Some(char) => Err(format!("{what} can't contain {char:?}")),
        None => Ok(text.to_owned()),
    }
}
