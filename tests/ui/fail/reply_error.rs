use socketio::{Args, Socket, event, events, handlers};

#[derive(Debug, serde::Serialize)]
enum ChatError {
    Gone,
}

type Answer<T> = Result<T, ChatError>;

#[event("nothing")]
fn nothing() -> Result<(), ChatError> {
    Err(ChatError::Gone)
}

#[event("value")]
async fn value() -> Result<u32, ChatError> {
    Err(ChatError::Gone)
}

#[event("several")]
fn several() -> Result<Args<(u32, u32)>, ChatError> {
    Err(ChatError::Gone)
}

#[event("alias")]
async fn alias(_socket: &Socket) -> Answer<String> {
    Err(ChatError::Gone)
}

#[event(connect)]
fn joined() -> Answer<()> {
    Err(ChatError::Gone)
}

struct Chat;

#[handlers]
impl Chat {
    #[event("value")]
    async fn value(&self) -> Answer<u32> {
        Err(ChatError::Gone)
    }
}

fn main() {
    let _ = Chat;
    events![nothing, value, several, alias, joined];
}
