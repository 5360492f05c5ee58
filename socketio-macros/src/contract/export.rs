//! Parses `#[export(typescript, asyncapi)]` above a contract's name.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token, parse_quote};

use crate::errors::Errors;

const FORM: &str = "write `#[export(typescript, asyncapi)]`, or one of the two";

/// The exports of a contract.
#[derive(Default)]
pub(crate) struct Exports {
    pub(crate) typescript: Option<Export>,
    pub(crate) asyncapi: Option<Export>,
}

/// One export, with an optional condition.
pub(crate) struct Export {
    /// The word that the user wrote.
    pub(crate) word: Ident,
    /// The condition of the surrounding `#[cfg_attr(…)]`.
    condition: Option<Meta>,
}

impl Export {
    /// The condition as an attribute.
    pub(crate) fn condition(&self) -> Option<TokenStream> {
        self.condition.as_ref().map(|condition| quote!(#[cfg(#condition)]))
    }
}

/// Removes the exports from a contract's attributes, including `#[cfg_attr(condition, export(…))]`.
pub(crate) fn take(attributes: Vec<Attribute>, errors: &mut Errors) -> (Exports, Vec<Attribute>) {
    let mut exports = Exports::default();
    let kept = attributes.into_iter().filter_map(|attribute| match &attribute.meta {
        meta if meta.path().is_ident("export") => {
            exports.add(meta, None, errors);
            None
        }
        Meta::List(list) if list.path.is_ident("cfg_attr") => {
            let Ok(metas) = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone()) else {
                return Some(attribute);
            };
            let mut metas = metas.into_iter();
            let condition = metas.next()?;
            let others = metas.filter(|meta| match meta.path().is_ident("export") {
                true => {
                    exports.add(meta, Some(&condition), errors);
                    false
                }
                false => true,
            });
            let others: Vec<_> = others.collect();
            (!others.is_empty()).then(|| parse_quote!(#[cfg_attr(#condition, #(#others),*)]))
        }
        _ => Some(attribute),
    });
    let kept = kept.collect();
    (exports, kept)
}

impl Exports {
    fn add(&mut self, meta: &Meta, condition: Option<&Meta>, errors: &mut Errors) {
        let words = match meta {
            Meta::List(list) => words.parse2(list.tokens.clone()).ok().filter(|words| !words.is_empty()),
            Meta::Path(_) | Meta::NameValue(_) => None,
        };
        let Some(words) = words else {
            errors.push(meta, "an export is missing, or no word", FORM);
            return;
        };
        for word in words {
            let export = match &*word.to_string() {
                "typescript" => &mut self.typescript,
                "asyncapi" => &mut self.asyncapi,
                other => {
                    errors.push(&word, format_args!("there is no export `{other}`"), FORM);
                    continue;
                }
            };
            match export {
                Some(_) => {
                    errors.push(&word, format_args!("the export `{word}` is here twice"), "leave one of them out");
                }
                None => *export = Some(Export { word, condition: condition.cloned() }),
            }
        }
    }
}

fn words(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    Ok(Punctuated::<Ident, Token![,]>::parse_terminated(input)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;

    /// The conditions of the two exports, the remaining attributes, and the number of errors.
    fn taken(attributes: TokenStream) -> ([Option<String>; 2], String, usize) {
        let mut errors = Errors::default();
        let attributes = Attribute::parse_outer.parse2(attributes).expect("attributes");
        let (exports, kept) = take(attributes, &mut errors);
        let condition =
            |export: Export| export.condition.map(|meta| meta.to_token_stream().to_string()).unwrap_or_default();
        let kept = quote!(#(#kept)*).to_string().replace(' ', "");
        ([exports.typescript, exports.asyncapi].map(|export| export.map(condition)), kept, errors.len())
    }

    #[test]
    fn exports_are_removed_from_the_attributes() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(taken(quote!(#[derive(PartialEq)])), ([None, None], "#[derive(PartialEq)]".to_owned(), 0));
        assert_eq!(taken(quote!(#[export(typescript, asyncapi,)])), ([some(""), some("")], String::new(), 0));
        let conditional = quote!(#[export(typescript)] #[cfg_attr(test, export(asyncapi), inline)]);
        assert_eq!(taken(conditional), ([some(""), some("test")], "#[cfg_attr(test,inline)]".to_owned(), 0));
    }

    #[test]
    fn each_invalid_export_is_one_error() {
        for (attributes, count) in [
            (quote!(#[export]), 1),
            (quote!(#[export()]), 1),
            (quote!(#[export = "typescript"]), 1),
            (quote!(#[export("typescript")]), 1),
            (quote!(#[export(python, typescript, typescript, ruby)]), 3),
        ] {
            assert_eq!(taken(attributes.clone()).2, count, "{attributes}");
        }
    }
}
