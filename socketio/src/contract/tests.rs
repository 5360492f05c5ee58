//! Tests of the descriptions that contracts make from handlers and payload types.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::Contract;
use super::description::{DescribedErrors, DescribedReply, DescribedType, Emitted, Received};
use crate::event::error::FRAMEWORK_CODES;
use crate::{
    Ack, Args, Argument, Arguments, Binary, DescribedArguments, ErrorCodes, EventError, Hub, PayloadError, RawArgs,
    Socket, State, contract, event, handlers,
};

#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
struct Message<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
struct Receipt {
    at: u64,
}

enum ChatError {
    Muted,
}

impl ErrorCodes for ChatError {
    const CODES: &'static [&'static str] = &["muted"];
}

impl From<ChatError> for EventError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Muted => Self::new("muted", "you are muted"),
        }
    }
}

/// Says something.
///
/// To everyone.
#[event("message")]
async fn message(_socket: &Socket, message: Message<'_>, _users: State<u8>) -> Result<Receipt, ChatError> {
    match &*message.text {
        "" => Err(ChatError::Muted),
        _ => Ok(Receipt { at: 0 }),
    }
}

mod inner {
    use super::*;

    #[event("move")]
    pub(super) fn moved(x: i32, _hub: &Hub, _y: Option<i32>) -> &str {
        let _ = x;
        ""
    }

    #[event("checked")]
    pub(super) fn checked(
        _text: Result<Cow<'_, str>, PayloadError>,
        Message { .. }: Message<'_>,
    ) -> Result<(), String> {
        Ok(())
    }
}

#[event("pair")]
async fn pair() -> Result<Args<(u8, String)>, EventError> {
    Ok(Args((1, String::new())))
}

#[event("later")]
fn later(ack: Ack, _data: Binary) {
    drop(ack);
}

#[event("raw")]
fn raw(_args: RawArgs<'_>) {}

struct Two;

impl<'a> Argument<'a> for Two {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        let _: (u8, Option<String>) = (arguments.next_payload()?, arguments.next_payload()?);
        Ok(Self)
    }

    fn describe(payload: &mut DescribedArguments) {
        let first = payload.argument::<u8>();
        #[cfg(feature = "typescript")]
        first.typescript();
        payload.argument::<Option<String>>();
        payload.error_code("not_two");
    }
}

#[event("two")]
fn two(_two: Two) {}

/// Arguments in an argument.
struct Wrapped {
    ack: Ack,
    _args: usize,
}

impl<'a> Argument<'a> for Wrapped {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        let ack = Argument::from_event(arguments)?;
        let args: RawArgs<'_> = Argument::from_event(arguments)?;
        Ok(Self { ack, _args: args.json().len() })
    }

    fn describe(payload: &mut DescribedArguments) {
        <Ack as Argument>::describe(payload);
        <RawArgs<'_> as Argument>::describe(payload);
    }
}

#[event("wrapped")]
fn wrapped(wrapped: Wrapped) {
    drop(wrapped.ack);
}

struct Rooms;

#[handlers]
impl Rooms {
    /// Joins.
    #[event("join")]
    fn join(&self, _socket: &Socket, _room: Cow<'_, str>) -> Result<u8, u8>
    where
        EventError: From<u8>,
    {
        Ok(1)
    }

    #[event("motto")]
    async fn motto(&self) -> &str {
        ""
    }
}

impl From<u8> for EventError {
    fn from(_: u8) -> Self {
        "".into()
    }
}

struct Shelf<T>(T);

#[handlers]
impl<T: Send + Sync + 'static> Shelf<T> {
    #[event("put")]
    fn put(&self, _at: u8) {}
}

/// Something was said.
#[event("said")]
#[derive(Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
struct Said<'a> {
    text: &'a str,
}

#[event("question", ack = bool)]
#[derive(Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
struct Question;

macro_rules! questions {
    ($($name:literal $question:ident $answer:ty;)*) => {$(
        #[event($name, ack = $answer)]
        #[derive(Serialize)]
                #[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
        struct $question;
    )*};
}

questions! {
    "done" Done ();
    "both" Both Args<(u8, String)>;
    "perhaps" Perhaps Option<u8>;
}

#[event("listed")]
#[derive(Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
struct Listed<T>(Vec<T>);

