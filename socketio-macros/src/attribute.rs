//! What stands in the brackets of `#[event(…)]`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{LitStr, Token};

use crate::errors::Errors;

/// The lifecycle events, as users write them and as their types are called.
pub(crate) const LIFECYCLES: [(&str, &str); 8] = [
    ("connect", "Connect"),
    ("message", "Message"),
    ("ping", "Ping"),
    ("pong", "Pong"),
    ("close", "Close"),
    ("disconnecting", "Disconnecting"),
    ("disconnect", "Disconnect"),
    ("error", "Error"),
];

/// Names that clients can't send.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

const FORMS: &str = "write `#[event(\"name\")]`, `#[event(connect)]` or another lifecycle event, `#[event(fallback)]`, \
                     or `#[event(\"name\", concurrent)]`";

/// Which event it is about.
pub(crate) enum Subject {
    Name(LitStr),
    /// The variant's name, and where the user wrote it.
    Lifecycle(Ident),
    Fallback(Ident),
    /// None is named: it is the last parameter's.
    Inferred,
}

pub(crate) struct Attribute {
    pub(crate) subject: Subject,
    pub(crate) concurrent: Option<Ident>,
}

/// Parses the arguments, each by itself, so that one that is wrong does not hide the others.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Attribute {
    let mut attribute = Attribute { subject: Subject::Inferred, concurrent: None };
    for argument in split_at_commas(tokens) {
        if let Ok(name) = syn::parse2::<LitStr>(argument.clone()) {
            check_name(&name, errors);
            set_subject(&mut attribute, Subject::Name(name), &argument, errors);
        } else if let Ok(word) = syn::parse2::<Ident>(argument.clone()) {
            parse_word(&mut attribute, word, &argument, errors);
        } else {
            errors.push(&argument, "this is no argument of `#[event]`", FORMS);
        }
    }
    attribute
}

fn parse_word(attribute: &mut Attribute, word: Ident, argument: &TokenStream, errors: &mut Errors) {
    let text = word.to_string();
    if text == "concurrent" {
        if attribute.concurrent.replace(word).is_some() {
            errors.push(argument, "`concurrent` is written twice", "write it once");
        }
    } else if text == "fallback" {
        set_subject(attribute, Subject::Fallback(word), argument, errors);
    } else if let Some((_, variant)) = LIFECYCLES.iter().find(|(name, _)| *name == text) {
        set_subject(attribute, Subject::Lifecycle(Ident::new(variant, word.span())), argument, errors);
    } else {
        let names: Vec<_> = LIFECYCLES.iter().map(|(name, _)| format!("`{name}`")).collect();
        errors.push(
            argument,
            format_args!("there is no lifecycle event and no option `{text}`"),
            format_args!(
                "an event's name is a string, `#[event(\"{text}\")]`; lifecycle events are {}; options are `fallback` and \
                 `concurrent`",
                names.join(", ")
            ),
        );
        // What was meant can't be known; a name keeps the rest of the item going.
        attribute.subject = Subject::Name(LitStr::new(&text, word.span()));
    }
}

fn set_subject(attribute: &mut Attribute, subject: Subject, argument: &TokenStream, errors: &mut Errors) {
    if matches!(attribute.subject, Subject::Inferred) {
        attribute.subject = subject;
    } else {
        errors.push(argument, "a second event", "a handler or payload type has one event; write a function for each");
    }
}

fn check_name(name: &LitStr, errors: &mut Errors) {
    let value = name.value();
    if value.is_empty() {
        errors.push(name, "an event's name can't be empty", "write `#[event(\"name\")]`");
    } else if RESERVED.contains(&value.as_str()) {
        let help = match LIFECYCLES.iter().any(|(lifecycle, _)| *lifecycle == value) {
            true => format!("for the lifecycle event write it without quotes: `#[event({value})]`"),
            false => "choose another name".to_owned(),
        };
        errors.push(name, format_args!("`{value}` is reserved: clients can't send an event of that name"), help);
    }
}

fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = Vec::new();
    let mut part = TokenStream::new();
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => parts.push(std::mem::take(&mut part)),
            _ => part.extend([token]),
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// What `#[event]` on a payload type says: just a name.
pub(crate) fn parse_payload_name(tokens: TokenStream, errors: &mut Errors) -> LitStr {
    let help = "write `#[event(\"name\")]`";
    let attribute = parse(tokens, errors);
    if let Some(concurrent) = attribute.concurrent {
        errors.push(concurrent, "a payload type can't be `concurrent`", help);
    }
    match attribute.subject {
        Subject::Name(name) => name,
        Subject::Lifecycle(word) | Subject::Fallback(word) => {
            errors.push(&word, "a payload type has an event with a name", help);
            LitStr::new("unnamed", word.span())
        }
        Subject::Inferred => {
            errors.push(Span::call_site().into_tokens(), "a payload type needs the name of its event", help);
            LitStr::new("unnamed", Span::call_site())
        }
    }
}

/// An error that underlines the whole attribute.
trait IntoTokens {
    fn into_tokens(self) -> TokenStream;
}

impl IntoTokens for Span {
    fn into_tokens(self) -> TokenStream {
        Token![#](self).into_token_stream()
    }
}
