use socketio::{Contract, contract};

struct Nothing;

impl Nothing {
    fn at_all(&self) {}
}

contract! {
    Chat {
        "/" { receives [Nothing::at_all] }
    }
}

fn main() {
    Chat::describe();
}
