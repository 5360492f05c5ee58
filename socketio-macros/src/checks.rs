//! Checks that depend on types. The compiler evaluates them from constants of the types.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Type;

use crate::attribute::{Attribute, EventKind, Name};
use crate::extent::Extent;
use crate::krate;
use crate::signature::{Handler, Output};

/// A check, and the types in it.
pub(crate) struct Check {
    pub(crate) tokens: TokenStream,
    pub(crate) types: TokenStream,
}

/// Renders the checks of one handler.
pub(crate) fn of_handler(attribute: &Attribute, handler: &Handler) -> Vec<Check> {
    let mut checks = Vec::new();
    if let EventKind::Name(name) = &attribute.event {
        checks.extend(valid_name(name).map(|tokens| Check { tokens, types: quote!(#name) }));
    }
    if let Output::Type { ty, is_value } = &handler.output {
        let named = handler.parameters.iter().filter(|parameter| has_name(parameter));
        checks.extend(named.map(|parameter| ack_or_value(parameter, ty, *is_value)));
    }
    // Handlers of lifecycle events have no payload arguments.
    if !matches!(attribute.event, EventKind::Lifecycle(_)) {
        let parameters = &handler.parameters;
        checks.extend(parameters.iter().filter(|parameter| may_be_bytes(parameter)).map(borrowed_bytes));
        checks.extend(parameters.iter().filter(|parameter| has_name(parameter)).map(without_rules));
        checks.extend(
            (1..parameters.len()).filter_map(|at| required_before_optional(&parameters[..at], &parameters[at])),
        );
    }
    checks
}

/// Checks the value of a name that is a constant. A text is checked where it is parsed.
pub(crate) fn valid_name(name: &Name) -> Option<TokenStream> {
    match name {
        Name::Text(_) => None,
        Name::Constant(path) => {
            let krate = krate::path();
            Some(require(
                path,
                quote!(!#krate::__private::is_invalid_name(#path)),
                "clients can't send an event of that name: it is empty or reserved\n\nhelp: choose another name; a lifecycle event \
             is written as a word, `#[event(connect)]`",
            ))
        }
    }
}

/// A handler answers either with its `Ack` or with its return value.
fn ack_or_value(parameter: &Type, output: &Type, is_value: Option<bool>) -> Check {
    let krate = krate::path();
    let is_value = match is_value {
        Some(known) => quote!(#known),
        None => quote!(#krate::__private::Named::<#output>::IS_VALUE),
    };
    let tokens = require(
        parameter,
        quote!(!(#krate::__private::Named::<#parameter>::IS_ACK && #is_value)),
        "a handler that takes an `Ack` answers with that, not with what it returns\n\nhelp: leave the `Ack` out, or return \
         `()` or `Result<(), E>`",
    );
    Check { tokens, types: quote!(#parameter #output) }
}

/// `&[u8]` decodes only from JSON strings, to their text, and never from binary data.
fn borrowed_bytes(parameter: &Type) -> Check {
    let krate = krate::path();
    let tokens = require(
        parameter,
        quote!(!#krate::__private::Named::<#parameter>::IS_BYTES),
        "a payload has no bytes to borrow as `&[u8]`\n\nhelp: take `Binary`, or `Frame<'_>` in `#[event(message)]`",
    );
    Check { tokens, types: quote!(#parameter) }
}

/// The compiler says of a `Valid<T>` without rules only that it is no parameter.
fn without_rules(parameter: &Type) -> Check {
    let krate = krate::path();
    let named = quote!(#krate::__private::Named::<#parameter>);
    let tokens = require(
        parameter,
        quote!(!#named::IS_VALID || #named::HAS_RULES),
        "the payload in `Valid` has no rules\n\nhelp: derive `garde::Validate` for it, beside `serde::Deserialize`; or take it \
         without `Valid`",
    );
    Check { tokens, types: quote!(#parameter) }
}

fn may_be_bytes(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if matches!(*reference.elem, Type::Slice(_))) || has_name(ty)
}

/// A client cannot omit an optional argument if a required argument follows.
fn required_before_optional(before: &[Type], parameter: &Type) -> Option<Check> {
    let before: Vec<_> = before.iter().filter(|before| has_name(before)).collect();
    if before.is_empty() {
        return None;
    }
    let krate = krate::path();
    let tokens = require(
        parameter,
        quote! {
            !((#(#krate::__private::Named::<#before>::IS_OPTION)||*)
                && #krate::__private::Named::<#parameter>::IS_REQUIRED)
        },
        "a required argument after an optional one: a client could never leave that one out\n\nhelp: put the `Option` \
         arguments last, or make this one an `Option` too",
    );
    Some(Check { tokens, types: quote!(#(#before)* #parameter) })
}

/// Whether the type may be one that the checks recognize. Such types may be aliased, but always
/// have a name.
pub(crate) fn has_name(ty: &Type) -> bool {
    matches!(ty, Type::Path(_) | Type::Macro(_) | Type::Paren(_) | Type::Group(_))
}

/// Renders a check whose error underlines `tokens`.
pub(crate) fn require(tokens: impl ToTokens, condition: TokenStream, message: impl ToTokens) -> TokenStream {
    let krate = krate::path();
    let at = Extent::of(tokens);
    at.call(at.path(quote!(#krate::__private::require)), quote!(#condition, #message))
}
