//! `#[cfg]` on a handler's parameter. The arguments of a call can't have conditions, so the macros
//! write the function twice: with the parameter, and without it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, Meta, Signature, Token, parse_quote};

/// Splits a function at its first parameter with a condition. `None` if no parameter has one.
pub(crate) fn split(signature: &Signature) -> Option<[(Attribute, Signature); 2]> {
    let is_condition = |attribute: &Attribute| attribute.path().is_ident("cfg");
    let (at, conditions) = signature.inputs.iter().enumerate().find_map(|(at, input)| match input {
        FnArg::Typed(typed) if typed.attrs.iter().any(is_condition) => {
            Some((at, typed.attrs.iter().filter(|attribute| is_condition(attribute)).filter_map(condition).collect()))
        }
        _ => None,
    })?;
    let conditions: Punctuated<TokenStream, Token![,]> = conditions;
    let condition = if conditions.len() == 1 { quote!(#conditions) } else { quote!(all(#conditions)) };
    let mut with = signature.clone();
    if let Some(FnArg::Typed(typed)) = with.inputs.iter_mut().nth(at) {
        typed.attrs.retain(|attribute| !is_condition(attribute));
    }
    let mut without = signature.clone();
    without.inputs =
        signature.inputs.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, input)| input.clone()).collect();
    Some([(parse_quote!(#[cfg(#condition)]), with), (parse_quote!(#[cfg(not(#condition))]), without)])
}

/// The condition in `#[cfg(…)]`.
fn condition(attribute: &Attribute) -> Option<TokenStream> {
    match &attribute.meta {
        Meta::List(list) => Some(list.tokens.clone()),
        Meta::Path(_) | Meta::NameValue(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::ItemFn;

    #[test]
    fn a_parameter_with_a_condition_is_there_or_not() {
        let function: ItemFn = parse_quote!(
            fn f(
                a: A,
                #[cfg(x)]
                #[allow(unused)]
                #[cfg(y)]
                b: B,
                #[cfg(z)] c: C,
            ) {
            }
        );
        let [(on, with), (off, without)] = split(&function.sig).expect("a parameter has conditions");
        let text = |condition: &Attribute, signature: &Signature| {
            quote!(#condition #signature).to_string().replace(" ,)", ")")
        };
        let expected = quote!(#[cfg(all(x, y))] fn f(a: A, #[allow(unused)] b: B, #[cfg(z)] c: C));
        assert_eq!(text(&on, &with), expected.to_string());
        let expected = quote!(#[cfg(not(all(x, y)))] fn f(a: A, #[cfg(z)] c: C));
        assert_eq!(text(&off, &without), expected.to_string());
        assert!(split(&with).is_some());
        let [_, (_, without)] = split(&without).expect("another parameter has a condition");
        assert!(split(&without).is_none());
    }
}
