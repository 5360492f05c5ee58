//! Parses `ack = Answer` in `#[event("name", ack = Answer)]`: the type of a client's answer.

use proc_macro2::{TokenStream, TokenTree};
use syn::Type;

use crate::errors::Errors;

const FORM: &str = "write `#[event(\"name\", ack = Answer)]` above a payload type";

pub(crate) struct Ack {
    /// The whole argument as the user wrote it.
    pub(crate) argument: TokenStream,
    /// `None` if the tokens are not a type.
    pub(crate) answer: Option<Type>,
}

/// Parses an argument that begins with `ack`; `None` if it begins otherwise.
pub(crate) fn parse(argument: &TokenStream, errors: &mut Errors) -> Option<Ack> {
    let mut tokens = argument.clone().into_iter();
    if !matches!(tokens.next(), Some(TokenTree::Ident(word)) if word == "ack") {
        return None;
    }
    let is_assigned = matches!(tokens.next(), Some(TokenTree::Punct(sign)) if sign.as_char() == '=');
    let written: TokenStream = tokens.collect();
    let answer = match is_assigned && !written.is_empty() {
        false => {
            errors.push(argument, "`ack` needs the type of the answer", FORM);
            None
        }
        true => match syn::parse2(written.clone()) {
            Ok(answer) => Some(answer),
            Err(_) => {
                errors.push(written, "this is not the type of an answer", FORM);
                None
            }
        },
    };
    Some(Ack { argument: argument.clone(), answer })
}
