use socketio::{ErrorCodes, event, events};

#[derive(Debug, thiserror::Error, ErrorCodes)]
#[error("no")]
enum BoardError {
    InvalidPayload,
    UnknownEvent,
    ReservedEvent,
    RateLimited(u8),
    Overloaded,
    Timeout { seconds: u8 },
    Unanswered,
    HandlerError,
    Internal,
    #[code("internal")]
    Broken,
    #[code("board_internal")]
    Right,
}

#[derive(Debug, thiserror::Error, ErrorCodes)]
#[error("late")]
struct Timeout;

#[event("speak")]
fn speak() -> Result<(), BoardError> {
    Err(BoardError::Broken)
}

fn main() {
    events![speak];
}