contract! {
    /// All of it.
    #[cfg_attr(feature = "typescript", export(typescript))]
    pub(crate) Chat {
        /// Everyone's.
        "/" {
            receives [
                message, inner::moved, self::inner::checked, pair, later, raw, two, wrapped, Rooms::join, <Rooms>::motto,
                Shelf::<u8>::put,
                #[cfg(not(test))] nothing_of_that_name,
            ]
            emits [Said, Question, Done, Both, Perhaps, Listed<u8>]
        }
        "/admin" { emits [Listed<String>] }
        "/room-{id}" { receives [pair] }
    }
}

fn received(name: &str) -> Received {
    let description = Chat::describe();
    description.namespaces[0].receives.iter().find(|event| event.name == name).expect("it is received").clone()
}

fn emitted(name: &str) -> Emitted {
    let description = Chat::describe();
    description.namespaces[0].emits.iter().find(|event| event.name == name).expect("it is emitted").clone()
}

/// The names of the arguments and whether each is optional. Panics if their types differ from
/// `types`.
fn arguments(event: &Received, types: &[DescribedType]) -> Vec<(&'static str, bool)> {
    assert_eq!(event.arguments.iter().map(|argument| argument.ty).collect::<Vec<_>>(), types, "{event:?}");
    event.arguments.iter().map(|argument| (argument.name, argument.optional)).collect()
}

fn replies(event: &Received) -> Option<Vec<DescribedType>> {
    match &event.reply {
        DescribedReply::Values(values) => Some(values.iter().map(|value| value.ty).collect()),
        DescribedReply::Unknown => None,
    }
}

macro_rules! types {
    ($($ty:ty),*) => { [$(DescribedType::of::<$ty>()),*] };
}

#[test]
fn namespaces_keep_their_order() {
    let description = Chat::describe();
    assert_eq!((description.name, description.doc), ("Chat", "All of it."));
    let namespaces: Vec<_> = description.namespaces.iter().map(|namespace| (namespace.path, namespace.doc)).collect();
    assert_eq!(namespaces, [("/", "Everyone's."), ("/admin", ""), ("/room-{id}", "")]);
    let names: Vec<_> = description.namespaces[0].receives.iter().map(|event| event.name).collect();
    assert_eq!(names, ["message", "move", "checked", "pair", "later", "raw", "two", "wrapped", "join", "motto", "put"]);
}

