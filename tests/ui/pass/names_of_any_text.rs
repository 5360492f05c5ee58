#![deny(warnings)]

use socketio::{event, events};

#[event("with spaces and \"quotes\"")]
fn quotes() {}

#[event(r"raw\n")]
fn raw() {}

#[event("Größe ✓")]
fn unicode() {}

#[event("a:b/c.d-e_f")]
fn signs() {}

#[event("Say")]
fn upper() {}

#[event("say")]
fn lower() {}

#[event("a name of more than sixty-four bytes, which is longer than any that somebody would reasonably choose")]
fn long() {}

#[test]
fn compiles() {
    let names: Vec<_> = events![quotes, raw, unicode, signs, upper, lower, long].names().collect();
    assert_eq!(names[..4], ["with spaces and \"quotes\"", "raw\\n", "Größe ✓", "a:b/c.d-e_f"]);
}
