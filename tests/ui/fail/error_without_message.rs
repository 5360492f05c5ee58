use socketio::{ErrorCodes, event, events};

#[derive(ErrorCodes)]
enum ChatError {
    NoSuchUser,
}

#[event("speak")]
fn speak() -> Result<(), ChatError> {
    Err(ChatError::NoSuchUser)
}

fn main() {
    events![speak];
}
