//! A server whose contract uses every feature of the exports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{
    Ack, AckError, Args, Binary, BuildError, DeliveryError, EmitError, ErrorCodes, Hub, PayloadError, Recovery, Socket,
    contract, event, events, handlers,
};
use std::borrow::Cow;
use std::collections::BTreeSet;
use ts_rs::TS;

/// What somebody says.
#[derive(Deserialize, JsonSchema, TS)]
pub(crate) struct Message<'a> {
    /// Whom it is for: the id of a socket.
    #[serde(borrow)]
    to: Cow<'a, str>,
    text: String,
}

/// That it was said.
#[derive(JsonSchema, Serialize, TS)]
pub(crate) struct Receipt {
    length: u64,
}

/// Somebody has said something.
#[event("delivered")]
#[derive(JsonSchema, Serialize, TS)]
pub(crate) struct Delivered<'a> {
    text: &'a str,
}

/// The client is to say whether it is so.
#[event("question", ack = Verdict)]
#[derive(JsonSchema, Serialize, TS)]
pub(crate) struct Question {
    text: String,
}

#[derive(Deserialize, JsonSchema, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Yes,
    No { why: String },
}

/// The client is to say how it is.
#[event("checkup", ack = Health)]
#[derive(JsonSchema, Serialize, TS)]
pub(crate) struct Checkup;

/// The client is to divide.
#[event("division", ack = Args<(u8, u8)>)]
#[derive(JsonSchema, Serialize, TS)]
pub(crate) struct Division {
    dividend: u8,
    divisor: u8,
}

/// An answer may have a field that is called `error`, and be none.
#[derive(Deserialize, JsonSchema, Serialize, TS)]
pub(crate) struct Health {
    ok: bool,
    error: Fault,
}

#[derive(Deserialize, JsonSchema, Serialize, TS)]
pub(crate) struct Fault {
    code: String,
    message: String,
}

#[event("file")]
#[derive(Deserialize, JsonSchema, Serialize, TS)]
pub(crate) struct File {
    name: String,
    content: Binary,
}

