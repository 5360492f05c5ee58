//! Parses the arguments of `#[event(…)]`.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{LitStr, Path, Type};

use crate::ack::{self, Ack};
use crate::errors::Errors;
use crate::latest::{self, Latest};
use crate::timeout::{self, Timeout};

/// The lifecycle events: the user's words, and the names of the variants.
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

/// Names that clients cannot send. The runtime reads this list through a macro.
pub(crate) const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The event with which clients prove their identity again. Its handler takes a payload.
pub(crate) const REAUTHENTICATE: &str = "reauthenticate";

const FORMS: &str = "write `#[event(\"name\")]`, `#[event(connect)]` or another lifecycle event, `#[event(fallback)]`, \
                     `#[event(\"name\", concurrent)]`, `#[event(\"name\", blocking)]`, `#[event(\"name\", timeout = \"5s\")]`, \
                     or above a payload type `#[event(\"name\", ack = Answer)]` or `#[event(\"name\", latest)]`";

/// The name of an event.
pub(crate) enum Name {
    Text(LitStr),
    /// A constant. The compiler checks its value.
    Constant(Path),
}

impl ToTokens for Name {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Text(text) => text.to_tokens(tokens),
            Self::Constant(path) => path.to_tokens(tokens),
        }
    }
}

/// The event that an attribute names.
pub(crate) enum EventKind {
    Name(Name),
    Lifecycle(Lifecycle),
    /// `reauthenticate`, as the user wrote it.
    Reauthenticate(Ident),
    Fallback(Ident),
    /// No event is named; it is the event of the last parameter's payload type.
    Inferred,
    /// The argument is invalid, so the event is unknown.
    Unknown,
}

/// A lifecycle event.
pub(crate) struct Lifecycle {
    /// The word as the user wrote it.
    pub(crate) word: Ident,
    /// The name of the variant.
    pub(crate) variant: &'static str,
}

pub(crate) struct Attribute {
    pub(crate) event: EventKind,
    pub(crate) concurrent: Option<Ident>,
    pub(crate) blocking: Option<Ident>,
    pub(crate) ack: Option<Ack>,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) latest: Option<Latest>,
}

/// Parses each argument separately, so that an invalid argument does not hide errors in the others.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Attribute {
    let mut attribute = Attribute {
        event: EventKind::Inferred,
        concurrent: None,
        blocking: None,
        ack: None,
        timeout: None,
        latest: None,
    };
    for argument in split_at_commas(tokens, errors) {
        if let Ok(name) = syn::parse2::<LitStr>(argument.clone()) {
            check_name(&name, errors);
            set_event(&mut attribute, EventKind::Name(Name::Text(name)), &argument, errors);
        } else if let Some(ack) = ack::parse(&argument, errors) {
            if attribute.ack.replace(ack).is_some() {
                errors.push(&argument, "`ack` is written twice", "an event has one answer: write it once");
            }
        } else if let Some(path) = constant(&argument) {
            set_event(&mut attribute, EventKind::Name(Name::Constant(path)), &argument, errors);
        } else if let Some(timeout) = timeout::parse(&argument, errors) {
            if attribute.timeout.replace(timeout).is_some() {
                errors.push(&argument, "`timeout` is written twice", "write it once");
            }
        } else if let Some(latest) = latest::parse(&argument, errors) {
            if attribute.latest.replace(latest).is_some() {
                errors.push(&argument, "`latest` is written twice", "write it once");
            }
        } else if let Ok(word) = syn::parse2::<Ident>(argument.clone()) {
            parse_word(&mut attribute, word, &argument, errors);
        } else {
            errors.push(&argument, "this is no argument of `#[event]`", FORMS);
            attribute.event = EventKind::Unknown;
        }
    }
    attribute
}

/// The path of a constant. A single word is a constant if it is in capital letters.
fn constant(argument: &TokenStream) -> Option<Path> {
    let path = syn::parse2::<Path>(argument.clone()).ok()?;
    let is_constant = path.segments.len() > 1 || path.get_ident()?.to_string().chars().all(|c| !c.is_lowercase());
    is_constant.then_some(path)
}

