//! Infers the arguments and replies of handlers from the functions themselves.
//!
//! `contract!` has only the path of a function. The compiler infers the parameters and the return
//! type from the `Fn` trait that the function's value implements. Markers distinguish payload
//! parameters, as they do where the handler is called. Lifetimes are inferred as `'static`, because
//! only the types matter.
//!
//! Method resolution selects the kind of the return type, as in [`reply`](crate::event::reply).
//! Inherent methods come before trait methods, and methods of the value before methods of a
//! reference to it.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::any::type_name;
use std::marker::PhantomData;

use super::ErrorCodes;
use super::describe::Describe;
use super::description::{
    DescribedArgument, DescribedArguments, DescribedErrors, DescribedReply, DescribedType, Emitted,
    NamespaceDescription, Received,
};
use crate::event::ack::Args;
use crate::event::argument::Argument;
use crate::event::context::RawArgs;
use crate::event::decode::may_be_missing;
use crate::event::error::PayloadError;
use crate::event::handler::{Handler, Key};
use crate::event::marker::{Checked, Context, Payload};
use crate::event::message::Request;
use crate::hub::reauthentication::REAUTHENTICATE;
use crate::hub::socket::from_answer::FromAnswer;
use crate::hub::source::EventSource;
use crate::wire::envelope::ArgumentText;

/// A function with the parameter list `P`.
#[diagnostic::on_unimplemented(
    message = "this function can't be described in a contract",
    label = "not a function, or one with more than 16 parameters",
    note = "help: name a function with `#[event(\"name\")]`, or a method of a type with `#[handlers]`"
)]
pub trait Signature<P> {
    type Returned;
}

/// The parameters of a function, in a contract with the exports `X`. `M` contains the marker of
/// each parameter.
pub trait Parameters<M, X> {
    /// Adds the payload parameters to the description.
    fn describe(payload: &mut DescribedArguments);
}

macro_rules! functions {
    ($(($($parameter:ident $marker:ident),*))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<Function, Returned, $($parameter),*> Signature<($($parameter,)*)> for Function
        where
            Function: Fn($($parameter),*) -> Returned,
        {
            type Returned = Returned;
        }

        impl<X, $($parameter: Parameter<$marker, X>, $marker),*> Parameters<($($marker,)*), X> for ($($parameter,)*) {
            #[allow(unused_variables, reason = "a function without parameters")]
            fn describe(payload: &mut DescribedArguments) {
                $(<$parameter as Parameter<$marker, X>>::describe(payload);)*
            }
        }
    )*};
}

functions! {
    ()
    (A1 M1)
    (A1 M1, A2 M2)
    (A1 M1, A2 M2, A3 M3)
    (A1 M1, A2 M2, A3 M3, A4 M4)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8, A9 M9)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8, A9 M9, A10 M10)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8, A9 M9, A10 M10, A11 M11)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8, A9 M9, A10 M10, A11 M11, A12 M12)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8, A9 M9, A10 M10, A11 M11, A12 M12, A13 M13)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8, A9 M9, A10 M10, A11 M11, A12 M12, A13 M13, A14 M14)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8, A9 M9, A10 M10, A11 M11, A12 M12, A13 M13, A14 M14, A15 M15)
    (A1 M1, A2 M2, A3 M3, A4 M4, A5 M5, A6 M6, A7 M7, A8 M8, A9 M9, A10 M10, A11 M11, A12 M12, A13 M13, A14 M14, A15 M15,
        A16 M16)
}

/// A parameter of a handler, in a contract with the exports `X`. `M` is the marker of its
/// [`Argument`] implementation.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be exported with a contract",
    label = "this handler takes it from the payload",
    note = "help: derive for it what the exports are made from: `ts_rs::TS` for `#[export(typescript)]`, `schemars::JsonSchema` for \
            `#[export(asyncapi)]`; what is no payload is an `Extension<T>`, a `State<T>`, or a type that implements `Argument`"
)]
pub trait Parameter<M, X> {
    /// Adds the parameter to the description if it is payload.
    fn describe(payload: &mut DescribedArguments);
}

#[diagnostic::do_not_recommend]
impl<T: Deserialize<'static> + Describe<X>, X> Parameter<Payload, X> for T {
    fn describe(payload: &mut DescribedArguments) {
        payload.exported_argument::<T, X>();
        payload.next_parameter();
    }
}

#[diagnostic::do_not_recommend]
impl<T: Deserialize<'static> + Describe<X>, X> Parameter<Checked, X> for Result<T, PayloadError> {
    fn describe(payload: &mut DescribedArguments) {
        payload.exported_argument::<T, X>();
        payload.next_parameter();
    }
}

