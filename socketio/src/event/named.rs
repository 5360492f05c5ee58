//! [`Named`]: facts about a type or function that a macro only knows by name.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;

use super::ack::Ack;
use super::argument::Argument;
use super::error::PayloadError;
use super::handler::{Handler, Need};
use super::marker::Context;
use super::message::Event;
use super::state::State;
use crate::hub::source::EventSource;

/// Implemented for the type that `#[event]` generates beside a function, under the same name.
pub trait Companion {
    const HANDLER: &'static Handler;
}

/// Provides facts about the type `T` as constants. The inherent constants of some types take
/// precedence over the defaults in [`Unnamed`].
#[derive(Debug)]
pub struct Named<T: ?Sized>(PhantomData<T>);

/// The defaults of the constants of [`Named`], for all types.
pub trait Unnamed {
    const HANDLER: Option<&'static Handler> = None;
    const EVENT: Option<&'static str> = None;
    const NEED: Option<Need> = None;
    const IS_SOURCE: bool = false;
    const IS_BYTES: bool = false;
    const IS_VALID: bool = false;
    const HAS_RULES: bool = false;
    const IS_ACK: bool = false;
    const IS_OPTION: bool = false;
    const IS_REQUIRED: bool = true;
    const IS_VALUE: bool = true;
}

impl<T: ?Sized> Unnamed for Named<T> {}

impl<C: Companion> Named<C> {
    pub const HANDLER: Option<&'static Handler> = Some(C::HANDLER);
}

impl<E: Event> Named<E> {
    pub const EVENT: Option<&'static str> = Some(E::NAME);
}

impl<S: EventSource> Named<S> {
    pub const IS_SOURCE: bool = true;
}

impl Named<&[u8]> {
    pub const IS_BYTES: bool = true;
}

impl Named<Option<&[u8]>> {
    pub const IS_BYTES: bool = true;
}

impl Named<Result<&[u8], PayloadError>> {
    pub const IS_BYTES: bool = true;
}

impl<T: 'static> Named<State<T>> {
    pub const NEED: Option<Need> = Some(Need { id: TypeId::of::<T>(), name: type_name::<T> });
}

impl Named<Ack> {
    pub const IS_ACK: bool = true;
}

impl<T> Named<Option<T>> {
    pub const IS_OPTION: bool = true;
    pub const IS_REQUIRED: bool = false;
}

impl<T> Named<Result<T, PayloadError>> {
    pub const IS_REQUIRED: bool = false;
}

impl<'a, T: Argument<'a, Context>> Named<T> {
    pub const IS_REQUIRED: bool = false;
}

impl Named<()> {
    pub const IS_VALUE: bool = false;
}

impl<E> Named<Result<(), E>> {
    pub const IS_VALUE: bool = false;
}
