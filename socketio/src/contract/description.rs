//! What a contract says, in a form that is neither TypeScript's nor AsyncAPI's: the exports are written from it.
#![cfg_attr(not(feature = "typescript"), allow(dead_code, reason = "it is the exports that read all of it"))]

use serde::Deserialize;
use std::any::{TypeId, type_name};
use std::marker::PhantomData;

use super::describe::{Describe, Exports};
use super::infer::{DescribedFunction, Emits, Returned};
use crate::event::decode::may_be_missing;
use crate::event::handler::Source;
use crate::event::message::Event;
use crate::hub::agreement::{AgreedEmit, AgreedHandler, AgreedNamespace};

/// Everything that a [`contract!`](crate::contract!) says: its namespaces, and their events.
#[derive(Clone, Debug)]
pub struct Description {
    /// What the contract's type is called.
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    /// In the order in which they are written; no path is there twice.
    pub(crate) namespaces: Vec<NamespaceDescription>,
}

/// One namespace of a contract.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct NamespaceDescription {
    /// With its slash. It may have parameters in braces.
    pub(crate) path: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) receives: Vec<Received>,
    pub(crate) emits: Vec<Emitted>,
}

/// An event that clients send.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) name: &'static str,
    /// The doc comment of the handler.
    pub(crate) doc: &'static str,
    pub(crate) source: Source,
    pub(crate) arguments: Vec<DescribedArgument>,
    /// The handler takes all arguments as they came, whatever they are.
    pub(crate) takes_any: bool,
    pub(crate) reply: DescribedReply,
    pub(crate) errors: DescribedErrors,
}

/// One argument of an event that clients send.
#[derive(Clone, Debug)]
pub(crate) struct DescribedArgument {
    /// What the handler calls it; empty where it gives it no name.
    pub(crate) name: &'static str,
    pub(crate) ty: DescribedType,
    /// Whether it may be missing.
    pub(crate) optional: bool,
}

/// What the client is answered, if it asks for an answer.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum DescribedReply {
    /// So many arguments, mostly none or one.
    Values(Vec<DescribedType>),
    /// The handler answers with an [`Ack`](crate::Ack), which takes anything.
    Unknown,
}

impl DescribedReply {
    /// The types of what is known of it.
    #[cfg(feature = "typescript")]
    pub(super) fn values(&self) -> &[DescribedType] {
        match self {
            Self::Values(values) => values,
            Self::Unknown => &[],
        }
    }
}

/// With which errors of its own a handler may answer. The framework's codes come on top of them.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DescribedErrors {
    /// It never fails.
    None,
    /// Its error type does not say.
    Any,
    Codes {
        /// What the error type is called, without its path.
        of: Option<&'static str>,
        /// Its codes.
        codes: &'static [&'static str],
        /// Those with which the parameters fail.
        of_parameters: Vec<&'static str>,
    },
}

impl DescribedErrors {
    /// Adds codes that come from the parameters.
    pub(super) fn with(self, of_parameters: Vec<&'static str>) -> Self {
        match self {
            Self::None if !of_parameters.is_empty() => Self::Codes { of: None, codes: &[], of_parameters },
            Self::Codes { of, codes, .. } => Self::Codes { of, codes, of_parameters },
            Self::None | Self::Any => self,
        }
    }

    /// All codes, each once; `None` if it may be any.
    pub(crate) fn codes(&self) -> Option<Vec<&'static str>> {
        match self {
            Self::None => Some(Vec::new()),
            Self::Any => None,
            Self::Codes { codes, of_parameters, .. } => {
                let mut all = Vec::new();
                for code in codes.iter().chain(of_parameters) {
                    if !all.contains(code) {
                        all.push(*code);
                    }
                }
                Some(all)
            }
        }
    }
}

/// An event that the server emits.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Emitted {
    pub(crate) name: &'static str,
    /// The doc comment of the payload type.
    pub(crate) doc: &'static str,
    pub(crate) payload: DescribedType,
    /// The answer that is asked of the client, if the payload type is a [`Request`](crate::Request).
    pub(crate) answer: Option<DescribedReply>,
}

/// A Rust type, and what the exports make of it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct DescribedType {
    pub(crate) id: TypeId,
    /// Its name with its path.
    pub(crate) name: fn() -> &'static str,
    /// `None` if it was not described for this export.
    #[cfg(feature = "typescript")]
    pub(crate) typescript: Option<super::typescript::TypeScript>,
    /// `None` if it was not described for this export.
    #[cfg(feature = "asyncapi")]
    pub(crate) schema: Option<super::asyncapi::SchemaSource>,
}

impl DescribedType {
    /// A type of which the exports know nothing.
    pub(crate) fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>,
            #[cfg(feature = "typescript")]
            typescript: None,
            #[cfg(feature = "asyncapi")]
            schema: None,
        }
    }

    #[cfg(feature = "typescript")]
    pub(crate) fn set_typescript<T: ts_rs::TS + 'static>(&mut self) {
        self.typescript = Some(super::typescript::TypeScript::of::<T>());
    }

    #[cfg(feature = "asyncapi")]
    pub(crate) fn set_schema<T: schemars::JsonSchema>(&mut self) {
        self.schema = Some(super::asyncapi::SchemaSource::of::<T>());
    }
}