#[test]
fn arguments_replies_and_errors_are_inferred_from_signatures() {
    let message = received("message");
    assert_eq!(arguments(&message, &types![Message<'_>]), [("message", false)]);
    assert_eq!(replies(&message), Some(types![Receipt].to_vec()));
    assert_eq!(
        message.errors,
        DescribedErrors::Codes { of: Some("ChatError"), codes: &["muted"], of_parameters: vec![] }
    );
    assert_eq!(message.doc, "Says something.\n\nTo everyone.");

    let moved = received("move");
    assert_eq!(arguments(&moved, &types![i32, Option<i32>]), [("x", false), ("y", true)]);
    assert_eq!(replies(&moved), Some(types![&str].to_vec()));
    assert_eq!(moved.errors, DescribedErrors::None);

    let checked = received("checked");
    assert_eq!(arguments(&checked, &types![Cow<'_, str>, Message<'_>]), [("text", false), ("", false)]);
    assert_eq!(replies(&checked), Some(Vec::new()));
    assert_eq!(
        checked.errors,
        DescribedErrors::Codes { of: Some("String"), codes: &["handler_error"], of_parameters: vec![] }
    );

    let pair = received("pair");
    assert_eq!(replies(&pair), Some(types![u8, String].to_vec()));
    assert_eq!(pair.errors, DescribedErrors::Any);
}

#[test]
fn unknown_parts_of_signatures_stay_open() {
    let later = received("later");
    assert_eq!(arguments(&later, &types![Binary]), [("data", false)]);
    assert_eq!((replies(&later), &later.errors), (None, &DescribedErrors::Any));
    assert!(received("raw").takes_any);
    let wrapped = received("wrapped");
    assert!(wrapped.takes_any);
    assert_eq!((replies(&wrapped), &wrapped.errors), (None, &DescribedErrors::Any));
    let two = received("two");
    assert_eq!(arguments(&two, &types![u8, Option<String>]), [("two", false), ("two", true)]);
    assert_eq!(two.errors, DescribedErrors::Codes { of: None, codes: &[], of_parameters: vec!["not_two"] });
}

#[test]
fn methods_are_described_like_functions() {
    let join = received("join");
    assert_eq!(arguments(&join, &types![Cow<'_, str>]), [("room", false)]);
    assert_eq!((join.doc, join.errors), ("Joins.", DescribedErrors::Any));
    assert_eq!(join.source.path(), "socketio::contract::tests::Rooms::join");
    assert_eq!(replies(&received("motto")), Some(types![&str].to_vec()));
    assert_eq!(arguments(&received("put"), &types![u8]), [("at", false)]);
}

#[test]
fn emitted_events_are_described_by_their_payload_types() {
    let said = emitted("said");
    assert_eq!((said.doc, said.payload), ("Something was said.", DescribedType::of::<Said<'_>>()));
    assert!(said.answer.is_none());
    let answer = |name| match emitted(name).answer {
        Some(DescribedReply::Values(values)) => values.into_iter().map(|value| value.ty).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(answer("question"), types![bool]);
    assert_eq!(answer("done"), []);
    assert_eq!(answer("both"), types![u8, String]);
    assert_eq!(answer("perhaps"), types![Option<u8>]);
    assert_eq!(emitted("listed").payload, DescribedType::of::<Listed<u8>>());
}

#[test]
fn derives_refuse_all_codes_of_the_framework() {
    let refused = socketio_macros::__framework_codes!();
    FRAMEWORK_CODES.iter().for_each(|code| assert!(refused.contains(code), "{code}"));
}

#[test]
fn deprecations_are_described() {
    #[deprecated]
    #[event("old")]
    fn old() {}

    #[event("older")]
    #[deprecated = "ask `old`"]
    fn older() {}

    struct Oldest;

    #[handlers]
    impl Oldest {
        #[deprecated(since = "0.1.0", note = "ask `older`")]
        #[event("oldest")]
        fn oldest(&self) {}
    }

    #[deprecated(note = "it is heard")]
    #[event("said")]
    #[derive(Serialize)]
    #[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
    struct OldSaid;

    contract! {
        #[cfg_attr(feature = "typescript", export(typescript))]
        Old { "/" { receives [old, older, Oldest::oldest, pair] emits [OldSaid, Question] } }
    }

    let namespace = &Old::describe().namespaces[0];
    let received: Vec<_> = namespace.receives.iter().map(|event| event.deprecated).collect();
    assert_eq!(received, [Some(""), Some("ask `old`"), Some("ask `older`"), None]);
    let emitted: Vec<_> = namespace.emits.iter().map(|event| event.deprecated).collect();
    assert_eq!(emitted, [Some("it is heard"), None]);
    #[cfg(feature = "typescript")]
    for expected in [
        "  /** @deprecated */\n  old: (",
        "  /** @deprecated ask `old` */\n  older: (",
        "  /** @deprecated ask `older` */\n  oldest: (",
        "  /** @deprecated it is heard */\n  said: (",
        "/** @deprecated it is heard */\nexport type OldSaid =",
    ] {
        let typescript = Old::typescript();
        assert!(typescript.contains(expected), "{expected} is not in {typescript}");
    }
}

#[cfg(feature = "garde")]
#[test]
fn validated_arguments_are_described_like_others() {
    use crate::Valid;
    use garde::Validate;

    #[derive(Deserialize, Validate)]
    #[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
    struct Short(#[garde(length(max = 3))] String);

    #[event("short")]
    fn short(first: Valid<Short>, second: Result<Valid<Short>, PayloadError>, third: Option<Valid<Short>>) {
        let _ = (first, second, third);
    }

    contract! {
        Checked { "/" { receives [short] } }
    }

    let described = Checked::describe();
    let names = arguments(&described.namespaces[0].receives[0], &types![Short, Short, Option<Short>]);
    assert_eq!(names, [("first", false), ("second", false), ("third", true)]);
}

#[cfg(feature = "typescript")]
#[test]
fn exported_answers_may_be_optional_or_several() {
    let typescript = Chat::typescript();
    for expected in [
        "done: (done: Done, answer: (failed?: Failed<string>) => void) => void;",
        "both: (both: Both, answer: (...answer: [number, string] | [Failed<string>]) => void) => void;",
        "perhaps: (perhaps: Perhaps, answer: (answer?: number | null | Failed<string>) => void) => void;",
        "two: (two: number, two2?: any, ack?: (failed?: Failed<\"not_two\">) => void) => void;",
    ] {
        assert!(typescript.contains(expected), "{expected} is not in {typescript}");
    }
}
