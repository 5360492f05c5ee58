//! What can go wrong in the chat: a code for the page's program, and words for the person in front of it.

use socketio::{EmitError, ErrorCodes, JoinError};

use crate::names::RoomName;

#[derive(Debug, thiserror::Error, ErrorCodes)]
pub(crate) enum ChatError {
    /// Nobody who is there has this name.
    #[error("{0} is not here")]
    NobodyThere(String),
    /// The receiver's page did not confirm that it got the message.
    #[error("{0} did not receive it")]
    NotDelivered(String),
    /// One has to join a room before one can say something there.
    #[error("join {0} first")]
    NotInRoom(RoomName),
    /// The room could not be joined.
    #[error("{0}")]
    NotJoined(#[from] JoinError),
    /// The message could not be sent.
    #[error("{0}")]
    NotSent(#[from] EmitError),
}
