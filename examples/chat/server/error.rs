//! The errors of the chat: a code for the page's script, and a message for its user.

use socketio::{EmitError, ErrorCodes, JoinError};

use super::names::RoomName;

#[derive(Debug, thiserror::Error, ErrorCodes)]
pub(crate) enum ChatError {
    /// Nobody with this name is connected.
    #[error("{0} is not here")]
    NobodyThere(String),
    /// The receiver's page did not acknowledge the message in time.
    #[error("{0} did not receive it")]
    NotDelivered(String),
    /// The sender is not in the room.
    #[error("join {0} first")]
    NotInRoom(RoomName),
    /// The room could not be joined.
    #[error("{0}")]
    NotJoined(#[from] JoinError),
    /// The message could not be sent.
    #[error("{0}")]
    NotSent(#[from] EmitError),
}