impl PartialEq for DescribedType {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// The payload of an event, as a handler's parameters take it apart: for an [`Argument`](crate::Argument) of one's own, which says in
/// [`describe`](crate::Argument::describe) what it takes.
#[derive(Debug)]
pub struct DescribedArguments {
    pub(super) names: std::slice::Iter<'static, &'static str>,
    pub(super) arguments: Vec<DescribedArgument>,
    pub(super) codes: Vec<&'static str>,
    pub(crate) takes_ack: bool,
    pub(crate) takes_any: bool,
}

/// What adds a function's payload.
type Describer = fn(&mut DescribedArguments);

impl DescribedArguments {
    /// A function's payload, and what it returns.
    #[doc(hidden)]
    pub fn of<F: DescribedFunction<P, M, X>, P, M, X>(_: F, _: Exports<X>) -> (Describer, Returned<F::Returned, X>) {
        (F::describe, Returned(PhantomData))
    }

    /// Adds the payload's next argument. The exports know its type if it is given to them:
    ///
    /// ```
    /// # use socketio::DescribedArguments;
    /// # fn describe(payload: &mut DescribedArguments) {
    /// let argument = payload.argument::<String>();
    /// # #[cfg(all(feature = "typescript", feature = "asyncapi"))]
    /// argument.typescript().schema();
    /// # }
    /// ```
    pub fn argument<T: Deserialize<'static> + 'static>(&mut self) -> ArgumentDescription<'_, T> {
        self.push::<T>(DescribedType::of::<T>());
        ArgumentDescription { argument: self.arguments.last_mut(), ty: PhantomData }
    }

    /// The same of a type with what a contract's exports need.
    pub(super) fn exported_argument<T: Deserialize<'static> + Describe<X>, X>(&mut self) {
        self.push::<T>(T::described());
    }

    fn push<T: Deserialize<'static>>(&mut self, ty: DescribedType) {
        self.arguments.push(DescribedArgument {
            name: self.names.as_slice().first().copied().unwrap_or_default(),
            ty,
            optional: may_be_missing::<T>(),
        });
    }

    /// Adds a code of the errors with which the parameter fails, beside those of the framework's own.
    pub fn error_code(&mut self, code: &'static str) {
        self.codes.push(code);
    }

    pub(super) fn next_parameter(&mut self) {
        self.names.next();
    }
}

/// An argument that was added with [`DescribedArguments::argument`], to be described to the exports of contracts.
///
/// Each method asks of `T` what its export is made from, and exists with its feature. An export that an argument is not described to
/// writes that it may be anything: `any` in TypeScript, a schema without rules in AsyncAPI.
#[derive(Debug)]
pub struct ArgumentDescription<'d, T> {
    argument: Option<&'d mut DescribedArgument>,
    ty: PhantomData<fn() -> T>,
}

impl<T: 'static> ArgumentDescription<'_, T> {
    /// Tells the TypeScript export its type.
    #[cfg(feature = "typescript")]
    pub fn typescript(mut self) -> Self
    where
        T: ts_rs::TS,
    {
        if let Some(argument) = &mut self.argument {
            argument.ty.set_typescript::<T>();
        }
        self
    }

    /// Tells the AsyncAPI export its JSON Schema.
    #[cfg(feature = "asyncapi")]
    pub fn schema(mut self) -> Self
    where
        T: schemars::JsonSchema,
    {
        if let Some(argument) = &mut self.argument {
            argument.ty.set_schema::<T>();
        }
        self
    }
}

impl Received {
    fn agreed(&self) -> AgreedHandler {
        AgreedHandler { event: self.name, source: self.source, codes: self.errors.codes() }
    }
}

impl Emitted {
    fn agreed(&self) -> AgreedEmit {
        AgreedEmit { event: self.name, payload: self.payload.name, is_answered: self.answer.is_some() }
    }

    /// The event that a payload type is; and what may know of an answer to it.
    pub fn of<E: Event + Describe<X>, X>(_: Exports<X>) -> (Self, Emits<E, X>) {
        (Self { name: E::NAME, doc: E::DOC, payload: E::described(), answer: None }, Emits(PhantomData))
    }
}

impl Description {
    /// What it holds a hub to.
    pub(crate) fn agreed(self) -> impl Iterator<Item = AgreedNamespace> {
        self.namespaces.into_iter().map(|namespace| AgreedNamespace {
            path: namespace.path,
            receives: namespace.receives.iter().map(Received::agreed).collect(),
            emits: namespace.emits.iter().map(Emitted::agreed).collect(),
        })
    }

    #[doc(hidden)]
    pub fn new(name: &'static str, doc: &'static str) -> Self {
        Self { name, doc, namespaces: Vec::new() }
    }

    #[doc(hidden)]
    pub fn namespace(&mut self, path: &'static str, doc: &'static str) -> &mut NamespaceDescription {
        self.namespaces.push(NamespaceDescription { path, doc, receives: Vec::new(), emits: Vec::new() });
        let last = self.namespaces.len() - 1;
        &mut self.namespaces[last]
    }
}
