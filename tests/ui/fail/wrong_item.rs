use socketio::event;

#[event("constant")]
const LIMIT: usize = 3;

#[event("module")]
mod chat {}

#[event("trait")]
trait Chat {
    fn say(&self);
}

#[event("import")]
use std::collections::HashMap;

#[event("alias")]
type Users = HashMap<String, u32>;

#[event("impl")]
impl Chat for Users {
    fn say(&self) {}
}

fn main() {
    Users::new().say();
    let _ = LIMIT;
}
