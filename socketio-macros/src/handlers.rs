//! `#[handlers]` on an `impl`: emits the `impl` without its `#[event]` attributes, and the table of
//! its handlers.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use std::collections::HashSet;
use syn::{Attribute, GenericParam, ImplItem, ImplItemFn, ItemImpl, Meta, Type};

use crate::attribute::{self, EventKind, Lifecycle, Name};
use crate::checks::{self, Check, require};
use crate::errors::{Errors, error};
use crate::extent::Extent;
use crate::signature::{self, Place, is_event, without_lifetimes};
use crate::{call, conditional, handler, krate};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) else {
        let error = error(
            &item,
            "`#[handlers]` stands above an `impl`",
            "write `#[handlers] impl Chat { #[event(\"name\")] fn handler(&self, …) { … } }`",
        )
        .into_compile_error();
        return quote!(#item #error);
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
    block.items = std::mem::take(&mut block.items).into_iter().flat_map(variants).collect();
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            methods.extend(method(function, &mut errors));
        }
    }
    if methods.is_empty() {
        errors.push(&block.self_ty, "no method here is a handler", "write `#[event(\"name\")]` above those that are");
    }
    check_names(&mut methods, &mut errors);
    let table = table(&block, &methods);
    let errors = errors.into_tokens();
    quote!(#block #table #errors)
}

/// The variants of a handler whose parameters have conditions. All other items stay as they are.
fn variants(item: ImplItem) -> Vec<ImplItem> {
    let function = match item {
        ImplItem::Fn(function) if function.attrs.iter().any(is_event) => function,
        item => return vec![item],
    };
    match conditional::split(&function.sig) {
        None => vec![ImplItem::Fn(function)],
        Some(split) => {
            let variant = |(condition, sig)| {
                let mut variant = ImplItemFn { sig, ..function.clone() };
                variant.attrs.insert(0, condition);
                variants(ImplItem::Fn(variant))
            };
            split.map(variant).into_iter().flatten().collect()
        }
    }
}