fn parse_word(attribute: &mut Attribute, word: Ident, argument: &TokenStream, errors: &mut Errors) {
    let text = word.to_string();
    if text == "concurrent" {
        if attribute.concurrent.replace(word).is_some() {
            errors.push(argument, "`concurrent` is written twice", "write it once");
        }
    } else if text == "blocking" {
        if attribute.blocking.replace(word).is_some() {
            errors.push(argument, "`blocking` is written twice", "write it once");
        }
    } else if text == "fallback" {
        set_event(attribute, EventKind::Fallback(word), argument, errors);
    } else if text == REAUTHENTICATE {
        set_event(attribute, EventKind::Reauthenticate(word), argument, errors);
    } else if let Some((_, variant)) = LIFECYCLES.iter().find(|(name, _)| *name == text) {
        set_event(attribute, EventKind::Lifecycle(Lifecycle { word, variant }), argument, errors);
    } else {
        let names = LIFECYCLES.iter().map(|(name, _)| *name).chain([REAUTHENTICATE]);
        let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
        errors.push(
            argument,
            format_args!("there is no lifecycle event and no option `{text}`"),
            format_args!(
                "an event's name is a string, `#[event(\"{text}\")]`, or a constant, `#[event(NAME)]`; lifecycle events are {}; \
                 options are `fallback`, `concurrent`, `blocking`, `timeout = \"5s\"`, and above a payload type `ack = Answer` and \
                 `latest`",
                names.join(", ")
            ),
        );
        attribute.event = EventKind::Unknown;
    }
}

fn set_event(attribute: &mut Attribute, event: EventKind, argument: &TokenStream, errors: &mut Errors) {
    match attribute.event {
        EventKind::Inferred => attribute.event = event,
        EventKind::Unknown => {}
        _ => errors.push(argument, "a second event", "a handler or payload type has one event: write one for each"),
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
    } else if value == REAUTHENTICATE {
        errors.push(
            name,
            format_args!("`{value}` is reserved: with this event clients prove their identity again"),
            format_args!("write it without quotes above its handler: `#[event({value})]`; or choose another name"),
        );
    }
}