#[derive(Debug, thiserror::Error, ErrorCodes)]
pub(crate) enum ChatError {
    #[error("say something")]
    NoText,
    #[error("{0}")]
    NotDelivered(#[from] EmitError),
}

/// Says something to somebody.
#[event("message")]
async fn message(socket: &Socket, message: Message<'_>) -> Result<Receipt, ChatError> {
    if message.text.is_empty() {
        return Err(ChatError::NoText);
    }
    let delivered = Delivered { text: &message.text };
    socket.emit_to(&message.to, &delivered)?;
    Ok(Receipt { length: message.text.len() as u64 })
}

/// Says something to oneself.
#[event("echo")]
fn echo(socket: &Socket, text: Cow<'_, str>) -> Result<(), EmitError> {
    socket.emit(&Delivered { text: &text })
}

/// Says something to oneself, and answers when that was acked.
#[event("deliver", concurrent)]
async fn deliver(socket: &Socket, text: Cow<'_, str>) -> Result<(), DeliveryError> {
    socket.reliable().emit(&Delivered { text: &text })?.await
}

#[event("sum")]
fn sum(first: i64, second: Option<i64>) -> i64 {
    first + second.unwrap_or(0)
}

#[event("split")]
fn split(text: String) -> Args<(String, usize)> {
    let length = text.len();
    Args((text, length))
}

#[event("checked")]
fn checked(number: Result<u8, PayloadError>) -> bool {
    number.is_ok()
}

#[event("later")]
fn later(ack: Ack, text: String) {
    let _ = ack.send(text);
}

/// Asks the client, and tells what it has answered.
#[event("ask")]
async fn ask(socket: &Socket, text: String) -> Result<Verdict, AckError> {
    socket.request(&Question { text }).await
}

/// Asks the client how it is, and tells what it has answered.
#[event("examine")]
async fn examine(socket: &Socket) -> Result<Health, AckError> {
    socket.request(&Checkup).await
}

/// Has the client divide, and tells quotient and remainder.
#[event("divide")]
async fn divide(socket: &Socket, dividend: u8, divisor: u8) -> Result<Args<(u8, u8)>, AckError> {
    socket.request(&Division { dividend, divisor }).await
}

/// Sends the file back, and answers with its content.
#[event("upload")]
fn upload(socket: &Socket, file: File) -> Result<Binary, EmitError> {
    socket.emit(&file)?;
    Ok(file.content)
}

#[derive(Default)]
struct Counter(std::sync::atomic::AtomicU32);

#[handlers]
impl Counter {
    /// Counts, and tells how often that was done.
    #[event("count")]
    fn count(&self) -> u32 {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
    }
}

/// With what a client proves its identity.
#[derive(Deserialize, JsonSchema, TS)]
pub(crate) struct Proof {
    token: String,
}

/// Proves the identity of the client again. Answers with the length of the token.
#[event(reauthenticate)]
fn reauthenticate(socket: &Socket, proof: Proof) -> Result<usize, ChatError> {
    if proof.token.is_empty() {
        return Err(ChatError::NoText);
    }
    let length = proof.token.len();
    socket.set_attribute("token", proof.token);
    Ok(length)
}

/// Has the server ask for a new proof, and tells the token of the last one.
#[event("prove")]
fn prove(socket: &Socket) -> Result<Option<String>, EmitError> {
    socket.ask_to_reauthenticate()?;
    Ok(socket.get_string_attribute("token"))
}

/// The proof of identity has run out.
#[event("expire")]
fn expire(socket: &Socket) {
    socket.expires_in(std::time::Duration::ZERO);
}

#[event("restart")]
fn restart(in_seconds: u8) -> u8 {
    in_seconds
}

/// Who somebody is.
///
/// - A *list*, with `code`
/// - and <b>no HTML</b>
///
/// [A page](https://example.org/page), [a script](javascript:alert(1)), [a type](crate::Profile),
/// ![a picture](https://example.org/a.png)
#[derive(Deserialize, JsonSchema, TS)]
pub(crate) struct Profile {
    /// Its *first* name.
    #[schemars(length(min = 2, max = 8), regex(pattern = "^[a-z]+$"))]
    name: String,
    #[schemars(email)]
    email: Option<String>,
    #[schemars(range(min = 18, max = 120))]
    age: u8,
    /// Each once.
    tags: BTreeSet<String>,
    /// No longer used.
    #[deprecated]
    #[serde(default)]
    nick: Option<String>,
}

/// Takes **any** profile.
///
/// The rules of the type are for people.
#[deprecated = "use `message`"]
#[event("profile")]
fn profile(profile: Profile) -> usize {
    #[allow(deprecated, reason = "clients may still send it")]
    let Profile { name, email, age, tags, nick } = profile;
    name.len() + email.or(nick).map_or(0, |text| text.len()) + usize::from(age) + tags.len()
}

contract! {
    /// The server that the tests try TypeScript on.
    #[export(asyncapi, typescript)]
    pub(crate) Chat {
        "/" {
            receives [
                message, echo, deliver, sum, split, checked, later, ask, examine, divide, upload, profile, Counter::count,
                reauthenticate, prove, expire,
            ]
            emits [Delivered, Question, Checkup, Division, File]
        }
        /// For those who may.
        "/admin" { receives [restart] }
    }
}

pub(crate) fn hub() -> Result<Hub, BuildError> {
    Hub::builder()
        .recovery(Recovery::new())
        .events(events![message, echo, deliver, sum, split, checked, later, ask, examine, divide, upload, profile])
        .events(events![reauthenticate, prove, expire])
        .events(Counter::default())
        .namespace("/admin", |admin| admin.events(events![restart]))
        .namespace("/refused", |refused| refused.middleware(async |_| Err::<(), _>("members only")))
        .contract::<Chat>()
        .build()
}
