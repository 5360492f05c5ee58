//! Reads a handler's signature. The macros do not parse its body.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericArgument, GenericParam, Lifetime, Lit, Meta, MetaNameValue, Pat,
    PathArguments, ReturnType, Signature, Token, Type,
};

use crate::errors::Errors;

/// The parts of a handler that are rendered.
pub(crate) struct Handler {
    pub(crate) ident: Ident,
    pub(crate) is_async: bool,
    pub(crate) parameters: Vec<Type>,
    /// The name of each parameter; empty for a pattern.
    pub(crate) names: Vec<String>,
    /// Whether the function takes `&self`.
    pub(crate) receiver: bool,
    pub(crate) output: Output,
    pub(crate) doc: String,
    /// The note of its `#[deprecated]`, rendered as an `Option`.
    pub(crate) deprecated: TokenStream,
}

/// The return type of a handler.
pub(crate) enum Output {
    Nothing,
    Type {
        /// With inferred lifetimes.
        ty: Box<Type>,
        /// Whether the type is neither `()` nor `Result<(), E>`; `None` if only the compiler can
        /// tell.
        is_value: Option<bool>,
    },
}

/// Where the function is defined.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Free,
    /// In an `impl` with `#[handlers]`.
    Method,
}

/// Reads a signature and reports everything that handlers must not have.
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
    let mut names = Vec::new();
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
                names.push(name(&typed.pat));
            }
        }
    }
    let output = match &signature.output {
        ReturnType::Type(_, ty) if !is_unit(ty) => {
            // A type with `impl Trait` cannot be named elsewhere, so its tokens decide.
            let is_value = find_impl(ty).map(|_| !is_unit_result(ty));
            Output::Type { ty: Box::new(without_lifetimes(ty)), is_value }
        }
        _ => Output::Nothing,
    };
    Handler {
        ident: signature.ident.clone(),
        is_async: signature.asyncness.is_some(),
        parameters,
        names,
        receiver,
        output,
        doc: doc(attributes),
        deprecated: deprecated(attributes),
    }
}

/// The name of a parameter, without a leading underscore.
fn name(pattern: &Pat) -> String {
    match pattern {
        Pat::Ident(pattern) => pattern.ident.unraw().to_string().trim_start_matches('_').to_owned(),
        _ => String::new(),
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

fn is_unit_result(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            last.ident == "Result"
                && matches!(arguments.args.first(), Some(GenericArgument::Type(first)) if is_unit(first))
        }
        _ => false,
    })
}

/// The first `impl Trait` in the type, at any depth.
fn find_impl(ty: &Type) -> Option<TokenStream> {
    fn find(tokens: TokenStream) -> Option<TokenStream> {
        tokens.into_iter().find_map(|token| match token {
            TokenTree::Ident(ident) if ident == "impl" => Some(ident.into_token_stream()),
            TokenTree::Group(group) => find(group.stream()),
            _ => None,
        })
    }
    find(ty.to_token_stream())
}

/// Replaces all lifetimes by inferred ones, because the type is named where they are not declared.
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

/// The text of the doc comment.
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

/// The note of the attribute `#[deprecated]`, rendered as an `Option`. The note is empty if the
/// attribute has none. The compiler reports wrong forms.
pub(crate) fn deprecated(attributes: &[Attribute]) -> TokenStream {
    let Some(attribute) = attributes.iter().find(|attribute| attribute.path().is_ident("deprecated")) else {
        return quote!(::core::option::Option::None);
    };
    let note = match &attribute.meta {
        Meta::NameValue(pair) => Some(pair.value.to_token_stream()),
        Meta::List(_) => {
            let pairs = attribute.parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated);
            let note = pairs.ok().and_then(|pairs| pairs.into_iter().find(|pair| pair.path.is_ident("note")));
            note.map(|pair| pair.value.to_token_stream())
        }
        Meta::Path(_) => None,
    };
    let note = note.unwrap_or_else(|| quote!(""));
    quote!(::core::option::Option::Some(#note))
}

/// Whether an attribute is `#[event(…)]`, with any path.
pub(crate) fn is_event(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "event")
}

