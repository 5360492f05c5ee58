use serde::Serialize;
use socketio::event;

#[event("list", latest(key = "items"))]
#[derive(Serialize)]
struct List {
    items: Vec<u8>,
}

#[event("maybe", latest(key = "0"))]
#[derive(Serialize)]
struct Maybe(Option<u8>);

#[event("any", latest(key = "key"))]
#[derive(Serialize)]
struct Any<T> {
    key: T,
}

fn main() {
    let _ = Maybe(None);
}
