//! A handler's signature: what the macros know of a function. Its body stays as it is.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit_mut::VisitMut;
use syn::{Attribute, Expr, ExprLit, FnArg, GenericParam, Lifetime, Lit, Meta, ReturnType, Signature, Type};

use crate::errors::Errors;

/// Everything that is rendered of a handler.
pub(crate) struct Handler {
    pub(crate) ident: Ident,
    pub(crate) is_async: bool,
    pub(crate) parameters: Vec<Type>,
    /// Whether the function takes `&self`.
    pub(crate) receiver: bool,
    pub(crate) output: Output,
    pub(crate) doc: String,
}

/// What a handler returns.
pub(crate) enum Output {
    Nothing,
    Type(Type),
}

/// Where the function stands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Free,
    /// In a `#[handlers] impl`.
    Method,
}

/// Looks at a signature, and notes everything that no handler can have.
pub(crate) fn read(signature: &Signature, attributes: &[Attribute], place: Place, errors: &mut Errors) -> Handler {
    for parameter in &signature.generics.params {
        let (kind, help) = match parameter {
            GenericParam::Lifetime(_) => continue,
            GenericParam::Type(_) => ("type", "name the type: a handler is called with what the event carries"),
            GenericParam::Const(_) => ("const", "name the value: nothing else could say what it is"),
        };
        errors.push(parameter, format_args!("a handler can't have {kind} parameters"), help);
    }
    if let Some(variadic) = &signature.variadic {
        errors.push(variadic, "a handler can't be variadic", "take the arguments one by one");
    }
    if !matches!(signature.safety, syn::Safety::Default) {
        errors.push(&signature.safety, "a handler can't be unsafe", "make the function safe");
    }
    let mut receiver = false;
    let mut parameters = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(_) if place == Place::Free => errors.push(
                input,
                "a handler on `self` stands in a `#[handlers] impl`",
                "write `#[handlers]` above the `impl`, and `#[event(…)]` above its methods",
            ),
            FnArg::Receiver(_) => {
                receiver = true;
                if !is_shared_self(input) {
                    errors.push(input, "handlers share `self`", "take `&self`");
                }
            }
            FnArg::Typed(typed) => {
                if let Some(token) = find_impl(&typed.ty) {
                    errors.push(
                        &token,
                        "a handler's parameters have named types",
                        "name the type: a handler is called with what the event carries",
                    );
                }
                parameters.push(without_lifetimes(&typed.ty));
            }
        }
    }
    let output = match &signature.output {
        ReturnType::Type(_, ty) if !is_unit(ty) => Output::Type((**ty).clone()),
        _ => Output::Nothing,
    };
    Handler {
        ident: signature.ident.clone(),
        is_async: signature.asyncness.is_some(),
        parameters,
        receiver,
        output,
        doc: doc(attributes),
    }
}

fn is_shared_self(input: &FnArg) -> bool {
    let tokens: Vec<_> = input.to_token_stream().into_iter().collect();
    let begins = matches!(tokens.first(), Some(TokenTree::Punct(and)) if and.as_char() == '&');
    let ends = matches!(tokens.last(), Some(TokenTree::Ident(ident)) if ident == "self");
    let is_mut = tokens.iter().any(|token| matches!(token, TokenTree::Ident(ident) if ident == "mut"));
    begins && ends && !is_mut
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The `impl` of an `impl Trait`, wherever it stands in the type.
pub(crate) fn find_impl(ty: &Type) -> Option<TokenStream> {
    fn find(tokens: TokenStream) -> Option<TokenStream> {
        tokens.into_iter().find_map(|token| match token {
            TokenTree::Ident(ident) if ident == "impl" => Some(ident.into_token_stream()),
            TokenTree::Group(group) => find(group.stream()),
            _ => None,
        })
    }
    find(ty.to_token_stream())
}

/// The type with the function's own lifetimes left to be inferred: it is named outside the function.
pub(crate) fn without_lifetimes(ty: &Type) -> Type {
    struct Erase;
    impl VisitMut for Erase {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime.ident != "static" {
                lifetime.ident = Ident::new("_", lifetime.ident.span());
            }
        }
    }
    let mut ty = ty.clone();
    Erase.visit_type_mut(&mut ty);
    ty
}

/// The doc comment.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n")
}

/// `path::name`, underlining all of `tokens` in errors about it.
pub(crate) fn spanned_path(krate: impl Fn(Span) -> TokenStream, name: &str, tokens: impl ToTokens) -> TokenStream {
    let (start, end) = ends(tokens);
    let krate = krate(start);
    let end = Span::mixed_site().located_at(end);
    let name = Ident::new(name, end);
    let rest = quote_spanned!(end=> ::__private::#name);
    quote!(#krate #rest)
}

/// The spans of the first and the last of `tokens`.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.into_token_stream().into_iter().map(|token| token.span());
    let start = spans.next().unwrap_or_else(Span::call_site);
    (start, spans.last().unwrap_or(start))
}
