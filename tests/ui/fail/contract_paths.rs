use socketio::{Contract, contract, event};

#[event("join")]
fn join(_room: String) {}

contract! {
    Paths {
        "/{" { receives [join] }
        "/room-{id" { receives [join] }
        "/room-id}" { receives [join] }
        "/{}" { receives [join] }
        "/{room id}" { receives [join] }
        "/{id}/{id}" { receives [join] }
        "/{room}{id}" { receives [join] }
        "/a,b" { receives [join] }
        "/a?b" { receives [join] }
        "/admin " { receives [join] }
    }
}

fn main() {
    Paths::describe();
}
