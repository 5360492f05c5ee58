//! The path of the `socketio` crate in the crate that is being compiled, which may have renamed it.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use std::cell::RefCell;
use std::ffi::OsString;

thread_local! {
    /// The last package and the crate's name in it, cached because the lookup takes longer than all
    /// other work of a macro.
    static LAST: RefCell<Option<(OsString, String)>> = const { RefCell::new(None) };
}

/// `::socketio`.
pub(crate) fn path() -> TokenStream {
    let name = Ident::new(&name(), Span::mixed_site());
    quote!(::#name)
}

fn name() -> String {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    LAST.with_borrow_mut(|last| match last {
        Some((known, name)) if *known == package => name.clone(),
        _ => {
            let name = find();
            *last = Some((package, name.clone()));
            name
        }
    })
}

fn find() -> String {
    match crate_name("socketio") {
        Ok(FoundCrate::Name(name)) => name,
        // Inside the crate itself, or without a manifest.
        Ok(FoundCrate::Itself) | Err(_) => "socketio".to_owned(),
    }
}
