//! The path of the `socketio` crate in the crate that is being compiled, whatever it is called there.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

/// `::socketio`, located at `span` for the errors that a use of it may cause.
pub(crate) fn path(span: Span) -> TokenStream {
    let name = match crate_name("socketio") {
        Ok(FoundCrate::Name(name)) => name,
        // Inside the crate itself, and where no manifest can be found.
        Ok(FoundCrate::Itself) | Err(_) => "socketio".to_owned(),
    };
    let span = Span::mixed_site().located_at(span);
    let name = Ident::new(&name, span);
    quote_spanned!(span=> ::#name)
}
