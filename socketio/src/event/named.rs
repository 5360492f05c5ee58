//! What the macros ask of a type or of a function that they know by its name alone.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;

use super::ack::Ack;
use super::argument::Argument;
use super::error::PayloadError;
use super::handler::{Handler, Need};
use super::marker::Context;
use super::message::Event;
use super::state::State;

/// What `#[event]` on a function adds beside it, under the same name.
pub trait Companion {
    const HANDLER: &'static Handler;
}

/// A type, to be asked what is special about it. What it knows by itself comes before what [`Unnamed`] says of any type.
#[derive(Debug)]
pub struct Named<T: ?Sized>(PhantomData<T>);

/// What is special about a type that nothing is known of: nothing.
pub trait Unnamed {
    const HANDLER: Option<&'static Handler> = None;
    const EVENT: Option<&'static str> = None;
    const NEED: Option<Need> = None;
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
