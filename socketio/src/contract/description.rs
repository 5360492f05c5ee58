//! The description of a contract, independent of TypeScript and AsyncAPI. The exports are generated
//! from it.
#![cfg_attr(not(feature = "typescript"), allow(dead_code, reason = "only the exports read all fields"))]

use serde::Deserialize;
use std::any::{TypeId, type_name};
use std::marker::PhantomData;

use super::describe::{Describe, Exports};
use super::infer::{DescribedFunction, Emits, Returned};
use crate::event::decode::may_be_missing;
#[cfg(feature = "asyncapi")]
use crate::event::error::FRAMEWORK_CODES;
use crate::event::handler::Source;
#[cfg(feature = "asyncapi")]
use crate::event::handler::Timeout;
use crate::event::message::Event;
use crate::hub::agreement::{AgreedEmit, AgreedHandler, AgreedNamespace};
use crate::hub::reauthentication::ReauthenticationRequest;

/// A description of all namespaces and events of a [`contract!`](crate::contract!).
#[derive(Clone, Debug)]
pub struct Description {
    /// The name of the contract's type.
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    /// In source order; each path occurs once.
    pub(crate) namespaces: Vec<NamespaceDescription>,
}

/// One namespace of a contract.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct NamespaceDescription {
    /// The path, with its slash. It may have parameters in braces.
    pub(crate) path: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) receives: Vec<Received>,
    pub(crate) emits: Vec<Emitted>,
}

#[cfg(all(feature = "asyncapi", feature = "typescript"))]
impl NamespaceDescription {
    /// The types that clients send: arguments, and the answers to requests.
    pub(super) fn sent_by_clients(&self) -> impl Iterator<Item = DescribedType> {
        let answers = self.emits.iter().filter_map(|event| event.answer.as_ref()).flat_map(DescribedReply::values);
        self.receives.iter().flat_map(|event| &event.arguments).chain(answers).map(|argument| argument.ty)
    }
}

/// An event that clients send.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) name: &'static str,
    /// The doc comment of the handler.
    pub(crate) doc: &'static str,
    /// The note of the handler's `#[deprecated]`, which may be empty. `None` without it.
    pub(crate) deprecated: Option<&'static str>,
    pub(crate) source: Source,
    #[cfg(feature = "asyncapi")]
    pub(crate) timeout: Timeout,
    pub(crate) arguments: Vec<DescribedArgument>,
    /// Whether the handler takes all arguments without decoding them.
    pub(crate) takes_any: bool,
    /// Whether the handler takes an [`Ack`](crate::Ack), which it may leave unused.
    #[cfg(feature = "asyncapi")]
    pub(crate) takes_ack: bool,
    pub(crate) reply: DescribedReply,
    pub(crate) errors: DescribedErrors,
}

impl Received {
    /// The framework's codes with which the event may be answered, if the client sends what the
    /// contract describes. `of_hub` says whether the settings of the hub allow a code.
    #[cfg(feature = "asyncapi")]
    pub(crate) fn framework_codes(&self, of_hub: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
        FRAMEWORK_CODES.into_iter().filter(move |code| match *code {
            "timeout" if self.timeout != Timeout::OfHub => self.timeout != Timeout::Off,
            // It has a rate limit of its own.
            "rate_limited" if self.name == ReauthenticationRequest::NAME => true,
            code if !of_hub(code) => false,
            "invalid_payload" => self.takes_any || !self.arguments.is_empty(),
            "unanswered" => self.takes_ack,
            // The event has a handler.
            "unknown_event" | "reserved_event" => false,
            _ => true,
        })
    }
}

/// One argument of an event or of an answer.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct DescribedArgument {
    /// The name of the handler's parameter; empty if it has none.
    pub(crate) name: &'static str,
    pub(crate) ty: DescribedType,
    /// Whether clients may omit it.
    pub(crate) optional: bool,
}

impl DescribedArgument {
    /// An argument that the server sends.
    pub(crate) fn sent(ty: DescribedType) -> Self {
        Self { name: "", ty, optional: false }
    }
}

/// The reply to an event.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum DescribedReply {
    /// The reply's arguments, usually none or one.
    Values(Vec<DescribedArgument>),
    /// Any reply, because the handler takes an [`Ack`](crate::Ack), which accepts any value.
    Unknown,
}

impl DescribedReply {
    /// The reply's arguments, as far as they are known.
    #[cfg(feature = "typescript")]
    pub(super) fn values(&self) -> &[DescribedArgument] {
        match self {
            Self::Values(values) => values,
            Self::Unknown => &[],
        }
    }
}

