//! `events![…]`: builds one table from many handlers.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Expr, Path, Token};

use crate::errors::Errors;
use crate::extent::Extent;
use crate::{krate, signature};

const FORMS: &str = "write `events![handler, module::handler, ..module::EVENTS]`";

/// An item of a list, with its `#[cfg]` attributes.
pub(crate) struct Item<T> {
    pub(crate) conditions: TokenStream,
    pub(crate) value: T,
}

enum Entry {
    Handler(Path),
    Table(Expr),
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![..]) {
            input.parse::<Token![..]>()?;
            return input.parse().map(Self::Table);
        }
        Path::parse_mod_style(input).map(Self::Handler)
    }
}

impl ToTokens for Entry {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Handler(path) => path.to_tokens(tokens),
            Self::Table(table) => table.to_tokens(tokens),
        }
    }
}

/// Parses each item separately. Invalid items are left out of the table and do not hide other
/// errors.
fn parse(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Vec<Item<Entry>>> {
    let mut items = Vec::new();
    while !input.is_empty() {
        let conditions = conditions(input, errors)?;
        let rest = input.fork();
        match rest.parse::<Entry>() {
            Ok(value) if rest.is_empty() || rest.peek(Token![,]) => {
                input.parse::<Entry>()?;
                items.push(Item { conditions, value });
            }
            _ => {
                let tokens = until_comma(input)?;
                match (tokens.is_empty(), input.is_empty()) {
                    (true, true) => errors.push(conditions, "a handler or a table is missing here", FORMS),
                    (true, false) => {
                        errors.push(input.parse::<Token![,]>()?, "a handler or a table is missing here", FORMS);
                        continue;
                    }
                    (false, _) => errors.push(tokens, "this is no handler and no table", FORMS),
                }
            }
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(items)
}

/// Parses the attributes of an item, which may only be `#[cfg(…)]`.
pub(crate) fn conditions(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<TokenStream> {
    let attributes = input.call(Attribute::parse_outer)?;
    for attribute in attributes.iter().filter(|attribute| !attribute.path().is_ident("cfg")) {
        errors.push(
            attribute,
            "an event has no attributes here but `#[cfg(…)]`",
            "leave it out; a condition is `#[cfg(feature = \"admin\")]`",
        );
    }
    Ok(signature::conditions(&attributes))
}

pub(crate) fn until_comma(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        tokens.extend([input.parse::<proc_macro2::TokenTree>()?]);
    }
    Ok(tokens)
}

pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let parsed = (|input: ParseStream<'_>| parse(input, &mut errors)).parse2(tokens);
    let items = parsed.unwrap_or_else(|error| {
        errors.add(error);
        Vec::new()
    });
    let krate = krate::path();
    let table = table(items.iter().map(|item| with_conditions(item, part(&item.value))));
    let checks = items.iter().enumerate().map(|(at, item)| {
        check(&items[..at], item, "require_single", &missing(&item.value, ELSEWHERE), TokenStream::new())
    });
    let errors = errors.into_tokens();
    quote! {{
        #errors
        #[allow(unused_imports)]
        use #krate::__private::Unnamed as _;
        #table
        #(#checks)*
        TABLE.events()
    }}
}

/// Renders the table of the events in a list, and what is wrong with each item.
pub(crate) fn table(parts: impl Iterator<Item = TokenStream>) -> TokenStream {
    let krate = krate::path();
    quote! {
        const PARTS: &[#krate::__private::Part] = &[#(#parts),*];
        const COUNT: usize = #krate::__private::count(PARTS);
        static TABLE: #krate::__private::Table<COUNT, { #krate::__private::slot_count(COUNT) }> =
            #krate::__private::Table::build(PARTS);
        const VERDICTS: [#krate::__private::Verdict; PARTS.len()] = TABLE.verdicts(PARTS);
    }
}

pub(crate) fn with_conditions<T>(item: &Item<T>, tokens: TokenStream) -> TokenStream {
    let conditions = &item.conditions;
    quote!(#conditions #tokens)
}

/// Renders the check that an item has the right kind and that no earlier item has the same event.
pub(crate) fn check<T: ToTokens>(
    before: &[Item<T>],
    item: &Item<T>,
    require: &str,
    missing: &TokenStream,
    more: TokenStream,
) -> TokenStream {
    let krate = krate::path();
    let Item { conditions, value } = item;
    let position = position(before);
    let at = Extent::of(value);
    let require = Ident::new(require, Span::mixed_site());
    let required = at.call(at.path(quote!(#krate::__private::#require)), quote!(&VERDICTS[AT], #missing));
    quote! {
        #conditions
        const _: () = { #position #required; #more };
    }
}

/// Renders the constant `AT`: the item's position in the table.
pub(crate) fn position<T>(before: &[Item<T>]) -> TokenStream {
    let before = before.iter().map(|Item { conditions, .. }| quote!(#conditions ()));
    quote! {
        const AT: usize = {
            const BEFORE: &[()] = &[#(#before),*];
            BEFORE.len()
        };
    }
}

fn part(entry: &Entry) -> TokenStream {
    let krate = krate::path();
    match entry {
        Entry::Handler(path) => handler(path),
        Entry::Table(table) => quote!({
            const NESTED: #krate::Events = #table;
            #krate::__private::Part::All(NESTED)
        }),
    }
}

/// Renders the part of the table for the handler at a path.
pub(crate) fn handler(path: &Path) -> TokenStream {
    let krate = krate::path();
    // A single name may also be a local function. Only its type can be looked up without ambiguity.
    let found = |companion: TokenStream| {
        let named = quote!(#krate::__private::Named::<#companion>);
        quote! {
            #krate::__private::Part::found(
                #named::HANDLER,
                #krate::__private::NotHandler::of(#named::EVENT, #named::IS_SOURCE),
            )
        }
    };
    if path.get_ident().is_some() {
        return found(path.to_token_stream());
    }
    // The path of a plain function has no companion type. Its import still succeeds, but imports
    // only the value. The type name then resolves to `()` in the outer block, which has no handler,
    // so the check reports the missing attribute.
    let Extent { end, .. } = Extent::of(path);
    let import = quote_spanned!(end=> as __SocketioHandler);
    let part = found(quote!(__SocketioHandler));
    quote! {{
        #[allow(dead_code)]
        type __SocketioHandler = ();
        {
            #[allow(unused_imports)]
            use #path #import;
            #part
        }
    }}
}

/// The error messages for an item that is not a handler: any item, a payload type, and a type with
/// `#[handlers]`. `elsewhere` says where the last two belong.
pub(crate) fn missing(item: impl ToTokens, elsewhere: [&str; 2]) -> TokenStream {
    let path = item.to_token_stream().to_string().replace(' ', "");
    let [payload, source] = elsewhere;
    let any = format!(
        "`{path}` is not an event handler\n\nhelp: write `#[event(\"name\")]` above the function, and name that here"
    );
    let payload = format!(
        "`{path}` is a payload type, and not an event handler\n\nhelp: name the function that takes the payload; {payload}"
    );
    let source = format!("`{path}` is a type with handlers, and not an event handler\n\nhelp: {source}");
    quote!([#any, #payload, #source])
}

const ELSEWHERE: [&str; 2] = [
    "a payload that the server emits needs no table",
    "give the value to the hub, beside the table: `.events(events![…]).events(value)`",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of items and errors.
    fn counts(tokens: TokenStream) -> (usize, usize) {
        let mut errors = Errors::default();
        let items = (|input: ParseStream<'_>| parse(input, &mut errors)).parse2(tokens).expect("errors are collected");
        (items.len(), errors.len())
    }

    #[test]
    fn items_are_paths_and_tables() {
        assert_eq!(counts(quote!()), (0, 0));
        assert_eq!(counts(quote!(a, b::c, ::d::e, ..f::EVENTS, ..G::<u8, u16>::EVENTS,)), (5, 0));
    }

    #[test]
    fn each_invalid_item_is_one_error() {
        assert_eq!(counts(quote!(a, "b", c d, e(), ..f, |g| h, 7, ..)), (2, 6));
        assert_eq!(counts(quote!(,)), (0, 1));
        assert_eq!(counts(quote!(a,, b)), (2, 1));
        assert_eq!(counts(quote!(#[cfg(test)] a, #[inline] b, #[cfg(test)] ..C::D, #[cfg(test)])), (3, 2));
    }
}
