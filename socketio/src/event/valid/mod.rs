//! [`Valid`]: payloads that have to keep rules, which `garde` checks when they have been decoded.

mod path;

use garde::{Report, Validate};
use serde::Deserialize;
use serde_json::Value;
use std::any::{TypeId, type_name};
use std::ops::Deref;

use super::argument::{Argument, Arguments};
use super::error::{EventError, PayloadError};
use super::handler::Need;
use super::marker::Validated;
use super::message::Event;
use super::named::Named;

/// How many violations of one payload are told.
const MAX_VIOLATIONS: usize = 32;

/// A payload that keeps the rules of its type, as a handler parameter: decoded as `T`, and then checked with
/// [`garde`](https://docs.rs/garde). It dereferences to `T`. Needs the feature `garde`.
///
/// A payload that breaks a rule is answered like one that does not decode: with the error `invalid_payload`, the path of the field
/// and the rule's message. The handler is not called. [A page of the guide](crate::guide::validated_payloads) says more.
///
/// ```
/// use garde::Validate;
/// use socketio::{Valid, event};
///
/// #[derive(serde::Deserialize, Validate)]
/// struct Message {
///     #[garde(length(min = 1, max = 500))]
///     text: String,
/// }
///
/// #[event("message")]
/// fn message(message: Valid<Message>) {
///     println!("{}", message.text);
/// }
/// ```
///
/// `Option<Valid<T>>` may be missing, and with `Result<Valid<T>, PayloadError>` a handler deals with a bad payload itself.
///
/// Rules that need a context, `#[garde(context(Limits))]`, are given the hub's [`State`](crate::State) of that type. A hub without it
/// is an error of [`build`](crate::HubBuilder::build).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Valid<T>(T);

impl<T: Validate> Valid<T> {
    /// Checks a value: in a listener, or to call a handler by hand. `context` is `&()` for rules that need none.
    ///
    /// # Errors
    ///
    /// It breaks a rule. Fields are called as in Rust, since nothing tells how a client calls them.
    pub fn new(value: T, context: &T::Context) -> Result<Self, PayloadError> {
        match value.validate_with(context) {
            Ok(()) => Ok(Self(value)),
            Err(report) => Err(violations(0, &report, None)),
        }
    }
}

impl<T> Valid<T> {
    /// The payload itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Valid<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// So that `#[event]` without a name finds it here, too.
#[diagnostic::do_not_recommend]
impl<T: Event> Event for Valid<T> {
    const NAME: &'static str = T::NAME;
    const DOC: &'static str = T::DOC;
}

/// A payload that can be decoded and checked.
pub trait Rules<'a>: Deserialize<'a> + Validate<Context: Send + Sync + 'static> {}

impl<'a, T: Deserialize<'a> + Validate<Context: Send + Sync + 'static>> Rules<'a> for T {}

#[diagnostic::do_not_recommend]
impl<'a, T: Rules<'a>> Argument<'a, Validated> for Valid<T> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(Self(decode(arguments, |value| Some(value))??))
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T: Rules<'a>> Argument<'a, Validated> for Option<Valid<T>> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(decode(arguments, Option::as_ref)??.map(Valid))
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T: Rules<'a>> Argument<'a, Validated> for Result<Valid<T>, PayloadError> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(decode(arguments, |value| Some(value))?.map(Valid))
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T: Rules<'a>> Argument<'a, Validated> for Result<Option<Valid<T>>, PayloadError> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(decode(arguments, Option::as_ref)?.map(|value| value.map(Valid)))
    }
}

/// The context of the rules of `T`.
const fn context<T: Validate<Context: 'static>>() -> Option<Need> {
    Some(Need { id: TypeId::of::<T::Context>(), name: type_name::<T::Context> })
}

#[doc(hidden)]
impl<T: Validate<Context: 'static>> Named<Valid<T>> {
    pub const NEED: Option<Need> = context::<T>();
}

#[doc(hidden)]
impl<T: Validate<Context: 'static>> Named<Option<Valid<T>>> {
    pub const NEED: Option<Need> = context::<T>();
}

#[doc(hidden)]
impl<T: Validate<Context: 'static>> Named<Result<Valid<T>, PayloadError>> {
    pub const NEED: Option<Need> = context::<T>();
}

#[doc(hidden)]
impl<T: Validate<Context: 'static>> Named<Result<Option<Valid<T>>, PayloadError>> {
    pub const NEED: Option<Need> = context::<T>();
}

/// Decodes the next argument as a `D`, and checks the `T` in it. The outer error: the hub has no context for its rules.
fn decode<'a, T, D>(
    arguments: &mut Arguments<'a>,
    value: fn(&D) -> Option<&T>,
) -> Result<Result<D, PayloadError>, EventError>
where
    T: Validate<Context: Send + Sync + 'static>,
    D: Deserialize<'a>,
{
    // `build()` has seen to it that it is there.
    let context = arguments.state::<T::Context>().ok_or_else(EventError::internal)?;
    let mut before = arguments.remaining;
    let checked =
        arguments.next_payload().and_then(|decoded| match value(&decoded).map(|value| value.validate_with(&context)) {
            Some(Err(report)) => Err(violations(before.taken, &report, before.next().ok().as_ref())),
            Some(Ok(())) | None => Ok(decoded),
        });
    Ok(checked)
}

/// The error that tells of the violations in a report: of the first, with the others in it.
fn violations(argument: usize, report: &Report, sent: Option<&Value>) -> PayloadError {
    let mut all = report.iter().take(MAX_VIOLATIONS).map(|(path, error)| {
        let path = path::as_sent(&path.to_string(), sent);
        PayloadError {
            path: Some(path).filter(|path| !path.is_empty()),
            ..PayloadError::new(argument, error.message())
        }
    });
    let first = all.next().unwrap_or_else(|| PayloadError::new(argument, "invalid value"));
    PayloadError { others: all.collect(), ..first }
}
