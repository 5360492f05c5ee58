//! Names that are constants are checked where types are.

use serde::Serialize;
use socketio::{event, handlers};

const EMPTY: &str = "";
const RESERVED: &str = "connect";
const SAY: &str = "say";

#[event(EMPTY)]
fn empty() {}

#[event(RESERVED)]
#[derive(Serialize)]
struct Reserved;

#[event(Unclear)]
fn unclear() {}

struct Chat;

#[handlers]
impl Chat {
    #[event(RESERVED)]
    fn reserved(&self) {}

    #[event("say")]
    fn say(&self) {}

    #[event(SAY)]
    fn say_again(&self) {}
}

fn main() {
    let _ = (empty, unclear, Reserved, Chat);
}
