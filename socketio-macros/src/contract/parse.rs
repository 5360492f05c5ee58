//! Parses the contents of `contract! { … }`. Each item is parsed separately, so that an invalid
//! item hides no other error.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, ExprPath, LitStr, Path, Token, Type, Visibility};

use super::export::{self, Exports};

use crate::errors::Errors;
use crate::events::until_comma;
use crate::signature;

const FORM: &str = "write `contract! { pub Chat { \"/\" { receives [handler, Type::method] emits [Payload] } } }`";
const RECEIVES: &str = "write `receives [handler, module::handler, Type::method]`";
const EMITS: &str = "write `emits [Payload, module::Payload]`";

#[derive(Default)]
pub(crate) struct Contract {
    /// The attributes of the type, without `#[export(…)]`.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) exports: Exports,
    pub(crate) visibility: Option<Visibility>,
    /// `None` if the name is missing.
    pub(crate) name: Option<Ident>,
    pub(crate) namespaces: Vec<Namespace>,
}

pub(crate) struct Namespace {
    pub(crate) doc: String,
    pub(crate) path: LitStr,
    pub(crate) receives: Vec<Item<Handler>>,
    pub(crate) emits: Vec<Item<Type>>,
}

/// An item of a list, with its `#[cfg]` attributes.
pub(crate) struct Item<T> {
    pub(crate) conditions: TokenStream,
    pub(crate) value: T,
}

/// A function in `receives`.
pub(crate) struct Handler {
    /// The whole path of the function.
    pub(crate) path: ExprPath,
    /// The type of a method, and the method's name.
    pub(crate) method: Option<(TokenStream, Ident)>,
}

impl ToTokens for Handler {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.path.to_tokens(tokens);
    }
}

pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Contract {
    let mut contract = Contract::default();
    let parsed = (|input: ParseStream<'_>| head(input, &mut contract, errors)).parse2(tokens);
    if let Err(error) = parsed {
        errors.add(error);
    }
    contract
}

fn head(input: ParseStream<'_>, contract: &mut Contract, errors: &mut Errors) -> syn::Result<()> {
    (contract.exports, contract.attributes) = export::take(input.call(Attribute::parse_outer)?, errors);
    contract.visibility = Some(input.parse()?);
    if !input.peek(syn::Ident) {
        errors.push(next(input), "a contract has a name", FORM);
        return skip(input);
    }
    let name: Ident = input.parse()?;
    let body = braces(input);
    match body {
        Some(body) => (|input: ParseStream<'_>| namespaces(input, contract, errors)).parse2(body)?,
        None => errors.push(&name, "the namespaces of the contract are missing", FORM),
    }
    contract.name = Some(name);
    if !input.is_empty() {
        errors.push(input.parse::<TokenStream>()?, "a contract ends with its closing brace", FORM);
    }
    Ok(())
}

fn namespaces(input: ParseStream<'_>, contract: &mut Contract, errors: &mut Errors) -> syn::Result<()> {
    while !input.is_empty() {
        let attributes = input.call(Attribute::parse_outer)?;
        check_attributes(&attributes, "doc", "a namespace has no attributes but its doc comment", errors);
        let doc = signature::doc(&attributes);
        if !input.peek(LitStr) {
            errors.push(next(input), "the path of a namespace is expected here, as a string", FORM);
            return skip(input);
        }
        let path: LitStr = input.parse()?;
        check_path(&path, contract, errors);
        let mut namespace = Namespace { doc, path, receives: Vec::new(), emits: Vec::new() };
        match braces(input) {
            Some(body) => (|input: ParseStream<'_>| sections(input, &mut namespace, errors)).parse2(body)?,
            None => errors.push(&namespace.path, "the events of this namespace are missing", FORM),
        }
        contract.namespaces.push(namespace);
    }
    Ok(())
}

/// Reports attributes with other names, which would otherwise be dropped silently.
fn check_attributes(attributes: &[Attribute], known: &str, message: &str, errors: &mut Errors) {
    for attribute in attributes.iter().filter(|attribute| !attribute.path().is_ident(known)) {
        errors.push(
            attribute,
            message,
            "leave it out; events, and whole contracts, may be there under a condition: `#[cfg(feature = \"admin\")]`",
        );
    }
}

fn check_path(path: &LitStr, contract: &Contract, errors: &mut Errors) {
    let value = path.value();
    if !value.starts_with('/') {
        errors.push(path, "a namespace's path begins with a slash", format_args!("write `\"/{value}\"`"));
    } else if let Some((message, help)) = malformed(&value) {
        errors.push(path, message, help);
    } else if contract.namespaces.iter().any(|known| known.path.value() == value) {
        errors.push(path, format_args!("the namespace `{value}` is here twice"), "write all its events in one place");
    }
}

/// What is wrong with a path that begins with a slash, and the accepted form.
fn malformed(path: &str) -> Option<(String, String)> {
    const CHARACTERS: &str = "leave out commas, `?`, `#` and white space: clients take some of them for the path's end";
    const BRACES: &str = "a parameter is a name in braces, such as `\"/room-{id}\"`";
    let is_wrong = |char: &char| matches!(char, ',' | '?' | '#') || char.is_whitespace() || char.is_control();
    if let Some(wrong) = path.chars().find(is_wrong) {
        return Some((format!("a namespace's path can't contain {wrong:?}"), CHARACTERS.to_owned()));
    }
    let wrong = |message: String| Some((message, BRACES.to_owned()));
    let mut names = Vec::new();
    let mut rest = path;
    while let Some(at) = rest.find(['{', '}']) {
        let Some(inside) = rest[at..].strip_prefix('{') else {
            return wrong("a brace is closed here that was not opened".to_owned());
        };
        let Some(end) = inside.find(['{', '}']).filter(|end| inside[*end..].starts_with('}')) else {
            return wrong("a brace is not closed".to_owned());
        };
        let name = &inside[..end];
        if !is_name(name) {
            return wrong(format!("`{{{name}}}` is no parameter: its name is not a word"));
        }
        if names.contains(&name) {
            return wrong(format!("the parameter `{{{name}}}` is here twice"));
        }
        names.push(name);
        rest = &inside[end + 1..];
        if rest.starts_with('{') {
            return wrong(format!("nothing says where `{{{name}}}` ends and the next parameter begins"));
        }
    }
    None
}

/// Whether a parameter can have this name. AsyncAPI allows these characters.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-'))
}

fn sections(input: ParseStream<'_>, namespace: &mut Namespace, errors: &mut Errors) -> syn::Result<()> {
    let mut seen = Vec::new();
    while !input.is_empty() {
        let word = next(input);
        let text = word.to_string();
        input.parse::<TokenTree>()?;
        let help = match &*text {
            "receives" => RECEIVES,
            "emits" => EMITS,
            _ => {
                errors.push(
                    word,
                    format_args!("there is no `{text}` in a contract"),
                    "a namespace has `receives [handler, …]` and `emits [Payload, …]`",
                );
                // Skips the list after the unknown word.
                if input.peek(syn::token::Bracket) || input.peek(syn::token::Brace) || input.peek(syn::token::Paren) {
                    input.parse::<TokenTree>()?;
                }
                continue;
            }
        };
        if seen.contains(&text) {
            errors.push(&word, format_args!("`{text}` is here twice"), "write all in one pair of brackets");
        }
        let Some(list) = group(input, Delimiter::Bracket) else {
            errors.push(&word, format_args!("what a namespace `{text}` stands in brackets"), help);
            // Skips brackets of another kind.
            if let Some(TokenTree::Group(_)) = peek(input) {
                input.parse::<TokenTree>()?;
            }
            continue;
        };
        if text == "receives" {
            namespace.receives.extend(items(list, handler, errors)?);
        } else {
            namespace.emits.extend(items(list, payload, errors)?);
        }
        seen.push(text);
    }
    Ok(())
}

/// Parses the items of a list.
fn items<T>(
    list: TokenStream,
    item: fn(ParseStream<'_>) -> syn::Result<T>,
    errors: &mut Errors,
) -> syn::Result<Vec<Item<T>>> {
    let mut items = Vec::new();
    let parse = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let attributes = input.call(Attribute::parse_outer)?;
            check_attributes(&attributes, "cfg", "an event has no attributes here but `#[cfg(…)]`", errors);
            let tokens = until_comma(input)?;
            if tokens.is_empty() {
                errors.push(next(input), "an item is missing here", "write one comma between two items");
            } else {
                match item.parse2(tokens) {
                    Ok(value) => items.push(Item { conditions: signature::conditions(&attributes), value }),
                    Err(error) => errors.add(error),
                }
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    parse.parse2(list)?;
    Ok(items)
}

fn handler(input: ParseStream<'_>) -> syn::Result<Handler> {
    let wrong = |tokens: TokenStream, message| crate::errors::error(tokens, message, RECEIVES);
    let begin = input.fork();
    let Ok(path) = input.parse::<ExprPath>() else {
        input.parse::<TokenStream>()?;
        let message = match begin.peek(Token![..]) {
            true => "a contract names functions: a table does not tell what they take",
            false => "this is no path of a handler",
        };
        return Err(wrong(begin.parse()?, message));
    };
    if !input.is_empty() {
        input.parse::<TokenStream>()?;
        return Err(wrong(begin.parse()?, "this is no path of a handler"));
    }
    let method = method(&path).map_err(|()| wrong(path.to_token_stream(), "this is no path of a method"))?;
    Ok(Handler { path, method })
}

/// The type and the name, if the path is that of a method.
fn method(path: &ExprPath) -> Result<Option<(TokenStream, Ident)>, ()> {
    let segments = &path.path.segments;
    let Some(last) = segments.last() else { return Err(()) };
    if let Some(of) = &path.qself {
        return match segments.len() {
            1 => Ok(Some((of.ty.to_token_stream(), last.ident.clone()))),
            _ => Err(()),
        };
    }
    let Some(before) = segments.iter().rev().nth(1) else { return Ok(None) };
    let is_type = !before.arguments.is_empty() || before.ident.to_string().starts_with(char::is_uppercase);
    if !is_type {
        return Ok(None);
    }
    let leading_colon = path.path.leading_colon;
    let mut ty = Path { leading_colon, segments: segments.iter().take(segments.len() - 1).cloned().collect() };
    // Removes the separator before the method's name.
    ty.segments.pop_punct();
    Ok(Some((ty.to_token_stream(), last.ident.clone())))
}

fn payload(input: ParseStream<'_>) -> syn::Result<Type> {
    let begin = input.fork();
    match input.parse::<Type>() {
        Ok(ty) if input.is_empty() => Ok(ty),
        _ => {
            input.parse::<TokenStream>()?;
            Err(crate::errors::error(begin.parse::<TokenStream>()?, "this is no path of a payload type", EMITS))
        }
    }
}

/// The next token without consuming it; empty at the end.
fn next(input: ParseStream<'_>) -> TokenStream {
    peek(input).map(ToTokens::into_token_stream).unwrap_or_default()
}

fn peek(input: ParseStream<'_>) -> Option<TokenTree> {
    input.fork().parse().ok()
}

fn braces(input: ParseStream<'_>) -> Option<TokenStream> {
    group(input, Delimiter::Brace)
}

/// The contents of the next brackets, if they have this delimiter.
fn group(input: ParseStream<'_>, delimiter: Delimiter) -> Option<TokenStream> {
    match peek(input) {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => {
            input.parse::<TokenTree>().ok()?;
            Some(group.stream())
        }
        _ => None,
    }
}

fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    input.parse::<TokenStream>().map(drop)
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    /// The numbers of namespaces, received events, emitted events and errors.
    fn counts(tokens: TokenStream) -> (usize, usize, usize, usize) {
        let mut errors = Errors::default();
        let contract = parse(tokens, &mut errors);
        let (mut receives, mut emits) = (0, 0);
        for namespace in &contract.namespaces {
            receives += namespace.receives.len();
            emits += namespace.emits.len();
        }
        (contract.namespaces.len(), receives, emits, errors.len())
    }

    /// The type and the method, if the path is that of a method.
    fn method_of(path: TokenStream) -> Option<(String, String)> {
        let handler = handler.parse2(path).expect("a path");
        handler.method.map(|(ty, method)| (ty.to_string().replace(' ', ""), method.to_string()))
    }

    #[test]
    fn namespaces_have_lists_in_any_order() {
        assert_eq!(counts(quote!(Chat {})), (0, 0, 0, 0));
        let both = quote!(pub(crate) Chat { "/" { emits [A, b::C<u8>,] receives [d, e::f] } "/x" {} });
        assert_eq!(counts(both), (2, 2, 2, 0));
        assert_eq!(counts(quote!(Chat { "/" { receives [#[cfg(test)] a, b] } })), (1, 2, 0, 0));
        assert_eq!(counts(quote!(Chat { #[cfg(test)] "/" { receives [#[inline] a] } })), (1, 1, 0, 2));
    }

    #[test]
    fn malformed_paths_are_errors() {
        for path in ["/", "/a", "/room-{id}", "/{a}/{b-c}", "/чат", "/a.b:c", "/{a}-{b}", "//", "/a/"] {
            assert_eq!(malformed(path), None, "{path}");
        }
        for path in [
            "/{",
            "/}",
            "/room-{",
            "/room-{id",
            "/room-id}",
            "/{}",
            "/{{a}}",
            "/{a b}",
            "/{ä}",
            "/{a}{b}",
            "/{a}/{a}",
            "/a,b",
            "/a?b",
            "/a b",
            "/a\n",
            "/a\t",
            "/a#b",
        ] {
            assert!(malformed(path).is_some(), "{path}");
        }
    }

    #[test]
    fn each_invalid_item_is_one_error() {
        assert_eq!(counts(quote!(Chat { "/" { receives ["a", b, c(), ..D, , e] emits [3, F] } })), (1, 2, 1, 5));
        assert_eq!(counts(quote!(Chat { "/" { sends [a] receives {b} emits [C] emits [D] } })), (1, 0, 2, 3));
        assert_eq!(counts(quote!(Chat { "a" {} "/" {} "/" {} "/b" })), (4, 0, 0, 3));
        for broken in [quote!(), quote!(pub), quote!(Chat), quote!(Chat { a }), quote!(Chat {} more), quote!("Chat" {})]
        {
            assert_eq!(counts(broken.clone()).3, 1, "{broken}");
        }
    }

    #[test]
    fn methods_are_recognized_by_the_capital_letter_of_their_type() {
        let method = |ty: &str| Some((ty.to_owned(), "typing".to_owned()));
        assert_eq!(method_of(quote!(typing)), None);
        assert_eq!(method_of(quote!(chat::typing)), None);
        assert_eq!(method_of(quote!(Chat::typing)), method("Chat"));
        assert_eq!(method_of(quote!(::a::b::Chat::typing)), method("::a::b::Chat"));
        assert_eq!(method_of(quote!(Shelf::<Book>::typing)), method("Shelf::<Book>"));
        assert_eq!(method_of(quote!(<shelf<Book>>::typing)), method("shelf<Book>"));
    }
}
