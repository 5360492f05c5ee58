//! Parses `latest` and `latest(key = "field")` in `#[event("name", latest)]`: of the event's
//! values, only the latest waits for a slow client.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Data, Fields, Index, LitStr, Member};

use crate::errors::Errors;

const FORM: &str = "write `latest`, or `latest(key = \"field\")` with a field of the type";

pub(crate) struct Latest {
    /// The whole argument as the user wrote it.
    pub(crate) argument: TokenStream,
    /// The name of the field whose value is the key.
    key: Option<LitStr>,
}

/// Parses an argument that begins with `latest`; `None` if it begins otherwise.
pub(crate) fn parse(argument: &TokenStream, errors: &mut Errors) -> Option<Latest> {
    let mut tokens = argument.clone().into_iter();
    if !matches!(tokens.next(), Some(TokenTree::Ident(word)) if word == "latest") {
        return None;
    }
    let key = match (tokens.next(), tokens.next()) {
        (None, _) => None,
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::Parenthesis => {
            let key = parse_key(group.stream());
            if key.is_none() {
                errors.push(group.stream(), "this is no key", FORM);
            }
            key
        }
        _ => {
            errors.push(argument, "`latest` is followed by nothing, or by a key in parentheses", FORM);
            None
        }
    };
    Some(Latest { argument: argument.clone(), key })
}

/// Parses `key = "field"`.
fn parse_key(tokens: TokenStream) -> Option<LitStr> {
    let mut tokens = tokens.into_iter();
    let is_key = matches!(tokens.next(), Some(TokenTree::Ident(word)) if word == "key");
    let is_assigned = matches!(tokens.next(), Some(TokenTree::Punct(sign)) if sign.as_char() == '=');
    let field = syn::parse2(tokens.collect()).ok()?;
    (is_key && is_assigned).then_some(field)
}

impl Latest {
    /// Renders the method that makes the key of a value of the type `ident`.
    pub(crate) fn render(&self, ident: &Ident, data: &Data, krate: &TokenStream, errors: &mut Errors) -> TokenStream {
        let key = match &self.key {
            None => quote!(::std::string::String::new()),
            Some(key) => match find(key, ident, data, errors) {
                Some(field) => quote_spanned!(key.span()=> #krate::bounds::LatestKey::to_key(&self.#field)),
                None => return TokenStream::new(),
            },
        };
        quote! {
            fn latest_key(&self) -> ::core::option::Option<::std::string::String> {
                ::core::option::Option::Some(#key)
            }
        }
    }
}

fn find(key: &LitStr, ident: &Ident, data: &Data, errors: &mut Errors) -> Option<Member> {
    let name = key.value();
    let fields = match data {
        Data::Struct(data) => &data.fields,
        Data::Enum(_) | Data::Union(_) => {
            errors.push(
                key,
                "only a struct has a field for the key",
                "write `latest` alone, or emit with `latest_by(key)`",
            );
            return None;
        }
    };
    // Errors about the field underline its name in the attribute.
    let mut members = fields.members().map(|mut member| {
        match &mut member {
            Member::Named(field) => field.set_span(key.span()),
            Member::Unnamed(index) => index.span = key.span(),
        }
        member
    });
    let is_key = |member: &Member| match member {
        Member::Named(field) => field.unraw() == name,
        Member::Unnamed(Index { index, .. }) => index.to_string() == name,
    };
    let found = members.find(is_key);
    if found.is_none() {
        let names: Vec<_> = fields.members().map(|member| format!("`{}`", shown(&member))).collect();
        let help = match fields {
            Fields::Unit => "it has no fields: write `latest` alone".to_owned(),
            _ => format!("its fields are {}", names.join(", ")),
        };
        errors.push(key, format_args!("`{ident}` has no field `{name}`"), help);
    }
    found
}

fn shown(member: &Member) -> String {
    match member {
        Member::Named(field) => field.unraw().to_string(),
        Member::Unnamed(Index { index, .. }) => index.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::DeriveInput;

    /// Whether there is a method, and the number of errors.
    fn rendered(argument: TokenStream, item: TokenStream) -> (bool, usize) {
        let mut errors = Errors::default();
        let latest = parse(&argument, &mut errors).expect("it begins with `latest`");
        let item: DeriveInput = syn::parse2(item).expect("a type");
        let method = latest.render(&item.ident, &item.data, &quote!(socketio), &mut errors);
        (!method.is_empty(), errors.len())
    }

    #[test]
    fn a_key_is_a_field() {
        for (argument, item) in [
            (
                quote!(latest),
                quote!(
                    struct Price;
                ),
            ),
            (
                quote!(latest),
                quote!(
                    enum Price {
                        A,
                    }
                ),
            ),
            (
                quote!(latest(key = "symbol")),
                quote!(
                    struct Price {
                        at: u8,
                        symbol: String,
                    }
                ),
            ),
            (
                quote!(latest(key = "type")),
                quote!(
                    struct Price {
                        r#type: String,
                    }
                ),
            ),
            (
                quote!(latest(key = "1")),
                quote!(
                    struct Price(u8, String);
                ),
            ),
        ] {
            assert_eq!(rendered(argument, item), (true, 0));
        }
    }

    #[test]
    fn wrong_keys_are_one_error_each() {
        for key in [quote!("other"), quote!(""), quote!("0"), quote!("symbol ")] {
            let found = rendered(
                quote!(latest(key = #key)),
                quote!(
                    struct Price {
                        symbol: String,
                    }
                ),
            );
            assert_eq!(found, (false, 1), "{key}");
        }
        assert_eq!(
            rendered(
                quote!(latest(key = "a")),
                quote!(
                    struct Price;
                )
            ),
            (false, 1)
        );
        assert_eq!(
            rendered(
                quote!(latest(key = "a")),
                quote!(
                    enum Price {
                        A { a: u8 },
                    }
                )
            ),
            (false, 1)
        );
        for argument in [
            quote!(latest()),
            quote!(latest("symbol")),
            quote!(latest(key)),
            quote!(latest(key = symbol)),
            quote!(latest(field = "symbol")),
            quote!(latest(key = "symbol", key = "symbol")),
            quote!(latest["symbol"]),
            quote!(latest = "symbol"),
            quote!(latest(key = "symbol") again),
        ] {
            let (_, errors) = rendered(
                argument.clone(),
                quote!(
                    struct Price {
                        symbol: String,
                    }
                ),
            );
            assert_eq!(errors, 1, "{argument}");
        }
        assert!(parse(&quote!(later), &mut Errors::default()).is_none());
    }
}
