//! The path of the `socketio` crate in the crate that is being compiled, whatever it is called there.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// `::socketio`.
pub(crate) fn path() -> TokenStream {
    let name = match crate_name("socketio") {
        Ok(FoundCrate::Name(name)) => name,
        // Inside the crate itself, and where no manifest can be found.
        Ok(FoundCrate::Itself) | Err(_) => "socketio".to_owned(),
    };
    let name = Ident::new(&name, Span::mixed_site());
    quote!(::#name)
}