#[diagnostic::do_not_recommend]
impl<T: Argument<'static> + 'static, X> Parameter<Context, X> for T {
    fn describe(payload: &mut DescribedArguments) {
        <T as Argument<'static>>::describe(payload);
        payload.next_parameter();
    }
}

/// The marker of the parameter `&self`.
#[derive(Debug)]
pub enum Receiver {}

#[diagnostic::do_not_recommend]
impl<T: EventSource, X> Parameter<Receiver, X> for &'static T {
    fn describe(_: &mut DescribedArguments) {}
}

/// The return type of a function, in a contract with the exports `X`. Its methods describe the
/// reply and the errors.
#[derive(Debug)]
pub struct Returned<R, X>(pub(super) PhantomData<fn() -> (R, X)>);

/// A function that can be described. This single bound keeps compile errors short.
pub trait DescribedFunction<P, M, X>: Signature<P> {
    fn describe(payload: &mut DescribedArguments);
}

impl<F: Signature<P>, P: Parameters<M, X>, M, X> DescribedFunction<P, M, X> for F {
    fn describe(payload: &mut DescribedArguments) {
        P::describe(payload);
    }
}

impl<F: Future, X> Returned<F, X> {
    /// The output of an async function.
    pub fn settled(&self) -> Returned<F::Output, X> {
        Returned(PhantomData)
    }
}

pub trait Settled<X> {
    type Value;

    fn settled(&self) -> Returned<Self::Value, X>;
}

impl<T, X> Settled<X> for Returned<T, X> {
    type Value = T;

    fn settled(&self) -> Returned<T, X> {
        Returned(PhantomData)
    }
}

/// A tuple of several reply arguments, in a contract with the exports `X`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be described in a contract",
    label = "this is what the handler answers",
    note = "help: name the types of what is answered: `Args<(A, B)>`"
)]
pub trait DescribeReplies<X> {
    fn describe() -> DescribedReply;
}

/// A tuple of several arguments that clients answer with, in a contract with the exports `X`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be described in a contract",
    label = "this is what clients answer",
    note = "help: name the types of what is answered: `Args<(A, B)>`"
)]
pub trait DescribeAnswers<X> {
    fn describe() -> DescribedReply;
}

macro_rules! replies {
    ($(($($value:ident),*))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<X, $($value: Describe<X>),*> DescribeReplies<X> for ($($value,)*) {
            fn describe() -> DescribedReply {
                DescribedReply::Values(vec![$(DescribedArgument::sent($value::described())),*])
            }
        }

        #[diagnostic::do_not_recommend]
        impl<X, $($value: DeserializeOwned + Describe<X>),*> DescribeAnswers<X> for ($($value,)*) {
            fn describe() -> DescribedReply {
                let answers = vec![$(DescribedArgument {
                    name: "",
                    ty: $value::described(),
                    optional: may_be_missing::<$value>(),
                }),*];
                DescribedReply::Values(answers)
            }
        }
    )*};
}

replies! {
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}

impl<X> DescribeReplies<X> for RawArgs<'_> {
    fn describe() -> DescribedReply {
        DescribedReply::Unknown
    }
}

fn nothing() -> DescribedReply {
    DescribedReply::Values(Vec::new())
}

fn one(ty: DescribedType) -> DescribedReply {
    DescribedReply::Values(vec![DescribedArgument::sent(ty)])
}

impl<X> Returned<(), X> {
    pub fn reply(&self) -> DescribedReply {
        nothing()
    }
}

impl<E, X> Returned<Result<(), E>, X> {
    pub fn reply(&self) -> DescribedReply {
        nothing()
    }
}

impl<T, X> Returned<Args<T>, X> {
    pub fn reply(&self) -> DescribedReply
    where
        T: DescribeReplies<X>,
    {
        T::describe()
    }
}

impl<T, E, X> Returned<Result<Args<T>, E>, X> {
    pub fn reply(&self) -> DescribedReply
    where
        T: DescribeReplies<X>,
    {
        T::describe()
    }
}

pub trait FallibleReply<T, X> {
    fn reply(&self) -> DescribedReply
    where
        T: Describe<X>;
}

impl<T, E, X> FallibleReply<T, X> for Returned<Result<T, E>, X> {
    fn reply(&self) -> DescribedReply
    where
        T: Describe<X>,
    {
        one(T::described())
    }
}

pub trait ValueReply<T, X> {
    fn reply(&self) -> DescribedReply
    where
        T: Describe<X>;
}

