//! `#[derive(ErrorCodes)]`: gives each variant of an error a code for clients.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Data, DeriveInput, Fields, Ident, LitStr};

use crate::errors::Errors;
use crate::krate;

/// The codes that the framework itself answers with. An application's error with such a code could
/// not be told apart. A test compares this list with that of the runtime, which does not use
/// `overloaded` yet.
pub(crate) const FRAMEWORK_CODES: [&str; 9] = [
    "invalid_payload",
    "unknown_event",
    "reserved_event",
    "rate_limited",
    "overloaded",
    "timeout",
    "unanswered",
    "handler_error",
    "internal",
];

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    // The compiler reports invalid types itself.
    let Ok(DeriveInput { ident, generics, attrs, data, .. }) = syn::parse2(item) else {
        return TokenStream::new();
    };
    // The pattern and the code of each variant.
    let mut coded = Vec::new();
    match &data {
        Data::Struct(data) => {
            no_code_in(&data.fields, &mut errors);
            coded.push((quote!(_), code_of(&ident, &ident, &attrs, &mut errors)));
        }
        Data::Enum(data) => {
            no_code(&attrs, "the variants of an enum have codes, and the enum has none", &mut errors);
            for variant in &data.variants {
                no_code_in(&variant.fields, &mut errors);
                let name = &variant.ident;
                coded.push((quote!(#ident::#name { .. }), code_of(name, &ident, &variant.attrs, &mut errors)));
            }
        }
        Data::Union(_) => {
            errors.push(&ident, "nobody knows which field of a union is set", "make it an `enum` or a `struct`");
            return errors.into_tokens();
        }
    }
    let mut codes: Vec<&LitStr> = Vec::new();
    for (_, code) in &coded {
        if !codes.iter().any(|known| known.value() == code.value()) {
            codes.push(code);
        }
    }
    let cases = coded.iter().map(|(pattern, code)| quote!(#pattern => #code));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let krate = krate::path();
    // This cast makes the compiler report a missing `Display` at the type.
    let shown = quote_spanned!(ident.span()=> &error as &dyn ::core::fmt::Display);
    let converted = if coded.is_empty() {
        quote!(match error {})
    } else {
        quote! {
            let message = ::std::string::ToString::to_string(#shown);
            Self::new(match error { #(#cases),* }, message)
        }
    };
    let errors = errors.into_tokens();
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #krate::ErrorCodes for #ident #type_generics #where_clause {
            const CODES: &'static [&'static str] = &[#(#codes),*];
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics ::core::convert::From<#ident #type_generics> for #krate::EventError #where_clause {
            fn from(error: #ident #type_generics) -> Self {
                #converted
            }
        }
        #errors
    }
}

/// The code of a variant or struct: the text in `#[code("…")]`, or the name in `snake_case`.
fn code_of(name: &Ident, ty: &Ident, attributes: &[Attribute], errors: &mut Errors) -> LitStr {
    let mut code: Option<LitStr> = None;
    for attribute in codes_in(attributes) {
        let form = format!("write `#[code(\"{}\")]`", snake_case(name));
        match attribute.parse_args::<LitStr>() {
            Ok(text) if text.value().is_empty() => errors.push(text, "a code can't be empty", form),
            Ok(text) if code.is_some() => errors.push(text, "a second code", "an error has one: write it once"),
            Ok(text) => code = Some(text),
            Err(_) => errors.push(attribute, "a code is a string", form),
        }
    }
    let code = code.unwrap_or_else(|| LitStr::new(&snake_case(name), name.span()));
    let text = code.value();
    if FRAMEWORK_CODES.contains(&text.as_str()) {
        let ty = snake_case(ty);
        let own = match ty.trim_end_matches("_error") {
            ty if ty == text => format!("own_{text}"),
            ty => format!("{ty}_{text}"),
        };
        errors.push(
            &code,
            format_args!("`{text}` is a code of the framework: clients could not tell the two errors apart"),
            format_args!("give this error another code: `#[code(\"{own}\")]`"),
        );
    }
    code
}

/// Converts a name as serde does: each capital letter begins a word.
fn snake_case(name: &Ident) -> String {
    let mut snake = String::new();
    for letter in name.to_string().trim_start_matches("r#").chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn codes_in(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("code"))
}

/// Reports `#[code]` attributes on fields.
fn no_code_in(fields: &Fields, errors: &mut Errors) {
    for field in fields {
        no_code(&field.attrs, "a field has no code", errors);
    }
}

/// Reports `#[code]` attributes where none is allowed.
fn no_code(attributes: &[Attribute], message: &str, errors: &mut Errors) {
    for attribute in codes_in(attributes) {
        errors.push(attribute, message, "write it above a variant, or above a struct");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;

    #[test]
    fn default_codes_are_names_in_snake_case() {
        for (name, code) in
            [("NoSuchUser", "no_such_user"), ("Muted", "muted"), ("HTTP", "h_t_t_p"), ("already_so", "already_so")]
        {
            assert_eq!(snake_case(&Ident::new(name, Span::call_site())), code);
        }
        assert_eq!(snake_case(&Ident::new_raw("type", Span::call_site())), "type");
    }
}
