//! `#[handlers]` on an `impl`: the `impl` itself, its `#[event]` attributes taken out, and the table of its handlers.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use std::collections::HashSet;
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Meta, Type};

use crate::attribute::{self, Subject};
use crate::errors::{Errors, error};
use crate::handler::Rendering;
use crate::krate;
use crate::signature::{Place, read};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut block: ItemImpl = match syn::parse2(item.clone()) {
        Ok(block) => block,
        Err(_) => {
            let error = error(
                &item,
                "`#[handlers]` stands above an `impl`",
                "write `#[handlers] impl Chat { #[event(\"name\")] fn handler(&self, …) { … } }`",
            )
            .into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    if !arguments.is_empty() {
        errors.push(&arguments, "`#[handlers]` has no arguments", "write `#[handlers]`");
    }
    if let Some((path, _)) = &block.trait_ {
        errors.push(
            path,
            "the handlers of a type stand in an `impl` of its own",
            "write `#[handlers] impl Chat { … }`",
        );
    }
    let mut methods = Vec::new();
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            methods.extend(method(function, &mut errors));
        }
    }
    if methods.is_empty() {
        errors.push(&block.self_ty, "no method here is a handler", "write `#[event(\"name\")]` above those that are");
    }
    check_names(&methods, &mut errors);
    let this = &block.self_ty;
    let (impl_generics, _, where_clause) = block.generics.split_for_impl();
    let predicates = where_clause.map(|clause| &clause.predicates);
    let krate = krate::path(Span::call_site());
    let count = methods.len();
    let slots = (count * 2 + 1).next_power_of_two();
    let conditions = methods.iter().map(|method| &method.conditions);
    let values = methods.iter().map(|method| &method.value);
    // In an `impl` with parameters the checks are made when its table is, else at once.
    let is_generic = block.generics.type_params().next().is_some() || block.generics.const_params().next().is_some();
    let checks = methods.iter().map(|Method { conditions, checks, .. }| quote!(#conditions { #checks }));
    let checks = quote!(#(#checks)*);
    let (inside, outside) = match is_generic {
        true => (checks, TokenStream::new()),
        false => (TokenStream::new(), with_self(checks, this)),
    };
    let errors = errors.into_tokens();
    quote! {
        #block
        const _: () = {
            #outside
            #[automatically_derived]
            impl #impl_generics #krate::__private::Methods<#count, #slots> for #this
            where
                Self: ::core::marker::Send + ::core::marker::Sync + 'static,
                #predicates
            {
                const PARTS: &'static [#krate::__private::Part] = {
                    #inside
                    &[#(#conditions #krate::__private::Part::One(&#values)),*]
                };
            }
            #[automatically_derived]
            impl #impl_generics #krate::EventSource for #this
            where
                Self: ::core::marker::Send + ::core::marker::Sync + 'static,
                #predicates
            {
                fn into_mounted(self) -> #krate::__private::MountedEvents {
                    #krate::__private::methods::<Self, #count, #slots>(self)
                }
            }
        };
        #errors
    }
}

/// A method that is a handler.
struct Method {
    /// Its `#[cfg]` attributes.
    conditions: TokenStream,
    value: TokenStream,
    checks: TokenStream,
    /// The event, if it is written here.
    event: Option<(String, TokenStream)>,
}

/// Takes the `#[event]` off a method and renders it; `None` if it has none.
fn method(function: &mut ImplItemFn, errors: &mut Errors) -> Option<Method> {
    let at = function.attrs.iter().position(is_event)?;
    let attribute = function.attrs.remove(at);
    let arguments = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) => TokenStream::new(),
        Meta::NameValue(pair) => {
            errors.push(pair, "this is no argument of `#[event]`", "write `#[event(\"name\")]`");
            return None;
        }
    };
    let mut own = Errors::default();
    let attribute = attribute::parse(arguments, &mut own);
    let handler = read(&function.sig, &function.attrs, Place::Method, &mut own);
    let rendering = Rendering::new(&attribute, &handler, &mut own);
    let conditions = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let conditions = conditions.map(ToTokens::to_token_stream).collect();
    let ident = &handler.ident;
    let (value, checks) = if own.is_empty() {
        (rendering.value(&quote!(Self::#ident), Some(&quote!(Self))), rendering.assertions())
    } else {
        (rendering.stub(), TokenStream::new())
    };
    errors.extend(own);
    let event = match &attribute.subject {
        Subject::Name(name) => Some((name.value(), name.to_token_stream())),
        Subject::Lifecycle(word) | Subject::Fallback(word) => Some((format!("#{word}"), word.to_token_stream())),
        Subject::Inferred => None,
    };
    Some(Method { conditions, value, checks, event })
}

/// Notes events that two methods handle, as far as their names are written here and both are always there.
fn check_names(methods: &[Method], errors: &mut Errors) {
    let mut seen = HashSet::new();
    for method in methods.iter().filter(|method| method.conditions.is_empty()) {
        if let Some((name, tokens)) = &method.event
            && !seen.insert(name)
        {
            let name = name.trim_start_matches('#');
            errors.push(
                tokens,
                format_args!("a second handler of the event `{name}`"),
                "an event has one handler: give one of them another name, or call both from one",
            );
        }
    }
}

fn is_event(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "event")
}

/// The tokens with `Self` spelled out, for where there is none.
fn with_self(tokens: TokenStream, this: &Type) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => quote!(#this),
        TokenTree::Group(group) => {
            let mut replaced = Group::new(group.delimiter(), with_self(group.stream(), this));
            replaced.set_span(group.span());
            TokenTree::Group(replaced).into()
        }
        token => token.into(),
    };
    tokens.into_iter().map(replace).collect()
}