/// Renders the `impl` that makes the type an event source.
fn table(block: &ItemImpl, methods: &[Method]) -> TokenStream {
    let krate = krate::path();
    let this = &block.self_ty;
    let (impl_generics, _, where_clause) = block.generics.split_for_impl();
    let predicates = where_clause.map(|clause| &clause.predicates);
    let count = methods.len();
    let slots = (count * 2 + 1).next_power_of_two();
    let entries = methods
        .iter()
        .map(|Method { conditions, entry, .. }| quote!(#conditions #krate::__private::Part::One(&#entry)));
    // Errors about the type itself underline it.
    let Extent { start, .. } = Extent::of(this);
    let begin = quote_spanned!(start=> impl);
    let threads = quote_spanned!(start=> Self: ::core::marker::Send + ::core::marker::Sync + 'static);
    let checked = quote_spanned!(start=> <Self as #krate::bounds::HandlersInOneImpl>::CHECKED);
    let table = quote!(#krate::__private::Shared::<#this, #count, #slots>::TABLE);
    // Checks that depend on the parameters of the `impl` run when its table is built. All others
    // run at once.
    let names = names(block);
    let (inside, outside): (Vec<_>, Vec<_>) = methods.iter().map(|method| method.checks(&names, this)).unzip();
    let (single_inside, single_outside) = match names.is_empty() {
        true => (TokenStream::new(), single_at_once(methods, this, slots)),
        false => ((0..count).map(|at| single(methods, at, &table)).collect(), TokenStream::new()),
    };
    quote! {
        #[allow(deprecated)]
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__private::Unnamed as _;
            #(#outside)*
            #single_outside
            #[automatically_derived]
            #begin #impl_generics #krate::bounds::HandlersInOneImpl for #this
            where
                #threads,
                #predicates
            {
                const PARTS: &'static [#krate::__private::Part] = &[#(#entries),*];

                const CHECKED: () = {
                    #(#inside)*
                    #single_inside
                };

                fn into_mounted(self) -> #krate::__private::MountedEvents {
                    let () = #checked;
                    #krate::__private::MountedEvents::shared(#table.events(), self)
                }
            }
        };
    }
}

/// Renders the checks for duplicate events, with a separate table.
fn single_at_once(methods: &[Method], this: &Type, slots: usize) -> TokenStream {
    let krate = krate::path();
    let count = methods.len();
    let this = without_lifetimes(this);
    let Extent { start, .. } = Extent::of(&this);
    let parts = quote_spanned!(start=> <#this as #krate::bounds::HandlersInOneImpl>::PARTS);
    let single = (0..count).map(|at| single(methods, at, &quote!(TABLE)));
    quote! {
        static TABLE: #krate::__private::Table<#count, #slots> = #krate::__private::Table::build(#parts);
        #(const _: () = #single;)*
    }
}

/// Renders the check that no earlier method handles the event of the method at `at`.
fn single(methods: &[Method], at: usize, table: &TokenStream) -> TokenStream {
    // The position in the table, which excludes methods that a `#[cfg]` removes.
    let before = methods[..at].iter().map(|Method { conditions, .. }| quote!(#conditions ()));
    let Method { conditions, event, ident, .. } = &methods[at];
    let event = match event {
        Some((_, tokens)) => tokens.clone(),
        None => ident.to_token_stream(),
    };
    let single = require(
        event,
        quote!(!#table.is_repeated(AT)),
        "a method above handles the same event\n\nhelp: an event has one handler: give one of them another name, or call \
         both from one",
    );
    quote! {{
        #conditions
        {
            const BEFORE: &[()] = &[#(#before),*];
            const AT: usize = BEFORE.len();
            #single;
        }
    }}
}

/// The names of the type and const parameters of the `impl`.
fn names(block: &ItemImpl) -> Vec<String> {
    let names = block.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(parameter) => Some(parameter.ident.to_string()),
        GenericParam::Const(parameter) => Some(parameter.ident.to_string()),
    });
    names.collect()
}

/// A method that is a handler.
struct Method {
    /// Its `#[cfg]` attributes.
    conditions: TokenStream,
    ident: Ident,
    entry: TokenStream,
    /// The replacement for the entry if another method handles the same event.
    stub: TokenStream,
    checks: Vec<Check>,
    /// The event, if the attribute names it.
    event: Option<(String, TokenStream)>,
}

impl Method {
    /// Renders the checks in two groups: those that depend on the parameters of the `impl`, and all
    /// others.
    fn checks(&self, names: &[String], this: &Type) -> (TokenStream, TokenStream) {
        let this = &without_lifetimes(this);
        let mut inside = TokenStream::new();
        let mut outside = TokenStream::new();
        for check in &self.checks {
            let types = with_self(check.types.clone(), this);
            let tokens = &check.tokens;
            match mentions(&types, names) {
                true => inside.extend(quote!(#tokens;)),
                false => outside.extend(with_self(quote!(#tokens;), this)),
            }
        }
        let conditions = &self.conditions;
        let outside = (!outside.is_empty()).then(|| quote!(#conditions const _: () = { #outside };));
        (quote!(#conditions { #inside }), outside.unwrap_or_default())
    }
}

/// Removes the `#[event]` attribute from a method and renders the handler. `None` if it has no such
/// attribute.
fn method(function: &mut ImplItemFn, errors: &mut Errors) -> Option<Method> {
    let at = function.attrs.iter().position(is_event)?;
    let attribute = function.attrs.remove(at);
    let mut own = Errors::default();
    handler::second_attribute(&function.attrs, &mut own);
    function.attrs.retain(|attribute| !is_event(attribute));
    let attribute = attribute::parse(arguments(&attribute, &mut own), &mut own);
    let handler = signature::read(&function.sig, &function.attrs, Place::Method, &mut own);
    handler::check(&attribute, &handler, &mut own);
    let ident = &handler.ident;
    let stub = call::stub(&handler);
    let (entry, checks) = match own.is_empty() {
        true => {
            (call::entry(&attribute, &handler, &quote!(Self::#ident), true), checks::of_handler(&attribute, &handler))
        }
        false => (stub.clone(), Vec::new()),
    };
    errors.extend(own);
    let event = match &attribute.event {
        EventKind::Name(Name::Text(name)) if name.value().is_empty() => None,
        EventKind::Name(Name::Text(name)) => Some((format!("{:?}", name.value()), name.to_token_stream())),
        EventKind::Name(Name::Constant(_)) => None,
        EventKind::Lifecycle(Lifecycle { word, .. }) | EventKind::Reauthenticate(word) | EventKind::Fallback(word) => {
            Some((word.to_string(), word.to_token_stream()))
        }
        EventKind::Inferred | EventKind::Unknown => None,
    };
    let conditions = signature::conditions(&function.attrs);
    Some(Method { conditions, ident: handler.ident, entry, stub, checks, event })
}

/// The tokens in the brackets of an attribute.
fn arguments(attribute: &Attribute, errors: &mut Errors) -> TokenStream {
    match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) => TokenStream::new(),
        Meta::NameValue(pair) => {
            errors.push(&pair.value, "this is no argument of `#[event]`", "write `#[event(\"name\")]`");
            // The arguments are invalid. A placeholder name prevents inference of the event.
            quote!("unnamed")
        }
    }
}

/// Reports events with two methods, if the attributes name them and neither method has a `#[cfg]`.
fn check_names(methods: &mut [Method], errors: &mut Errors) {
    let mut seen = HashSet::new();
    for method in methods.iter_mut().filter(|method| method.conditions.is_empty()) {
        if let Some((name, tokens)) = &method.event
            && !seen.insert(name.clone())
        {
            errors.push(
                tokens,
                format_args!("a second handler of the event `{}`", name.trim_matches('"')),
                "an event has one handler: give one of them another name, or call both from one",
            );
            // With the stub, the compiler does not report the duplicate again.
            method.entry.clone_from(&method.stub);
        }
    }
}

/// Replaces `Self` by the type, for tokens outside the `impl`.
fn with_self(tokens: TokenStream, this: &Type) -> TokenStream {
    let mut tokens = tokens.into_iter().peekable();
    let mut replaced = TokenStream::new();
    while let Some(token) = tokens.next() {
        let is_path = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
        replaced.extend(match token {
            // In an expression, a type with arguments needs the brackets.
            TokenTree::Ident(ident) if ident == "Self" && is_path => quote!(<#this>),
            TokenTree::Ident(ident) if ident == "Self" => quote!(#this),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_self(group.stream(), this));
                inner.set_span(group.span());
                TokenTree::Group(inner).into()
            }
            token => token.into(),
        });
    }
    replaced
}

/// Whether the tokens contain one of the names.
fn mentions(tokens: &TokenStream, names: &[String]) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.iter().any(|name| ident == name),
        TokenTree::Group(group) => mentions(&group.stream(), names),
        _ => false,
    })
}
