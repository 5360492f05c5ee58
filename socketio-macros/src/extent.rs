//! Chooses the tokens that compile errors in generated code underline.
//!
//! The compiler underlines an expression from its first to its last token. If one token has a span
//! from elsewhere, the error moves to the whole attribute. A check of a type is therefore rendered
//! with the spans of that type.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

/// The spans of the first and the last token that an error underlines.
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
        // `mixed_site` keeps the generated names hygienic.
        Self { start: Span::mixed_site().located_at(start), end: Span::mixed_site().located_at(end) }
    }

    /// Renders a path of generated tokens at this location.
    pub(crate) fn path(self, path: TokenStream) -> TokenStream {
        let mut span = self.start;
        let locate = |mut token: TokenTree| {
            token.set_span(span);
            span = self.end;
            token
        };
        path.into_iter().map(locate).collect()
    }

    /// Renders a call whose closing bracket is at this location.
    pub(crate) fn call(self, function: TokenStream, arguments: TokenStream) -> TokenStream {
        let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
        arguments.set_span(self.end);
        let arguments = TokenTree::Group(arguments);
        quote!(#function #arguments)
    }

    /// Renders the only field of a local tuple.
    pub(crate) fn field(self, tuple: &str) -> TokenStream {
        let tuple = Ident::new(tuple, self.start);
        quote_spanned!(self.end=> #tuple.0)
    }

    /// Renders a trait's associated constant for the user's type.
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
    fn constants_name_the_type_and_the_trait() {
        let ty = quote!(Vec<u32>);
        let constant = Extent::of(&ty).constant(&ty, &quote!(a::B), "C");
        assert_eq!(constant.to_string(), quote!(<Vec<u32> as a::B>::C).to_string());
    }
}
