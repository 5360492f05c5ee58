use serde::de::DeserializeOwned;
use socketio::{Socket, event, events, handlers};

#[event("any")]
fn any<T: DeserializeOwned>(_value: T) {}

#[event("array")]
async fn array<const N: usize>(_socket: &Socket) {}

#[event("both")]
fn both<'a, T, const N: usize>(_text: &'a str)
where
    T: DeserializeOwned,
{
}

struct Chat;

#[handlers]
impl Chat {
    #[event("any")]
    fn any<T: DeserializeOwned>(&self, _value: T) {}
}

fn main() {
    let _ = Chat;
    events![any, array, both];
}
