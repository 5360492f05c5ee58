//! Where the compiler points when something is wrong with generated code.
//!
//! It underlines from the first to the last token of an expression, if all of them come from the same place; one token with a
//! span from elsewhere moves the error to the whole attribute. So what checks a type is written with that type's spans.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

/// The first and the last of the tokens that an error about something underlines.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) start: Span,
    pub(crate) end: Span,
}

impl Extent {
    pub(crate) fn of(tokens: impl ToTokens) -> Self {
        let mut spans = tokens.into_token_stream().into_iter().map(|token| token.span());
        let start = spans.next().unwrap_or_else(Span::call_site);
        let end = spans.last().unwrap_or(start);
        // The names in generated code stay the macro's own.
        Self { start: Span::mixed_site().located_at(start), end: Span::mixed_site().located_at(end) }
    }

    /// A path of the macro's own tokens, located here.
    pub(crate) fn path(self, path: TokenStream) -> TokenStream {
        let mut span = self.start;
        let locate = |mut token: TokenTree| {
            token.set_span(span);
            span = self.end;
            token
        };
        path.into_iter().map(locate).collect()
    }

    /// A call whose brackets close here.
    pub(crate) fn call(self, function: TokenStream, arguments: TokenStream) -> TokenStream {
        let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
        arguments.set_span(self.end);
        let arguments = TokenTree::Group(arguments);
        quote!(#function #arguments)
    }

    /// The only field of a local tuple.
    pub(crate) fn field(self, tuple: &str) -> TokenStream {
        let tuple = Ident::new(tuple, self.start);
        quote_spanned!(self.end=> #tuple.0)
    }

    /// A constant that a trait gives to a type of the user's.
    pub(crate) fn constant(self, ty: impl ToTokens, of: &TokenStream, name: &str) -> TokenStream {
        let name = Ident::new(name, self.end);
        let start = quote_spanned!(self.start=> <);
        let end = quote_spanned!(self.end=> >::#name);
        quote!(#start #ty as #of #end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_keep_their_arguments() {
        let extent = Extent::of(quote!(Vec<u32>));
        let call = extent.call(quote!(a::b), quote!(&mut c, d));
        assert_eq!(call.to_string(), quote!(a::b(&mut c, d)).to_string());
    }

    #[test]
    fn constants_are_those_of_the_trait() {
        let ty = quote!(Vec<u32>);
        let constant = Extent::of(&ty).constant(&ty, &quote!(a::B), "C");
        assert_eq!(constant.to_string(), quote!(<Vec<u32> as a::B>::C).to_string());
    }
}