/// Splits at commas, except for those between the angle brackets of a type.
fn split_at_commas(tokens: TokenStream, errors: &mut Errors) -> Vec<TokenStream> {
    let mut parts = Vec::new();
    let mut part = TokenStream::new();
    let mut open = 0_usize;
    let mut after_dash = false;
    for token in tokens {
        let punct = match &token {
            TokenTree::Punct(punct) => Some(punct.as_char()),
            _ => None,
        };
        match punct {
            Some(',') if open == 0 => {
                match part.is_empty() {
                    true => errors.push(&token, "an argument is missing here", FORMS),
                    false => parts.push(std::mem::take(&mut part)),
                }
                continue;
            }
            Some('<') => open += 1,
            // The `>` of `->` closes no bracket.
            Some('>') if !after_dash => open = open.saturating_sub(1),
            _ => {}
        }
        after_dash = punct == Some('-');
        part.extend([token]);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// What the `#[event]` of a payload type says.
pub(crate) struct Payload {
    pub(crate) name: Name,
    /// The type of the requested answer.
    pub(crate) answer: Option<Type>,
    pub(crate) latest: Option<Latest>,
}

/// Parses the `#[event]` of the payload type `ident`.
pub(crate) fn parse_payload(tokens: TokenStream, ident: &Ident, errors: &mut Errors) -> Payload {
    let help = "write `#[event(\"name\")]`";
    let attribute = parse(tokens, errors);
    if let Some(concurrent) = attribute.concurrent {
        errors.push(concurrent, "a payload type can't be `concurrent`", help);
    }
    if let Some(timeout) = attribute.timeout {
        errors.push(timeout.argument, "a payload type can't have a `timeout`", help);
    }
    if let Some(blocking) = attribute.blocking {
        errors.push(blocking, "a payload type can't be `blocking`", help);
    }
    if let (Some(ack), Some(_)) = (&attribute.ack, &attribute.latest) {
        errors.push(
            &ack.argument,
            "an event that asks for an answer can't be `latest`: a later one would take its place",
            "leave `ack` or `latest` out",
        );
    }
    let (answer, latest) = (attribute.ack.and_then(|ack| ack.answer), attribute.latest);
    match attribute.event {
        EventKind::Name(name) => return Payload { name, answer, latest },
        EventKind::Lifecycle(Lifecycle { word, .. }) | EventKind::Reauthenticate(word) | EventKind::Fallback(word) => {
            errors.push(&word, "a payload type has an event with a name", help);
        }
        EventKind::Inferred => errors.push(ident, "a payload type needs the name of its event", help),
        EventKind::Unknown => {}
    }
    Payload { name: Name::Text(LitStr::new("unnamed", ident.span())), answer, latest }
}

#[cfg(test)]
mod tests {
    use quote::{format_ident, quote};

    use super::*;

    fn parsed(tokens: TokenStream) -> (Attribute, usize) {
        let mut errors = Errors::default();
        let attribute = parse(tokens, &mut errors);
        (attribute, errors.len())
    }

    #[test]
    fn names_lifecycles_and_options_are_parsed_in_any_order() {
        let (attribute, errors) = parsed(quote!(concurrent, "name",));
        assert!(matches!(&attribute.event, EventKind::Name(Name::Text(name)) if name.value() == "name"));
        assert!(attribute.concurrent.is_some());
        assert_eq!(errors, 0);
        for (name, variant) in LIFECYCLES {
            let word = format_ident!("{name}");
            let (attribute, errors) = parsed(quote!(#word));
            assert!(matches!(attribute.event, EventKind::Lifecycle(lifecycle) if lifecycle.variant == variant));
            assert_eq!(errors, 0);
        }
        assert!(matches!(parsed(quote!(fallback)).0.event, EventKind::Fallback(_)));
        assert!(matches!(parsed(quote!(reauthenticate)).0.event, EventKind::Reauthenticate(_)));
        assert!(matches!(parsed(quote!()).0.event, EventKind::Inferred));
    }

    #[test]
    fn a_name_may_be_a_constant() {
        for name in [quote!(N), quote!(SAY_IT), quote!(names::SAY), quote!(Self::SAY), quote!(::a::b)] {
            let (attribute, errors) = parsed(quote!(#name, concurrent));
            assert!(matches!(&attribute.event, EventKind::Name(Name::Constant(_))), "{name}");
            assert_eq!(errors, 0);
        }
        assert_eq!(parsed(quote!(Say)).1, 1);
    }

    #[test]
    fn each_invalid_argument_is_one_error() {
        assert_eq!(parsed(quote!("", parallel, 3, concurrent, concurrent, x = "y",,)).1, 6);
        assert_eq!(parsed(quote!("a", "b", connect)).1, 2);
    }

    #[test]
    fn an_answer_may_have_any_type() {
        for answer in
            [quote!(Heard), quote!(a::Heard<'a, [T; 2], u8>), quote!(Box<dyn Fn(u8, u8) -> u8>), quote!((A, B))]
        {
            let (attribute, errors) = parsed(quote!(ack = #answer, "said",));
            assert!(matches!(attribute.event, EventKind::Name(_)), "{answer}");
            let found = attribute.ack.and_then(|ack| ack.answer);
            assert_eq!((found.map(|found| quote!(#found).to_string()), errors), (Some(answer.to_string()), 0));
        }
        for wrong in [quote!(ack), quote!(ack =), quote!(ack = 3), quote!(ack: Heard), quote!(ack(Heard))] {
            assert_eq!(parsed(quote!("said", #wrong)).1, 1, "{wrong}");
        }
        assert_eq!(parsed(quote!("said", ack = A, ack = B, ack)).1, 3);
    }

    #[test]
    fn a_timeout_is_a_text() {
        for (tokens, milliseconds) in
            [(quote!(timeout = "5s", "x"), Some(5_000)), (quote!("x", timeout = "none"), None)]
        {
            let (attribute, errors) = parsed(tokens);
            assert_eq!((attribute.timeout.map(|timeout| timeout.milliseconds), errors), (Some(milliseconds), 0));
        }
        for wrong in
            [quote!(timeout), quote!(timeout =), quote!(timeout = 5), quote!(timeout("5s")), quote!(timeout = "5")]
        {
            assert_eq!(parsed(quote!("x", #wrong)).1, 1, "{wrong}");
        }
        assert_eq!(parsed(quote!("x", timeout = "1s", timeout = "2s")).1, 1);
    }

    #[test]
    fn reserved_names_are_rejected() {
        for name in RESERVED.into_iter().chain([REAUTHENTICATE]) {
            assert_eq!(parsed(quote!(#name)).1, 1, "{name}");
        }
        for name in ["message", "ping", "pong", "close", "error", "Connect", " "] {
            assert_eq!(parsed(quote!(#name)).1, 0, "{name}");
        }
    }

    #[test]
    fn a_payload_type_needs_a_name_and_may_request_an_answer() {
        let ident = format_ident!("Said");
        for (tokens, expected) in [
            (quote!("said"), 0),
            (quote!("said", ack = Heard), 0),
            (quote!("said", latest), 0),
            (quote!(latest(key = "room"), "said"), 0),
            (quote!("said", latest, latest), 1),
            (quote!("said", latest, ack = Heard), 1),
            (quote!(), 1),
            (quote!(connect), 1),
            (quote!(reauthenticate), 1),
            (quote!("reauthenticate"), 1),
            (quote!(3), 1),
            (quote!("said", concurrent), 1),
            (quote!("said", timeout = "5s"), 1),
            (quote!(ack = Heard), 1),
        ] {
            let mut errors = Errors::default();
            parse_payload(tokens.clone(), &ident, &mut errors);
            assert_eq!(errors.len(), expected, "{tokens}");
        }
    }
}
