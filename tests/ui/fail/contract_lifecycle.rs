use socketio::{Contract, EventName, contract, event, handlers};

#[event(connect)]
fn joined() {}

#[event(fallback)]
fn other(_name: EventName<'_>) {}

struct Rooms;

#[handlers]
impl Rooms {
    #[event(disconnect)]
    fn left(&self) {}
}

contract! {
    Chat {
        "/" { receives [joined, other, Rooms::left] }
    }
}

fn main() {
    Chat::describe();
}
