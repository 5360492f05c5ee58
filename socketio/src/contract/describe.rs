//! What a type needs for a contract to have it: what the exports that are switched on are made from.

/// A type that a contract can describe: an argument, a reply or the payload of an event.
///
/// That is every type, as long as no export asks for more: with the feature `typescript` it derives `ts_rs::TS`, with
/// `asyncapi` `schemars::JsonSchema`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be described in a contract",
    label = "the contract has this type in it",
    note = "help: derive for it what the exports are made from: `ts_rs::TS` for the feature `typescript`, \
            `schemars::JsonSchema` for `asyncapi`"
)]
pub trait Describe: TypeScriptType + SchemaType {}

#[diagnostic::do_not_recommend]
impl<T: TypeScriptType + SchemaType + ?Sized> Describe for T {}

#[cfg(feature = "typescript")]
mod typescript {
    #[doc(hidden)]
    pub trait TypeScriptType: ts_rs::TS {}

    impl<T: ts_rs::TS + ?Sized> TypeScriptType for T {}
}

#[cfg(not(feature = "typescript"))]
mod typescript {
    #[doc(hidden)]
    pub trait TypeScriptType {}

    impl<T: ?Sized> TypeScriptType for T {}
}

#[cfg(feature = "asyncapi")]
mod asyncapi {
    #[doc(hidden)]
    pub trait SchemaType: schemars::JsonSchema {}

    impl<T: schemars::JsonSchema + ?Sized> SchemaType for T {}
}

#[cfg(not(feature = "asyncapi"))]
mod asyncapi {
    #[doc(hidden)]
    pub trait SchemaType {}

    impl<T: ?Sized> SchemaType for T {}
}

use asyncapi::SchemaType;
use typescript::TypeScriptType;
