//! A contract that is hard to export to TypeScript: reserved names, comments with terminators, and
//! recursive types.
#![allow(dead_code, reason = "only the types count")]
#![allow(clippy::just_underscores_and_digits, clippy::upper_case_acronyms, reason = "these are such names")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketio::{
    Ack, AnyValue, Args, Argument, Arguments, Binary, DescribedArguments, ErrorCodes, EventError, RawArgs, contract,
    event,
};
use ts_rs::TS;

macro_rules! payloads {
    ($($item:item)*) => { $( #[derive(Deserialize, JsonSchema, Serialize, TS)] $item )* };
}

payloads! {
    #[event("note")]
    struct Note {
        /// Matches `src/*/mod.rs` and **/*.rs.
        glob: String,
        meta: Value,
    }

    struct Described {
        meta: Value,
        content: Binary,
    }

    /// Contains itself in arrays, and no binary data.
    #[serde(untagged)]
    enum Sum {
        Number(f64),
        Add { add: Box<Sum> },
        Two(Box<Sum>, Box<Sum>),
        All(Vec<Sum>),
    }

    #[event("summed")]
    struct Summed {
        sum: Sum,
        parts: Vec<Sum>,
        maybe: Option<Sum>,
    }

    /// Contains itself in an array, and binary data.
    #[event("parts")]
    #[serde(untagged)]
    enum Parts {
        One(Binary),
        Many(Vec<Parts>),
        Named { name: String, part: Box<Parts> },
    }

    #[event("tree")]
    struct Tree<T> {
        value: T,
        content: Option<Binary>,
        children: Vec<Tree<T>>,
    }

    /// Like another with binary data, but for that.
    #[event("bare")]
    struct Bare {
        name: String,
        next: Option<Box<Bare>>,
    }

    #[event("laden")]
    struct Laden {
        name: String,
        next: Option<Box<Bare>>,
        content: Binary,
    }

    #[event("with")]
    struct With {
        x: u8,
    }

    #[event("var")]
    struct Var {
        x: u8,
    }

    #[event("literals")]
    struct Literals {
        #[ts(type = "`a,${string}}` | 'b|}' | `${`}${number}`},{`")]
        template: String,
        /// After it.
        #[ts(type = "'it\\'s, {' | \"\\\"}\"")]
        quoted: String,
    }

    /// Has the shape of an `ArrayBufferView`.
    #[event("view")]
    #[serde(rename_all = "camelCase")]
    struct View {
        buffer: Binary,
        byte_length: u32,
        byte_offset: u32,
    }

    #[ts(type = "unknown")]
    struct Mystery(Value);

    #[event("picture", ack = Option<Binary>)]
    struct Picture {
        name: String,
    }

    /// An answer that may be left out, behind a name.
    #[serde(transparent)]
    struct Perhaps(Option<u8>);

    #[event("perhaps", ack = Perhaps)]
    struct Maybe {
        name: String,
    }

    #[event("pair", ack = Args<(Binary, Option<Binary>)>)]
    struct Pair {
        name: String,
    }

    /// A payload that is an error, too.
    enum NastyError {
        First,
        Second,
    }
}

/// Types named like JavaScript's built-ins.
mod own {
    use super::*;

    macro_rules! named {
        ($($field:ident: $name:ident)*) => {
            payloads! {
                $( pub(super) struct $name { own: u8 } )*

                #[event("own")]
                pub(super) struct Own { $( $field: $name ),* }
            }
        };
    }

    named! {
        blob: Blob
        close: CloseEvent
        error: Error
        json: JSON
        map: Map
        message: Message
        object: Object
        promise: Promise
        set: Set
        socket: WebSocket
        success: Success
        url: URL
        view: ArrayBufferView
        waiting: Waiting
    }
}

impl ErrorCodes for NastyError {
    const CODES: &'static [&'static str] = &["first", "second"];
}

impl From<NastyError> for EventError {
    fn from(_: NastyError) -> Self {
        "".into()
    }
}

#[event("upload")]
fn upload(content: Binary) -> Binary {
    content
}

#[event("describe")]
fn describe(_described: Described) -> bool {
    true
}

#[event("value")]
fn value(value: Value) -> Value {
    value
}

#[event("send_parts")]
fn send_parts(parts: Parts) -> Parts {
    parts
}

#[event("words")]
fn words(with: u8, var: u8, r#yield: u8, _1: u8, __: u8) {
    let _ = (with, var, r#yield, _1, __);
}

#[event("first_fails")]
fn first_fails() -> Result<u8, NastyError> {
    Err(NastyError::First)
}

#[event("fail")]
fn fail(error: NastyError) -> Result<(), NastyError> {
    Err(error)
}

#[event("rest")]
fn rest(first: u8, _rest: RawArgs<'_>) -> Result<bool, NastyError> {
    Ok(first > 0)
}

#[event("rest_only")]
fn rest_only(_rest: RawArgs<'_>, _first: Option<u8>) {}

/// A parameter that takes two arguments. The second may be missing, whatever follows it.
struct Two;

impl<'a> Argument<'a> for Two {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        let _: (u8, Option<u8>) = (arguments.next_payload()?, arguments.next_payload()?);
        Ok(Self)
    }

    fn describe(payload: &mut DescribedArguments) {
        payload.argument::<u8>().typescript();
        payload.argument::<Option<u8>>().typescript();
    }
}

#[event("gap")]
fn gap(_two: Two, _third: u8) {}

#[event("anything")]
fn anything(value: AnyValue, _second: Option<AnyValue>) -> bool {
    drop(value);
    true
}

#[event("anything_unanswered")]
fn anything_unanswered(_value: AnyValue) {}

#[event("mystery")]
fn mystery(_value: Mystery, _second: Option<u8>) -> bool {
    true
}

#[event("mystery_unanswered")]
fn mystery_unanswered(_value: Mystery) {}

#[event("later")]
fn later(_ack: Ack, _text: String) {}

#[event("answer_raw")]
fn answer_raw(args: RawArgs<'_>) -> Args<RawArgs<'_>> {
    Args(args)
}

#[event("answer_any")]
fn answer_any(value: AnyValue) -> AnyValue {
    value
}

#[event("answer_maybe")]
fn answer_maybe(value: Option<u8>) -> Option<u8> {
    value
}

#[event("send_view")]
fn send_view(view: View) -> View {
    view
}

contract! {
    #[doc = "One line.\rtwo.\u{2028}three.\u{2029}four."]
    #[export(typescript)]
    pub(crate) Nasty {
        "/" {
            receives [
                upload, describe, value, send_parts, words, first_fails, fail, rest, rest_only, gap, anything,
                anything_unanswered, mystery, mystery_unanswered, later, answer_raw, answer_any, answer_maybe, send_view,
            ]
            emits [
                Note, Summed, Parts, Tree<Value>, Bare, Laden, With, Var, Literals, own::Own, View, Picture, Maybe, Pair,
            ]
        }
        "/1x" { receives [value] }
        "/чат" { receives [value] }
        "/!" { receives [rest] }
        "/a-b" { receives [value] }
        "/a/b" { receives [upload] }
    }
}

contract! {
    /// Without a namespace.
    #[export(typescript)]
    pub(crate) Empty {}
}

contract! {
    /// Its first namespace is not `/`.
    #[export(typescript)]
    pub(crate) Late {
        "/admin" { receives [value] }
        "/" { receives [words] }
    }
}
