//! The bounds that a contract puts on its types. Only exports need any.
//!
//! `contract!` writes the contract's exports into the type [`Exports`]. The bounds on payload types
//! depend on this type alone, so enabling a feature makes exports available but adds no bound.

use std::marker::PhantomData;

use super::description::DescribedType;
use crate::event::marker::{AsyncApi, TypeScript};

/// The exports of a contract. `X` is a pair: [`TypeScript`] or `()`, and [`AsyncApi`] or `()`.
#[derive(Debug)]
pub struct Exports<X>(PhantomData<X>);

impl<X> Clone for Exports<X> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<X> Copy for Exports<X> {}

impl Exports<((), ())> {
    pub const NONE: Self = Self(PhantomData);
}

impl<A, B> Exports<(A, B)> {
    pub fn typescript(self) -> Exports<(TypeScript, B)> {
        Exports(PhantomData)
    }

    pub fn asyncapi(self) -> Exports<(A, AsyncApi)> {
        Exports(PhantomData)
    }
}

/// A type that a contract with the exports `X` can contain: an argument, a reply or the payload of
/// an event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be exported with a contract",
    label = "the contract has this type in it",
    note = "help: derive for it what the exports are made from: `ts_rs::TS` for `#[export(typescript)]`, `schemars::JsonSchema` for \
            `#[export(asyncapi)]`; where a handler returns `impl Serialize`, name the type instead, so that it can be described"
)]
pub trait Describe<X> {
    fn described() -> DescribedType;
}

#[diagnostic::do_not_recommend]
impl<T: 'static, X: Export<T>> Describe<X> for T {
    fn described() -> DescribedType {
        let mut described = DescribedType::of::<T>();
        X::describe(&mut described);
        described
    }
}

/// An export that can describe the type `T`.
pub trait Export<T> {
    fn describe(described: &mut DescribedType);
}

impl<T> Export<T> for () {
    fn describe(_: &mut DescribedType) {}
}

#[cfg(feature = "typescript")]
impl<T: ts_rs::TS + 'static> Export<T> for TypeScript {
    fn describe(described: &mut DescribedType) {
        described.set_typescript::<T>();
    }
}

#[cfg(feature = "asyncapi")]
impl<T: schemars::JsonSchema + 'static> Export<T> for AsyncApi {
    fn describe(described: &mut DescribedType) {
        described.set_schema::<T>();
    }
}

// Without its feature, the export itself fails to compile. An empty bound avoids a further error
// for each type.

#[cfg(not(feature = "typescript"))]
impl<T> Export<T> for TypeScript {
    fn describe(_: &mut DescribedType) {}
}

#[cfg(not(feature = "asyncapi"))]
impl<T> Export<T> for AsyncApi {
    fn describe(_: &mut DescribedType) {}
}

impl<T, A: Export<T>, B: Export<T>> Export<T> for (A, B) {
    fn describe(described: &mut DescribedType) {
        A::describe(described);
        B::describe(described);
    }
}
