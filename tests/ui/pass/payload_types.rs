#![deny(warnings)]

use serde::{Deserialize, Serialize};
use socketio::{Event, event};
use std::borrow::Cow;

#[event("unit")]
#[derive(Serialize)]
struct Unit;

#[event("tuple")]
#[derive(Serialize, Deserialize)]
pub(crate) struct Tuple(u32, String);

/// With a doc comment.
#[derive(Serialize)]
#[event("fields")]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    from: &'a str,
    sent_at: u64,
}

#[event("choice")]
#[derive(Serialize)]
enum Choice<'a, T>
where
    T: Clone,
{
    One(Cow<'a, [T]>),
    Two { value: T },
}

#[event("defaults")]
#[derive(Serialize)]
struct Defaults<T: Clone + 'static = u32, const N: usize = 2> {
    value: T,
    #[serde(skip)]
    _rest: [u8; N],
}

#[event("latest", latest)]
#[derive(Serialize)]
enum Latest {
    Any,
}

#[event(latest(key = "key"), "latest of each")]
#[derive(Serialize)]
struct LatestOf<'a, T: std::fmt::Display> {
    key: &'a T,
    value: u32,
}

#[event("keys", latest(key = "type"))]
#[derive(Serialize)]
struct RawKey {
    r#type: u32,
}

#[event("position", latest(key = "1"))]
#[derive(Serialize)]
struct Position(f64, u64);

/// Only received, never sent.
#[event("received")]
#[derive(Deserialize)]
struct Received {
    text: String,
}

mod inner {
    #[socketio::event("inner")]
    #[derive(serde::Serialize)]
    pub struct Inner {
        pub value: u32,
    }
}

#[test]
fn compiles() {
    let _ = (Unit, Tuple(1, String::new()), Fields { from: "a", sent_at: 1 }, inner::Inner { value: 1 });
    let _ = (Latest::Any, LatestOf { key: &7, value: 1 }, RawKey { r#type: 1 }, Position(0.5, 1));
    let _ = (Choice::One(Cow::Borrowed(&[1])), Choice::Two { value: 2 }, Defaults { value: 1, _rest: [0; 2] });
    let _ = serde_json::from_str::<Received>("{}").map(|received| received.text);
    assert_eq!([Unit::NAME, Tuple::NAME, Fields::NAME, inner::Inner::NAME], ["unit", "tuple", "fields", "inner"]);
    assert_eq!([Choice::<'_, u8>::NAME, Defaults::<u8>::NAME, Received::NAME], ["choice", "defaults", "received"]);
}
