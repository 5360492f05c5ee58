use socketio::{ErrorCodes, event, events};
use std::fmt;

#[derive(ErrorCodes)]
enum ChatError {
    #[code(no_such_user)]
    NoSuchUser,
    #[code("muted", "silenced")]
    Muted(#[code("minutes")] u32),
    #[code("")]
    Banned,
    #[code("closed")]
    #[code("over")]
    Closed,
}

impl fmt::Display for ChatError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no")
    }
}

#[derive(ErrorCodes)]
#[code("unknown")]
enum Unknown {
    Name,
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("unknown")
    }
}

#[derive(ErrorCodes)]
union Bits {
    signed: i32,
    unsigned: u32,
}

#[event("speak")]
fn speak() -> Result<(), ChatError> {
    Err(ChatError::Banned)
}

fn main() {
    events![speak];
}