/// The application's error codes of a handler. The framework's codes are added to them.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DescribedErrors {
    /// The handler never fails.
    None,
    /// Any code, because the error type does not implement `ErrorCodes`.
    Any,
    Codes {
        /// The name of the error type, without its path.
        of: Option<&'static str>,
        /// The codes of the error type.
        codes: &'static [&'static str],
        /// The codes of errors from the parameters.
        of_parameters: Vec<&'static str>,
    },
}

impl DescribedErrors {
    /// Adds error codes of the parameters.
    pub(super) fn with(self, of_parameters: Vec<&'static str>) -> Self {
        match self {
            Self::None if !of_parameters.is_empty() => Self::Codes { of: None, codes: &[], of_parameters },
            Self::Codes { of, codes, .. } => Self::Codes { of, codes, of_parameters },
            Self::None | Self::Any => self,
        }
    }

    /// All codes without duplicates; `None` if any code is possible.
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
    /// The note of the payload type's `#[deprecated]`, which may be empty. `None` without it.
    pub(crate) deprecated: Option<&'static str>,
    pub(crate) payload: DescribedType,
    /// The answer that clients must send, if the payload type is a [`Request`](crate::Request).
    pub(crate) answer: Option<DescribedReply>,
}

/// A Rust type, and its form in the exports.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct DescribedType {
    pub(crate) id: TypeId,
    /// Returns the type's name with its path.
    pub(crate) name: fn() -> &'static str,
    /// `None` if it was not described for this export.
    #[cfg(feature = "typescript")]
    pub(crate) typescript: Option<super::typescript::TypeScript>,
    /// `None` if it was not described for this export.
    #[cfg(feature = "asyncapi")]
    pub(crate) schema: Option<super::asyncapi::SchemaSource>,
}

impl DescribedType {
    /// A type without a description for the exports.
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

/// The payload of an event, as a handler's parameters decode it. A custom
/// [`Argument`](crate::Argument) describes its arguments here, in
/// [`describe`](crate::Argument::describe).
#[derive(Debug)]
pub struct DescribedArguments {
    pub(super) names: std::slice::Iter<'static, &'static str>,
    pub(super) arguments: Vec<DescribedArgument>,
    pub(super) codes: Vec<&'static str>,
    pub(crate) takes_ack: bool,
    pub(crate) takes_any: bool,
}

/// A function that describes the payload of a handler.
type Describer = fn(&mut DescribedArguments);

impl DescribedArguments {
    /// A handler function: its payload and its return type.
    #[doc(hidden)]
    pub fn of<F: DescribedFunction<P, M, X>, P, M, X>(_: F, _: Exports<X>) -> (Describer, Returned<F::Returned, X>) {
        (F::describe, Returned(PhantomData))
    }

    /// Adds the payload's next argument. Call a method for each export that includes its type:
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

    /// Adds the payload's next argument, with what the contract's exports `X` require.
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

    /// Adds a code of the parameter's errors. The framework's codes need not be added.
    pub fn error_code(&mut self, code: &'static str) {
        self.codes.push(code);
    }

    pub(super) fn next_parameter(&mut self) {
        self.names.next();
    }
}

/// An argument that was added with [`DescribedArguments::argument`]. Its methods describe it to the
/// exports of contracts.
///
/// Each method has the bounds of its export and requires the feature of the export. An argument
/// without a description for an export may be anything there: `any` in TypeScript, an empty schema
/// in AsyncAPI.
#[derive(Debug)]
pub struct ArgumentDescription<'d, T> {
    argument: Option<&'d mut DescribedArgument>,
    ty: PhantomData<fn() -> T>,
}

impl<T: 'static> ArgumentDescription<'_, T> {
    /// Describes the argument to the TypeScript export.
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

    /// Describes the argument to the AsyncAPI export.
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

    /// The event with which the server asks for a new proof of identity.
    pub(super) fn reauthentication_request() -> Self {
        #[allow(unused_mut, reason = "the exports need features")]
        let mut payload = DescribedType::of::<ReauthenticationRequest>();
        #[cfg(feature = "typescript")]
        payload.set_typescript::<ReauthenticationRequest>();
        #[cfg(feature = "asyncapi")]
        payload.set_schema::<ReauthenticationRequest>();
        let (name, doc) = (ReauthenticationRequest::NAME, ReauthenticationRequest::DOC);
        Self { name, doc, deprecated: None, payload, answer: None }
    }

    /// Describes the event of a payload type, and returns a value that can describe its answer.
    pub fn of<E: Event + Describe<X>, X>(_: Exports<X>) -> (Self, Emits<E, X>) {
        (
            Self { name: E::NAME, doc: E::DOC, deprecated: E::DEPRECATED, payload: E::described(), answer: None },
            Emits(PhantomData),
        )
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
