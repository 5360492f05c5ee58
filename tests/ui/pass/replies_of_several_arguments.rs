#![deny(warnings)]

use serde::Serialize;
use socketio::{Args, EventError, event, events};

#[derive(Serialize)]
struct Receipt<'a>(&'a str);

type Both = Args<(u32, String)>;
type Answer<T> = Result<T, EventError>;

#[event("two")]
fn two() -> Args<(u32, &'static str)> {
    Args((1, "two"))
}

#[event("one")]
fn one() -> Args<(u32,)> {
    Args((1,))
}

#[event("alias")]
async fn alias() -> Both {
    Args((1, String::new()))
}

#[event("fallible")]
async fn fallible() -> Result<Args<(u32, u32)>, String> {
    Ok(Args((1, 2)))
}

#[event("both")]
fn both() -> Answer<Both> {
    Ok(Args((1, String::new())))
}

#[event("eight")]
fn eight() -> Args<(u8, u8, u8, u8, u8, u8, u8, u8)> {
    Args((1, 2, 3, 4, 5, 6, 7, 8))
}

#[event("borrowed")]
fn borrowed(text: &str) -> Args<(Receipt<'_>, &str)> {
    Args((Receipt(text), text))
}

#[test]
fn compiles() {
    assert_eq!(events![two, one, alias, fallible, both, eight, borrowed].names().count(), 7);
}
