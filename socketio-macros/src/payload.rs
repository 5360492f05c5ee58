//! `#[event("name")]` on a type: the type itself, and that it is a payload type.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::DeriveInput;

use crate::errors::Errors;
use crate::{attribute, krate, signature};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let name = attribute::parse_payload_name(arguments, &mut errors);
    // What the compiler has to say of a broken type it says by itself.
    let Ok(DeriveInput { ident, generics, attrs, .. }) = syn::parse2(item.clone()) else {
        return item;
    };
    let doc = signature::doc(&attrs);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let conditions = attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let krate = krate::path(Span::call_site());
    let errors = errors.into_tokens();
    quote! {
        #item
        #(#conditions)*
        #[automatically_derived]
        impl #impl_generics #krate::Event for #ident #type_generics #where_clause {
            const NAME: &'static str = #name;
            const DOC: &'static str = #doc;
        }
        #errors
    }
}
