//! What can go wrong in the chat, and how clients are told.

use socketio::{EmitError, ErrorCodes, EventError, JoinError};

use crate::names::RoomName;

pub(crate) enum ChatError {
    /// Nobody who is there has this name.
    NobodyThere(String),
    /// The receiver's page did not confirm that it got the message.
    NotDelivered(String),
    /// One has to join a room before one can say something there.
    NotInRoom(RoomName),
    /// The room could not be joined.
    Join(JoinError),
    /// The message could not be sent.
    Emit(EmitError),
}

/// A code for the page's program, and words for the person in front of it.
impl From<ChatError> for EventError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::NobodyThere(name) => Self::new("nobody_there", format!("{name} is not here")),
            ChatError::NotDelivered(name) => Self::new("not_delivered", format!("{name} did not receive it")),
            ChatError::NotInRoom(room) => Self::new("not_in_room", format!("join {room} first")),
            ChatError::Join(error) => Self::new("not_joined", error.to_string()),
            ChatError::Emit(error) => error.into(),
        }
    }
}

impl ErrorCodes for ChatError {
    const CODES: &'static [&'static str] =
        &["nobody_there", "not_delivered", "not_in_room", "not_joined", "handler_error"];
}

impl From<JoinError> for ChatError {
    fn from(error: JoinError) -> Self {
        Self::Join(error)
    }
}

impl From<EmitError> for ChatError {
    fn from(error: EmitError) -> Self {
        Self::Emit(error)
    }
}
