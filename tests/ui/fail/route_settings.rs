//! Settings that the route would ignore.

use socketio::{Hub, MsgpackParser};

fn main() {
    let hub = Hub::builder().build().expect("a hub");
    let _ = hub.engine("/engine.io/").parser(MsgpackParser);
    let _ = hub.socketio().on_open(|_socket| {});
}
