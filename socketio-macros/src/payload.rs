//! `#[event("name")]` on a type: emits the type and its `Event` implementation, and `Request` if it
//! has an answer.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::attribute::Payload;
use crate::errors::Errors;
use crate::handler::second_attribute;
use crate::{attribute, checks, krate, signature};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    // The compiler reports invalid types itself.
    let Ok(DeriveInput { ident, generics, attrs, data, .. }) = syn::parse2(item.clone()) else {
        return item;
    };
    let Payload { name, answer, latest } = attribute::parse_payload(arguments, &ident, &mut errors);
    if second_attribute(&attrs, &mut errors) {
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    }
    let doc = signature::doc(&attrs);
    let deprecated = signature::deprecated(&attrs);
    let conditions = signature::conditions(&attrs);
    let valid = checks::valid_name(&name).map(|valid| quote!(#conditions const _: () = #valid;));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let krate = krate::path();
    let latest = latest.map(|latest| latest.render(&ident, &data, &krate, &mut errors));
    let errors = errors.into_tokens();
    let request = answer.map(|answer| {
        quote! {
            #conditions
            #[automatically_derived]
            #[allow(deprecated)]
            impl #impl_generics #krate::Request for #ident #type_generics #where_clause {
                type Answer = #answer;
            }
        }
    });
    quote! {
        #item
        #conditions
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #krate::Event for #ident #type_generics #where_clause {
            const NAME: &'static str = #name;
            const DOC: &'static str = #doc;
            const DEPRECATED: ::core::option::Option<&'static str> = #deprecated;
            #latest
        }
        #request
        #valid
        #errors
    }
}
