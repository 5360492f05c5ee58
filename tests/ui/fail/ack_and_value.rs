use socketio::{Ack, EventError, event, events, handlers};

type Reply = Ack;
type Answer<T> = Result<T, EventError>;
type Count = Result<u32, EventError>;

#[event("value")]
fn value(_ack: Ack) -> u32 {
    0
}

#[event("fallible")]
async fn fallible(_text: String, _ack: socketio::Ack) -> Result<String, EventError> {
    Ok(String::new())
}

#[event("alias")]
async fn alias(_reply: Reply) -> Answer<String> {
    Ok(String::new())
}

#[event("hidden")]
fn hidden(_ack: Ack) -> Count {
    Ok(0)
}

#[event("opaque")]
fn opaque(_ack: Ack) -> Result<impl serde::Serialize, EventError> {
    Ok(0)
}

struct Chat;

#[handlers]
impl Chat {
    #[event("value")]
    fn value(&self, _ack: Ack) -> u32 {
        0
    }
}

fn main() {
    let _ = Chat;
    events![value, fallible, alias, hidden, opaque];
}
