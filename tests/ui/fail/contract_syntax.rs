use socketio::{Contract, Events, contract, event, events};

#[event("join")]
fn join(_room: String) {}

const EVENTS: Events = events![join];

contract! {
    Words {
        "/" {
            handles [join]
            receives (join)
            receives join
        }
        "/twice" { receives [join] receives [] }
    }
}

contract! {
    Items {
        "/" {
            receives [..EVENTS, "join", join(), , join]
            emits ["said", 3]
        }
    }
}

contract! {
    Paths {
        "admin" { receives [join] }
        "/" {}
        "/" {}
        "/nothing"
    }
}

contract! {
    Namespaces {
        receives [join]
    }
}

contract! {
    pub { "/" { receives [join] } }
}

contract! {
    Attributes {
        #[cfg(test)]
        "/" { receives [#[inline] join] }
    }
}

contract! {
    Alone
}

contract! {
    More { "/" { receives [join] } } and
}

fn main() {
    Words::describe();
    Items::describe();
    Paths::describe();
    Namespaces::describe();
    Alone::describe();
    More::describe();
}
