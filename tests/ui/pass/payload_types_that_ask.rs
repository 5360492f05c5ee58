#![deny(warnings)]

use serde::{Deserialize, Serialize};
use socketio::{Args, Binary, Event, Request, event};
use std::any::TypeId;
use std::borrow::Cow;
use std::collections::HashMap;

#[derive(Deserialize)]
pub struct Answer<'a, T = u8> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    value: T,
}

#[event("question", ack = Answer<'static, HashMap<String, u8>>)]
#[derive(Serialize)]
struct Question<'a> {
    text: &'a str,
}

#[event(ack = Answer<'a, T>, "of the item")]
#[derive(Serialize)]
enum Generic<'a, T>
where
    T: Clone,
{
    One(Cow<'a, [T]>),
}

#[event("nothing", ack = ())]
#[derive(Serialize)]
struct Nothing;

#[event("several", ack = Args<(u8, Option<String>)>,)]
#[derive(Serialize)]
struct Several;

mod inner {
    #[socketio::event("inner", ack = super::Answer<'static>)]
    #[derive(serde::Serialize)]
    pub struct Inner;
}

macro_rules! asks {
    ($name:literal $question:ident -> $answer:ty) => {
        #[event($name, ack = $answer)]
        #[derive(Serialize)]
        struct $question;
    };
}

asks!("generated" Generated -> Option<Binary>);

fn answer<Q: Request<Answer: 'static>>() -> TypeId {
    TypeId::of::<Q::Answer>()
}

#[test]
fn compiles() {
    let _ = (Question { text: "a" }, Generic::One(Cow::Borrowed(&[1])), Nothing, Several, inner::Inner, Generated);
    let _ = |answer: Answer<'static>| (answer.text, answer.value);
    assert_eq!(Generic::<'static, u8>::NAME, "of the item");
    assert_eq!(answer::<Question<'_>>(), TypeId::of::<Answer<'static, HashMap<String, u8>>>());
    assert_eq!(answer::<Generic<'static, u16>>(), TypeId::of::<Answer<'static, u16>>());
    assert_eq!(answer::<Nothing>(), TypeId::of::<()>());
    assert_eq!(answer::<Several>(), TypeId::of::<Args<(u8, Option<String>)>>());
    assert_eq!(answer::<inner::Inner>(), TypeId::of::<Answer<'static>>());
    assert_eq!(answer::<Generated>(), TypeId::of::<Option<Binary>>());
}
