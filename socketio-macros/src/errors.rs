//! Collects errors, so that a macro reports all errors of an item at once.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use std::fmt::Display;

#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds an error that underlines `tokens`. `help` shows the accepted form.
    pub(crate) fn push(&mut self, tokens: impl ToTokens, message: impl Display, help: impl Display) {
        self.add(error(tokens, message, help));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }

    pub(crate) fn extend(&mut self, others: Self) {
        if let Some(others) = others.0 {
            self.add(others);
        }
    }

    /// Renders the errors of an item that has these `#[cfg]` attributes.
    pub(crate) fn under(self, conditions: &TokenStream) -> TokenStream {
        match self.is_empty() || conditions.is_empty() {
            true => self.into_tokens(),
            false => {
                let errors = self.into_tokens();
                quote!(#conditions const _: () = { #errors };)
            }
        }
    }

    /// Renders the errors as items beside the user's own.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.map(syn::Error::into_compile_error).unwrap_or_default()
    }
}

pub(crate) fn error(tokens: impl ToTokens, message: impl Display, help: impl Display) -> syn::Error {
    syn::Error::new_spanned(tokens, format!("{message}\n\nhelp: {help}"))
}
