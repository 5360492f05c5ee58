//! `#[event]` on a function: emits the function and the companion that `events![…]` finds.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute as SynAttribute, Signature, Token, Visibility};

use crate::ack::Ack;
use crate::attribute::{self, Attribute, EventKind};
use crate::errors::{Errors, error};
use crate::extent::Extent;
use crate::signature::{self, Handler, Place};
use crate::{call, checks, conditional, krate, payload};

/// The parts of a function that the macro reads.
struct Function {
    attributes: Vec<SynAttribute>,
    visibility: Visibility,
    signature: Signature,
    body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(SynAttribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if is_type(item.clone()) {
        return payload::expand(arguments, item);
    }
    let Ok(Function { attributes, visibility, signature, body }) = syn::parse2(item.clone()) else {
        let error = error(
            &item,
            "`#[event]` stands above a function, a struct or an enum",
            "write `#[event(\"name\")] fn handler(…) { … }`, or `#[event(\"name\")] struct Payload { … }`",
        )
        .into_compile_error();
        return quote!(#item #error);
    };
    if let Some(variants) = conditional::split(&signature) {
        let variant = |(condition, signature)| {
            expand(arguments.clone(), quote!(#condition #(#attributes)* #visibility #signature #body))
        };
        return variants.map(variant).into_iter().collect();
    }
    let mut errors = Errors::default();
    let attribute = attribute::parse(arguments, &mut errors);
    let handler = signature::read(&signature, &attributes, Place::Free, &mut errors);
    check(&attribute, &handler, &mut errors);
    let conditions = signature::conditions(&attributes);
    // An `impl` cannot contain a companion, and a function can have only one.
    if second_attribute(&attributes, &mut errors) || signature.receiver().is_some() {
        let errors = errors.under(&conditions);
        return quote!(#item #errors);
    }
    let ident = &handler.ident;
    let krate = krate::path();
    let (entry, checks) = match errors.is_empty() {
        true => {
            let checks = checks::of_handler(&attribute, &handler).into_iter().map(|check| check.tokens);
            (call::entry(&attribute, &handler, &ident.to_token_stream(), false), quote!(#(#checks;)*))
        }
        false => (call::stub(&handler), TokenStream::new()),
    };
    let errors = errors.under(&conditions);
    let at = Extent::of(ident).start;
    let companion = quote_spanned!(at=> struct #ident {});
    quote! {
        #item
        #conditions
        #[doc(hidden)]
        #[allow(non_camel_case_types, unreachable_pub)]
        #visibility #companion
        #conditions
        #[allow(deprecated)]
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__private::Unnamed as _;
            #[automatically_derived]
            impl #krate::__private::Companion for #ident {
                const HANDLER: &'static #krate::__private::Handler = &#entry;
            }
            #checks
        };
        #errors
    }
}

/// Whether the item is a type, judged by its first tokens.
fn is_type(item: TokenStream) -> bool {
    fn keyword(input: ParseStream<'_>) -> syn::Result<bool> {
        input.call(SynAttribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let found = input.peek(Token![struct]) || input.peek(Token![enum]) || input.peek(Token![union]);
        input.parse::<TokenStream>()?;
        Ok(found)
    }
    keyword.parse2(item).unwrap_or(false)
}

/// Reports contradictions between an attribute and its function.
pub(crate) fn check(attribute: &Attribute, handler: &Handler, errors: &mut Errors) {
    if let Some(concurrent) = &attribute.concurrent {
        let message = match &attribute.event {
            EventKind::Lifecycle(_) => Some("lifecycle events are always handled in order"),
            _ if !handler.is_async => Some("only an async handler can be `concurrent`"),
            _ => None,
        };
        if let Some(message) = message {
            errors.push(
                concurrent,
                message,
                "leave `concurrent` out, or make the handler an `async fn` for an event with a name",
            );
        }
    }
    if let Some(timeout) = &attribute.timeout {
        let wrong = match &attribute.event {
            EventKind::Lifecycle(lifecycle) if lifecycle.variant == "Connect" => Some((
                "the `connect` handler has the hub's `connect_timeout`",
                "leave `timeout` out, and set `HubBuilder::connect_timeout`",
            )),
            _ if !handler.is_async => Some((
                "only an async handler can have a `timeout`",
                "leave `timeout` out, or make the handler an `async fn`; a function that does not wait can't be ended",
            )),
            _ => None,
        };
        if let Some((message, help)) = wrong {
            errors.push(&timeout.argument, message, help);
        }
    }
    if let (Some(blocking), true) = (&attribute.blocking, handler.is_async) {
        errors.push(
            blocking,
            "only a sync handler can be `blocking`",
            "leave `async` out; or leave `blocking` out, and await blocking work in `tokio::task::spawn_blocking`",
        );
    }
    if let Some(Ack { argument, answer: Some(_) }) = &attribute.ack {
        errors.push(
            argument,
            "a handler answers with what it returns",
            "leave `ack` out and return the answer, or write `#[event(\"name\", ack = Answer)]` above a payload type",
        );
    }
    if let Some(latest) = &attribute.latest {
        errors.push(
            &latest.argument,
            "received events can't be `latest`",
            "leave `latest` out, or write `#[event(\"name\", latest)]` above a payload type that the server emits",
        );
    }
    if matches!(attribute.event, EventKind::Inferred) && handler.parameters.is_empty() {
        errors.push(
            &handler.ident,
            "which event is this the handler of?",
            "write `#[event(\"name\")]`, or take a payload type with a name of its own as the last parameter",
        );
    }
}

/// Reports a second `#[event]` on the same item. An item can have only one companion, which the
/// expansion of the second attribute emits.
pub(crate) fn second_attribute(attributes: &[SynAttribute], errors: &mut Errors) -> bool {
    let second = attributes.iter().find(|attribute| signature::is_event(attribute));
    if let Some(second) = second {
        errors.push(
            second,
            "a second `#[event]`",
            "a handler or payload type has one event: write a function or a type for each",
        );
    }
    second.is_some()
}
