//! `events![…]`: one table of many handlers.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Path, Token};

use crate::errors::error;
use crate::handler::assertion;
use crate::krate;
use crate::signature::spanned_path;

enum Item {
    Handler(Path),
    Table(Expr),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![..]) {
            input.parse::<Token![..]>()?;
            return Ok(Self::Table(input.parse()?));
        }
        let begin = input.fork();
        input.parse().map(Self::Handler).map_err(|_| {
            error(
                begin.parse::<proc_macro2::TokenTree>().ok(),
                "this is no handler and no table",
                "write `events![handler, module::handler, ..module::EVENTS]`",
            )
        })
    }
}

pub(crate) fn expand(items: TokenStream) -> TokenStream {
    let krate = krate::path(Span::call_site());
    let items = match syn::parse::Parser::parse2(Punctuated::<Item, Token![,]>::parse_terminated, items) {
        Ok(items) => items,
        Err(error) => {
            let error = error.into_compile_error();
            // An empty table keeps everything around it going.
            return quote!({ #error; #krate::__private::EMPTY });
        }
    };
    let parts = items.iter().map(|item| match item {
        Item::Handler(path) => {
            let handler = spanned_path(krate::path, "handler_of", path);
            quote!(#krate::__private::Part::One(#handler::<#path>()))
        }
        Item::Table(table) => quote!(#krate::__private::Part::All(#table)),
    });
    let checks = items.iter().enumerate().map(|(at, item)| {
        let message = quote! {{
            const REPEATED: &str = match TABLE.repeated_in(PARTS, #at) {
                ::core::option::Option::Some(name) => name,
                ::core::option::Option::None => "",
            };
            const MESSAGE: [u8; #krate::__private::repeated_length(REPEATED)] =
                #krate::__private::repeated_message(REPEATED);
            #krate::__private::text(&MESSAGE)
        }};
        let tokens = match item {
            Item::Handler(path) => quote!(#path),
            Item::Table(table) => quote!(#table),
        };
        let condition = quote!(TABLE.repeated_in(PARTS, #at).is_none());
        assertion(tokens, condition, message)
    });
    quote! {{
        const PARTS: &[#krate::__private::Part] = &[#(#parts),*];
        const COUNT: usize = #krate::__private::count(PARTS);
        static TABLE: #krate::__private::Table<COUNT, { #krate::__private::slot_count(COUNT) }> =
            #krate::__private::Table::build(PARTS);
        #(const _: () = #checks)*
        TABLE.events()
    }}
}
