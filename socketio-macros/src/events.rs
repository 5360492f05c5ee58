//! `events![…]`: builds one table from many handlers.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Expr, Path, Token};

use crate::errors::Errors;
use crate::extent::Extent;
use crate::krate;

const FORMS: &str = "write `events![handler, module::handler, ..module::EVENTS]`";

enum Item {
    Handler(Path),
    Table(Expr),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![..]) {
            input.parse::<Token![..]>()?;
            return input.parse().map(Self::Table);
        }
        Path::parse_mod_style(input).map(Self::Handler)
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Handler(path) => path.to_tokens(tokens),
            Self::Table(table) => table.to_tokens(tokens),
        }
    }
}

/// Parses each item separately. Invalid items are left out of the table and do not hide other
/// errors.
fn parse(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Vec<Item>> {
    let mut items = Vec::new();
    while !input.is_empty() {
        let rest = input.fork();
        match rest.parse::<Item>() {
            Ok(item) if rest.is_empty() || rest.peek(Token![,]) => {
                input.parse::<Item>()?;
                items.push(item);
            }
            _ => {
                let tokens = until_comma(input)?;
                if tokens.is_empty() {
                    errors.push(input.parse::<Token![,]>()?, "a handler or a table is missing here", FORMS);
                    continue;
                }
                errors.push(tokens, "this is no handler and no table", FORMS);
            }
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(items)
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
    let count = items.len();
    let parts = items.iter().map(part);
    let checks = items.iter().enumerate().map(|(at, item)| check(at, item));
    let errors = errors.into_tokens();
    quote! {{
        #errors
        #[allow(unused_imports)]
        use #krate::__private::Unnamed as _;
        const PARTS: [#krate::__private::Part; #count] = [#(#parts),*];
        const COUNT: usize = #krate::__private::count(&PARTS);
        static TABLE: #krate::__private::Table<COUNT, { #krate::__private::slot_count(COUNT) }> =
            #krate::__private::Table::build(&PARTS);
        const VERDICTS: [#krate::__private::Verdict; #count] = TABLE.verdicts(&PARTS);
        #(const _: () = #checks;)*
        TABLE.events()
    }}
}

fn part(item: &Item) -> TokenStream {
    let krate = krate::path();
    match item {
        Item::Handler(path) => handler(path),
        Item::Table(table) => quote!({
            const NESTED: #krate::Events = #table;
            #krate::__private::Part::All(NESTED)
        }),
    }
}

/// Renders the part of the table for the handler at a path.
pub(crate) fn handler(path: &Path) -> TokenStream {
    let krate = krate::path();
    // A single name may also be a local function. Only its type can be looked up without ambiguity.
    let found = |companion: TokenStream| quote!(#krate::__private::Part::found(#krate::__private::Named::<#companion>::HANDLER));
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

/// The error message for an item that is not a handler.
pub(crate) fn missing(item: impl ToTokens) -> String {
    let path = item.to_token_stream().to_string().replace(' ', "");
    format!(
        "`{path}` is not an event handler\n\nhelp: write `#[event(\"name\")]` above the function, and name that here"
    )
}

/// Renders the check that an item is a handler and that its events have no other handler.
fn check(at: usize, item: &Item) -> TokenStream {
    let krate = krate::path();
    let missing = missing(item);
    let at_item = Extent::of(item);
    at_item.call(at_item.path(quote!(#krate::__private::require_single)), quote!(&VERDICTS[#at], #missing))
}

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
    }
}
