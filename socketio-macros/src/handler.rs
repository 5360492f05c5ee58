//! `#[event]` on a function: the function itself, and the companion that `events![…]` finds.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute as SynAttribute, Signature, Token, Visibility};

use crate::attribute::{self, Attribute, Subject};
use crate::errors::{Errors, error};
use crate::signature::{Handler, Output, Place, ends, find_impl, read, spanned_path};
use crate::{krate, payload};

/// A function, as far as it is looked at.
struct Function {
    attributes: Vec<SynAttribute>,
    visibility: Visibility,
    signature: Signature,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let function = Self {
            attributes: input.call(SynAttribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
        };
        // The body.
        input.parse::<TokenStream>()?;
        Ok(function)
    }
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if is_type(item.clone()) {
        return payload::expand(arguments, item);
    }
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            let error = error(
                &item,
                "`#[event]` stands above a function, a struct or an enum",
                "write `#[event(\"name\")] fn handler(…) { … }`, or `#[event(\"name\")] struct Payload { … }`",
            )
            .into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let attribute = attribute::parse(arguments, &mut errors);
    let handler = read(&function.signature, &function.attributes, Place::Free, &mut errors);
    let rendered = Rendering::new(&attribute, &handler, &mut errors);
    // A handler with errors of its own still has a companion, but one that does not look at its parameters.
    let is_sound = errors.is_empty();
    let Function { visibility, attributes, .. } = &function;
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let conditions = quote!(#(#conditions)*);
    let ident = &handler.ident;
    let krate = krate::path(Span::call_site());
    let callee = quote!(#ident);
    let value = if is_sound { rendered.value(&callee, None) } else { rendered.stub() };
    let assertions = if is_sound { rendered.assertions() } else { TokenStream::new() };
    let errors = errors.into_tokens();
    quote! {
        #item
        #conditions
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility struct #ident {}
        #conditions
        impl #krate::__private::Companion for #ident {
            const HANDLER: &'static #krate::__private::Handler = &#value;
        }
        #conditions
        const _: () = { #assertions };
        #errors
    }
}

/// Whether the item is a type, as far as its first words say.
fn is_type(item: TokenStream) -> bool {
    fn keyword(input: ParseStream<'_>) -> syn::Result<bool> {
        input.call(SynAttribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let found = input.peek(Token![struct]) || input.peek(Token![enum]) || input.peek(Token![union]);
        input.parse::<TokenStream>()?;
        Ok(found)
    }
    syn::parse::Parser::parse2(keyword, item).unwrap_or(false)
}

/// A handler on its way into the table.
pub(crate) struct Rendering<'a> {
    attribute: &'a Attribute,
    handler: &'a Handler,
    krate: TokenStream,
}

impl<'a> Rendering<'a> {
    pub(crate) fn new(attribute: &'a Attribute, handler: &'a Handler, errors: &mut Errors) -> Self {
        if let Some(concurrent) = &attribute.concurrent {
            let message = match (&attribute.subject, handler.is_async) {
                (Subject::Lifecycle(_), _) => Some("lifecycle events are always handled in order"),
                (_, false) => Some("only an async handler can be `concurrent`"),
                _ => None,
            };
            if let Some(message) = message {
                errors.push(
                    concurrent,
                    message,
                    "leave `concurrent` out, or make an `async fn` for a named event of it",
                );
            }
        }
        if matches!(attribute.subject, Subject::Inferred) && handler.parameters.is_empty() {
            errors.push(
                &handler.ident,
                "which event is this the handler of?",
                "write `#[event(\"name\")]`, or take a payload type with a name of its own as the last parameter",
            );
        }
        Self { attribute, handler, krate: krate::path(Span::call_site()) }
    }

    /// The `Handler` value of a handler that can't be called because it has errors.
    pub(crate) fn stub(&self) -> TokenStream {
        let krate = &self.krate;
        let key = match &self.attribute.subject {
            Subject::Inferred => quote!(#krate::__private::Key::Fallback),
            _ => self.key(),
        };
        quote! {
            #krate::__private::Handler {
                key: #key,
                doc: "",
                call: #krate::__private::Call::Sync(|_| #krate::__private::Outcome::Done),
                concurrent: false,
                needs: &[],
            }
        }
    }

    /// The `Handler` value. `callee` is the function's path; `this` the type that it takes as `self`.
    pub(crate) fn value(&self, callee: &TokenStream, this: Option<&TokenStream>) -> TokenStream {
        let krate = &self.krate;
        let key = self.key();
        let doc = &self.handler.doc;
        let concurrent = self.attribute.concurrent.is_some();
        let call = self.call(callee, this);
        let parameters = &self.handler.parameters;
        quote! {
            {
                #[allow(unused_imports)]
                use #krate::__private::{Named, Unnamed as _};
                #krate::__private::Handler {
                    key: #key,
                    doc: #doc,
                    call: #call,
                    concurrent: #concurrent,
                    needs: &[#(Named::<#parameters>::NEED),*],
                }
            }
        }
    }

    fn key(&self) -> TokenStream {
        let krate = &self.krate;
        match &self.attribute.subject {
            Subject::Name(name) => quote!(#krate::__private::Key::Name(#name)),
            Subject::Lifecycle(variant) => {
                let variant = Ident::new(&variant.to_string(), Span::mixed_site());
                quote!(#krate::__private::Key::Lifecycle(#krate::__private::Lifecycle::#variant))
            }
            Subject::Fallback(_) => quote!(#krate::__private::Key::Fallback),
            Subject::Inferred => match self.handler.parameters.last() {
                Some(payload) => {
                    let event = spanned_path(krate::path, "name_of", payload);
                    quote!(#krate::__private::Key::Name(#event::<#payload>()))
                }
                None => quote!(#krate::__private::Key::Fallback),
            },
        }
    }

    /// How the function is called: its arguments are taken from the event one by one. Their types are not named, but
    /// inferred from the call.
    fn call(&self, callee: &TokenStream, this: Option<&TokenStream>) -> TokenStream {
        let krate = &self.krate;
        let Handler { parameters, is_async, receiver, output, .. } = self.handler;
        let names: Vec<_> =
            (0..parameters.len()).map(|at| format_ident!("argument_{at}", span = Span::mixed_site())).collect();
        let takes = parameters.iter().map(|parameter| self.take(parameter));
        let this = receiver
            .then(|| quote_spanned!(Span::mixed_site()=> #krate::__private::receiver::<#this>(&incoming.this),));
        let (start, end) = match output {
            Output::Type(ty) => ends(ty),
            Output::Nothing => (Span::call_site(), Span::call_site()),
        };
        let wait = is_async.then(|| quote!(.await));
        // The reply's type is what may be wrong with it, so that is where errors about it point.
        let start = Span::mixed_site().located_at(start);
        let end = Span::mixed_site().located_at(end);
        let mut reply = Group::new(Delimiter::Parenthesis, quote_spanned!(start=> reply));
        reply.set_span(end);
        let reply = TokenTree::Group(reply);
        let answer = quote_spanned!(end=> answer);
        let local = Span::mixed_site();
        let body = quote_spanned! {local=>
            'handled: {
                #[allow(unused_imports)]
                use #krate::__private::{FallibleKind as _, ValueKind as _};
                #[allow(unused_mut, unused_variables)]
                let mut arguments = #krate::__private::Arguments::new(&incoming);
                #(
                    let #names = match #takes {
                        ::core::result::Result::Ok(value) => value,
                        ::core::result::Result::Err(error) => {
                            break 'handled #krate::__private::Outcome::Failed(error);
                        }
                    };
                )*
                let reply = #callee(#this #(#names),*) #wait;
                #[allow(clippy::unit_arg)]
                (&#krate::__private::Probe(&reply)).kind().#answer(#reply, &incoming)
            }
        };
        if *is_async {
            let at = Span::mixed_site().located_at(self.handler.ident.span());
            let boxed = quote_spanned!(at=> ::std::boxed::Box::pin);
            quote_spanned! {local=>
                #krate::__private::Call::Async(|incoming| {
                    #boxed(async move {
                        let outcome = #body;
                        (incoming, outcome)
                    })
                })
            }
        } else {
            quote_spanned! {local=>
                #krate::__private::Call::Sync(|incoming| {
                    #body
                })
            }
        }
    }

    fn take(&self, parameter: &syn::Type) -> TokenStream {
        let local = Span::mixed_site();
        match &self.attribute.subject {
            Subject::Lifecycle(variant) => {
                let krate = &self.krate;
                let variant = Ident::new(&variant.to_string(), Span::mixed_site());
                let take = spanned_path(krate::path, "lifecycle_argument", parameter);
                quote_spanned!(local=> #take(#krate::__private::lifecycle::#variant, &mut arguments))
            }
            _ => {
                let take = spanned_path(krate::path, "argument", parameter);
                quote_spanned!(local=> #take(&mut arguments))
            }
        }
    }

    /// Checks that only the types can decide: an `Ack` beside a returned value, a required argument after an optional one.
    pub(crate) fn assertions(&self) -> TokenStream {
        let krate = &self.krate;
        let parameters = &self.handler.parameters;
        let mut assertions = Vec::new();
        if let Output::Type(output) = &self.handler.output {
            let is_value = match find_impl(output) {
                Some(_) => quote!(true),
                None => {
                    let output = crate::signature::without_lifetimes(output);
                    quote!(Named::<#output>::IS_VALUE)
                }
            };
            for parameter in parameters {
                assertions.push(assertion(
                    parameter,
                    quote!(!(Named::<#parameter>::IS_ACK && #is_value)),
                    "a handler that takes an `Ack` answers with that, not with what it returns\n\nhelp: leave the `Ack` out, \
                     or return `()` or `Result<(), E>`",
                ));
            }
        }
        if !matches!(self.attribute.subject, Subject::Lifecycle(_)) {
            for (at, parameter) in parameters.iter().enumerate().skip(1) {
                let before: Vec<_> = parameters[..at].iter().filter(|before| may_be_option(before)).collect();
                if before.is_empty() || may_be_option(parameter) {
                    continue;
                }
                let is_payload = spanned_path(krate::path, "is_payload", parameter);
                assertions.push(assertion(
                    parameter,
                    quote!(!((#(Named::<#before>::IS_OPTION)||*) && #is_payload::<#parameter, _>())),
                    "a required argument after an optional one: a client could never leave that one out\n\nhelp: put the \
                     `Option` arguments last, or make this one an `Option` too",
                ));
            }
        }
        quote! {
            #[allow(unused_imports)]
            use #krate::__private::{Named, Unnamed as _};
            #(#assertions)*
        }
    }
}

/// Whether a type is an `Option`, going by its name: the last word decides for the others.
fn may_be_option(ty: &syn::Type) -> bool {
    matches!(ty, syn::Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

/// A check at compile time that underlines `tokens`.
pub(crate) fn assertion(tokens: impl ToTokens, condition: TokenStream, message: impl ToTokens) -> TokenStream {
    let (start, end) = ends(tokens);
    let start = Span::mixed_site().located_at(start);
    let end = Span::mixed_site().located_at(end);
    let mut arguments = Group::new(Delimiter::Parenthesis, quote!(#condition, "{}", #message));
    arguments.set_span(end);
    let arguments = TokenTree::Group(arguments);
    let assert = quote_spanned!(start=> ::core::assert!);
    quote!(#assert #arguments;)
}
