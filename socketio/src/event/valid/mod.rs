//! [`Valid`]: payloads that `garde` validates after decoding.

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
use crate::wire::any_value::AnyValue;

/// The maximum number of violations reported for one payload.
const MAX_VIOLATIONS: usize = 32;

/// A handler parameter that is decoded as `T` and then validated with
/// [`garde`](https://docs.rs/garde). It dereferences to `T`. Requires the feature `garde`.
///
/// If a payload breaks a rule, the handler is not called. The client receives the error
/// `invalid_payload` with the field's path and the rule's message. See [the
/// guide](crate::guide::validated_payloads).
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
/// `Option<Valid<T>>` makes the argument optional. With `Result<Valid<T>, PayloadError>` a handler
/// handles an invalid payload itself.
///
/// Rules with a context, `#[garde(context(Limits))]`, receive the hub's [`State`](crate::State) of
/// that type. If the hub has no such state, [`build`](crate::HubBuilder::build) fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Valid<T>(T);

impl<T: Validate> Valid<T> {
    /// Validates a value, for example in a listener or a unit test. Pass `&()` as `context` for
    /// rules that need none.
    ///
    /// # Errors
    ///
    /// The value breaks a rule. The error uses the Rust names of fields, because the names in the
    /// JSON are unknown here.
    pub fn new(value: T, context: &T::Context) -> Result<Self, PayloadError> {
        match value.validate_with(context) {
            Ok(()) => Ok(Self(value)),
            Err(report) => Err(violations(None, &report, None)),
        }
    }
}

impl<T> Valid<T> {
    /// Returns the payload.
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

/// `#[event]` without a name takes the name from the payload type, also through `Valid`.
#[diagnostic::do_not_recommend]
impl<T: Event> Event for Valid<T> {
    const NAME: &'static str = T::NAME;
    const DOC: &'static str = T::DOC;
    const DEPRECATED: Option<&'static str> = T::DEPRECATED;
}

/// A payload type that can be decoded and validated.
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

/// The state that the rules of `T` need as their context.
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

/// Decodes the next argument as a `D` and validates the `T` in it. The outer error means that the
/// hub has no context for the rules.
fn decode<'a, T, D>(
    arguments: &mut Arguments<'a>,
    value: fn(&D) -> Option<&T>,
) -> Result<Result<D, PayloadError>, EventError>
where
    T: Validate<Context: Send + Sync + 'static>,
    D: Deserialize<'a>,
{
    // `build()` checks that the hub has this state.
    let context = arguments.state::<T::Context>().ok_or_else(EventError::internal)?;
    let mut before = arguments.remaining;
    let checked =
        arguments.next_payload().and_then(|decoded| match value(&decoded).map(|value| value.validate_with(&context)) {
            Some(Err(report)) => {
                let argument = before.taken;
                let sent = before.next::<AnyValue>().ok().map(AnyValue::into_json);
                Err(violations(Some(argument), &report, sent.as_ref()))
            }
            Some(Ok(())) | None => Ok(decoded),
        });
    Ok(checked)
}

/// Converts a report into an error. The first violation is the error itself, the others are in its
/// `others`.
fn violations(argument: Option<usize>, report: &Report, sent: Option<&Value>) -> PayloadError {
    let mut all = report.iter().take(MAX_VIOLATIONS).map(|(path, error)| {
        let path = path::as_sent(&path.to_string(), sent);
        let path = Some(path).filter(|path| !path.is_empty());
        PayloadError { argument, path, ..PayloadError::of_all(error.message()) }
    });
    let first = all.next().unwrap_or_else(|| PayloadError { argument, ..PayloadError::of_all("invalid value") });
    PayloadError { others: all.collect(), ..first }
}
