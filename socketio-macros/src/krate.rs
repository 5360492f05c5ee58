//! The path of the `socketio` crate in the crate that is being compiled, whatever it is called there.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use std::cell::RefCell;
use std::ffi::OsString;

thread_local! {
    /// The package that was asked about last, and the name. Asking takes longer than all else that a macro does.
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
        // Inside the crate itself, and where no manifest can be found.
        Ok(FoundCrate::Itself) | Err(_) => "socketio".to_owned(),
    }
}