impl<T, X> ValueReply<T, X> for &Returned<T, X> {
    fn reply(&self) -> DescribedReply
    where
        T: Describe<X>,
    {
        one(T::described())
    }
}

impl<T, E: ErrorCodes, X> Returned<Result<T, E>, X> {
    pub fn errors(&self) -> DescribedErrors {
        let path = type_name::<E>().split('<').next().unwrap_or_default();
        let of = path.rsplit("::").next();
        DescribedErrors::Codes { of, codes: E::CODES, of_parameters: Vec::new() }
    }
}

pub trait AnyErrors {
    fn errors(&self) -> DescribedErrors;
}

impl<T, E, X> AnyErrors for Returned<Result<T, E>, X> {
    fn errors(&self) -> DescribedErrors {
        DescribedErrors::Any
    }
}

pub trait NoErrors {
    fn errors(&self) -> DescribedErrors;
}

impl<T, X> NoErrors for &Returned<T, X> {
    fn errors(&self) -> DescribedErrors {
        DescribedErrors::None
    }
}

/// A payload type. Its methods describe the answer that it requests.
#[derive(Debug)]
pub struct Emits<E, X>(pub(super) PhantomData<fn() -> (E, X)>);

impl<E: Request, X> Emits<E, X> {
    /// The requested answer.
    pub fn answer(&self) -> Asked<E::Answer, X> {
        Asked(PhantomData)
    }
}

/// The answer that a payload type requests, in a contract with the exports `X`. Clients may leave
/// out what the server can decode without them.
#[derive(Debug)]
pub struct Asked<A, X>(PhantomData<fn() -> (A, X)>);

impl<X> Asked<(), X> {
    pub fn reply(&self) -> DescribedReply {
        nothing()
    }
}

impl<T, X> Asked<Args<T>, X> {
    pub fn reply(&self) -> DescribedReply
    where
        T: DescribeAnswers<X>,
    {
        T::describe()
    }
}

pub trait ValueAnswer<T, X> {
    fn reply(&self) -> DescribedReply
    where
        T: Describe<X> + FromAnswer;
}

impl<T, X> ValueAnswer<T, X> for &Asked<T, X> {
    fn reply(&self) -> DescribedReply
    where
        T: Describe<X> + FromAnswer,
    {
        let nothing = RawArgs::new(ArgumentText::Many(""), None);
        let optional = T::from_answer(nothing).is_ok();
        DescribedReply::Values(vec![DescribedArgument { name: "", ty: T::described(), optional }])
    }
}

/// The answer of a payload type that requests none.
#[derive(Debug)]
pub struct Unasked;

impl Unasked {
    pub fn reply(&self) -> Option<DescribedReply> {
        None
    }
}

pub trait NoAnswer {
    fn answer(&self) -> Unasked;
}

impl<E, X> NoAnswer for &Emits<E, X> {
    fn answer(&self) -> Unasked {
        Unasked
    }
}

impl NamespaceDescription {
    #[doc(hidden)]
    pub fn receives(
        &mut self,
        handler: Option<&'static Handler>,
        describe: fn(&mut DescribedArguments),
        reply: DescribedReply,
        errors: DescribedErrors,
    ) {
        // An entry without an event name fails to compile elsewhere.
        let Some(handler @ &Handler { key: Key::Name(name), .. }) = handler else { return };
        let source = handler.source;
        let names = source.parameters.iter();
        let mut payload =
            DescribedArguments { names, arguments: Vec::new(), codes: Vec::new(), takes_ack: false, takes_any: false };
        describe(&mut payload);
        let DescribedArguments { arguments, codes, takes_ack, takes_any, .. } = payload;
        if name == REAUTHENTICATE {
            self.emits.push(Emitted::reauthentication_request());
        }
        let (reply, errors) = match takes_ack {
            true => (DescribedReply::Unknown, DescribedErrors::Any),
            false => (reply, errors.with(codes)),
        };
        self.receives.push(Received {
            name,
            doc: handler.doc,
            deprecated: handler.deprecated,
            source,
            #[cfg(feature = "asyncapi")]
            timeout: handler.timeout,
            arguments,
            takes_any,
            #[cfg(feature = "asyncapi")]
            takes_ack,
            reply,
            errors,
        });
    }

    #[doc(hidden)]
    pub fn emits(&mut self, emitted: Emitted, answer: impl Into<Option<DescribedReply>>) {
        self.emits.push(Emitted { answer: answer.into(), ..emitted });
    }
}
