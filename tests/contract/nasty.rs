//! A contract that is hard to export to TypeScript: reserved names, comments with terminators, and
//! recursive types.
#![allow(dead_code, reason = "only the types count")]
#![allow(clippy::just_underscores_and_digits, clippy::upper_case_acronyms, reason = "these are such names")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketio::{Argument, Arguments, Binary, DescribedArguments, ErrorCodes, EventError, RawArgs, contract, event};
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

contract! {
    #[doc = "One line.\rtwo.\u{2028}three.\u{2029}four."]
    #[export(typescript)]
    pub(crate) Nasty {
        "/" {
            receives [upload, describe, value, send_parts, words, first_fails, fail, rest, rest_only, gap]
            emits [Note, Summed, Parts, Tree<Value>, Bare, Laden, With, Var, Literals, own::Own]
        }
        "/1x" { receives [value] }
    }
}