/// The `#[cfg(…)]` attributes of an item, which also apply to the code that is generated for it.
pub(crate) fn conditions(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).map(ToTokens::to_token_stream).collect()
}

#[cfg(test)]
mod tests {
    use syn::{ItemFn, parse_quote};

    use super::*;

    /// The handler and its number of errors.
    fn handler(function: &ItemFn, place: Place) -> (Handler, usize) {
        let mut errors = Errors::default();
        let handler = read(&function.sig, &function.attrs, place, &mut errors);
        (handler, errors.len())
    }

    fn is_value(function: &ItemFn) -> Option<bool> {
        match handler(function, Place::Free).0.output {
            Output::Type { is_value, .. } => is_value,
            Output::Nothing => Some(false),
        }
    }

    #[test]
    fn each_invalid_part_of_a_signature_is_one_error() {
        let function = parse_quote!(
            unsafe fn f<'a, T, const N: usize>(a: &'a T, b: impl Clone, c: Vec<impl Clone>) {}
        );
        assert_eq!(handler(&function, Place::Free).1, 5);
        assert_eq!(
            handler(
                &parse_quote!(
                    fn f<'a>(a: &'a str, b: u32) {}
                ),
                Place::Free
            )
            .1,
            0
        );
    }

    #[test]
    fn only_methods_may_take_self_by_reference() {
        let by_reference = parse_quote!(
            fn f(&self) {}
        );
        assert_eq!(handler(&by_reference, Place::Method).1, 0);
        assert_eq!(handler(&by_reference, Place::Free).1, 1);
        assert_eq!(
            handler(
                &parse_quote!(
                    fn f<'a>(&'a self) {}
                ),
                Place::Method
            )
            .1,
            0
        );
        for function in [
            parse_quote!(
                fn f(self) {}
            ),
            parse_quote!(
                fn f(mut self) {}
            ),
            parse_quote!(
                fn f(&mut self) {}
            ),
            parse_quote!(
                fn f(self: Arc<Self>) {}
            ),
        ] {
            assert_eq!(handler(&function, Place::Method).1, 1, "{}", quote!(#function));
        }
    }

    #[test]
    fn lifetimes_become_inferred() {
        let (handler, _) = handler(
            &parse_quote!(
                fn f<'a>(a: &'a str, b: (A<'a>, B<'static>)) {}
            ),
            Place::Free,
        );
        let parameters: Vec<_> = handler.parameters.iter().map(|ty| quote!(#ty).to_string()).collect();
        assert_eq!(parameters, [quote!(&'_ str).to_string(), quote!((A<'_>, B<'static>)).to_string()]);
    }

    #[test]
    fn the_kind_of_an_impl_trait_reply_is_read_from_its_tokens() {
        assert_eq!(
            is_value(&parse_quote!(
                fn f() {}
            )),
            Some(false)
        );
        assert_eq!(
            is_value(&parse_quote!(
                fn f() -> () {}
            )),
            Some(false)
        );
        assert_eq!(
            is_value(&parse_quote!(
                fn f() -> Answer {}
            )),
            None
        );
        assert_eq!(
            is_value(&parse_quote!(
                fn f() -> impl Serialize {}
            )),
            Some(true)
        );
        assert_eq!(
            is_value(&parse_quote!(
                fn f() -> Result<impl Serialize, E> {}
            )),
            Some(true)
        );
        assert_eq!(
            is_value(&parse_quote!(
                fn f() -> Result<(), impl Into<EventError>> {}
            )),
            Some(false)
        );
    }

    #[test]
    fn doc_comments_lose_only_their_margin() {
        let function: ItemFn = parse_quote! {
            /// One.
            ///
            ///   Two.
            #[inline]
            fn f() {}
        };
        assert_eq!(doc(&function.attrs), "One.\n\n  Two.");
    }
}
