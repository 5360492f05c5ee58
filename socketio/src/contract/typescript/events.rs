//! Writes the two interfaces of a namespace: the events that clients receive, and those that they
//! send.

use super::format::{self, WIDTH};
use super::types::{Declarations, TypeScript};
use crate::contract::description::{
    DescribedArgument, DescribedErrors, DescribedReply, DescribedType, Emitted, NamespaceDescription, Received,
};

/// The interfaces' names, which follow the namespace's prefix.
pub(super) const LISTENED: &str = "ServerToClientEvents";
pub(super) const SENT: &str = "ClientToServerEvents";
pub(super) const REQUESTS: &str = "ClientToServerRequests";

/// Words that cannot be parameter names: the reserved words of ECMAScript modules, which are in
/// strict mode.
const RESERVED: [&str; 48] = [
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// The prefix of a namespace's interfaces: empty for `/`, `Admin` for `/admin`. Another namespace
/// with the same words has a number, so that each prefix is `taken` once.
pub(super) fn prefix(path: &str, taken: &mut Vec<String>) -> String {
    let words = path.split(|char: char| char == '_' || !unicode_ident::is_xid_continue(char));
    let name = match words.map(capitalized).collect::<String>() {
        name if name.is_empty() && path != "/" => "Namespace".to_owned(),
        name => with_identifier_start(name),
    };
    unique(name, taken)
}

/// Prefixes a name that begins with a digit, or with another character that begins no identifier.
fn with_identifier_start(name: String) -> String {
    let begins_wrong = |first: char| first != '_' && !unicode_ident::is_xid_start(first);
    if name.starts_with(begins_wrong) { format!("_{name}") } else { name }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

/// Declares the types of a namespace's events.
pub(super) fn declare(namespace: &NamespaceDescription, types: &mut Declarations) {
    for event in &namespace.emits {
        let payload = types.name(event.payload.typescript);
        if let Some(note) = event.deprecated {
            types.deprecate(&payload, note);
        }
        let answer = event.answer.as_ref().map_or(&[][..], DescribedReply::values);
        answer.iter().for_each(|value| drop(types.sent_name(value.ty)));
    }
    for event in &namespace.receives {
        event.reply.values().iter().for_each(|value| drop(types.name(value.ty.typescript)));
        event.arguments.iter().for_each(|argument| drop(types.sent_name(argument.ty)));
    }
}

/// Declares the types that the server sends.
pub(super) fn declare_outputs(namespace: &NamespaceDescription, types: &mut Declarations) {
    let replies = namespace.receives.iter().flat_map(|event| event.reply.values()).map(|value| value.ty);
    let payloads = namespace.emits.iter().map(|event| event.payload);
    payloads.chain(replies).for_each(|ty| drop(types.name(ty.typescript)));
}

/// Writes the interfaces of a namespace.
pub(super) fn write(namespace: &NamespaceDescription, prefix: &str, types: &mut Declarations, out: &mut String) {
    let place = match namespace.path {
        "/" => String::new(),
        path => format!(", in the namespace `{path}`"),
    };
    let head = |name: &str, what: &str| {
        let about = if namespace.doc.is_empty() { String::new() } else { format!("\n\n{}", namespace.doc) };
        format!("\n{}export interface {prefix}{name} ", format::docs(&format!("{what}{place}.{about}"), 0))
    };
    out.push_str(&head(LISTENED, "What the server emits"));
    let entries = namespace.emits.iter().map(|event| {
        format::docs_with_note(event.doc, event.deprecated, 2)
            + &entry(event.name, &listener_parameters(event, types), "void")
    });
    write_entries(entries, out);
    out.push_str(&head(SENT, "What clients send"));
    let entries = namespace.receives.iter().map(|event| {
        format::docs_with_note(event.doc, event.deprecated, 2)
            + &entry(event.name, &emit_parameters(event, types), "void")
    });
    write_entries(entries, out);
    out.push_str(&format!(
        "\n/** The same events as functions: from an event's arguments to the answer that means success. */\n\
         export interface {prefix}{REQUESTS} "
    ));
    let entries = namespace
        .receives
        .iter()
        .map(|event| entry(event.name, &request_parameters(event, types), &answer(&event.reply, types)));
    write_entries(entries, out);
}

/// Writes the entries of an interface.
fn write_entries(entries: impl Iterator<Item = String>, out: &mut String) {
    let entries: String = entries.collect();
    out.push_str(&if entries.is_empty() { "{}\n".to_owned() } else { format!("{{\n{entries}}}\n") });
}

/// Writes one event. Its parameters are on separate lines if they do not fit on one.
fn entry(name: &str, parameters: &[String], returned: &str) -> String {
    let name = match format::is_identifier(name) {
        true => name.to_owned(),
        false => string(name),
    };
    let short = format!("  {name}: ({}) => {returned};\n", parameters.join(", "));
    if short.len() <= WIDTH {
        return short;
    }
    // TypeScript forbids a comma after a rest parameter.
    let comma = |parameter: &str| if parameter.starts_with("...") { "" } else { "," };
    let lines: String = parameters.iter().map(|parameter| format!("    {parameter}{}\n", comma(parameter))).collect();
    format!("  {name}: (\n{lines}  ) => {returned};\n")
}

/// Writes a string literal.
pub(super) fn string(text: &str) -> String {
    // A string always serializes, and every JSON string is a TypeScript string.
    serde_json::to_string(text).unwrap_or_default()
}

/// The parameters of a listener.
fn listener_parameters(event: &Emitted, types: &mut Declarations) -> Vec<String> {
    let payload = types.name(event.payload.typescript);
    let mut names: Vec<_> = event.answer.iter().map(|_| "answer".to_owned()).collect();
    let name = unique(parameter_of(&payload).unwrap_or_else(|| "payload".to_owned()), &mut names);
    let mut parameters = vec![format!("{name}: {payload}")];
    parameters.extend(event.answer.as_ref().map(|answer| answer_callback(answer, types)));
    parameters
}

/// The type of the function with which a listener answers.
fn answer_callback(answer: &DescribedReply, types: &mut Declarations) -> String {
    let parameters = match answer {
        DescribedReply::Unknown => "...answer: any[]".to_owned(),
        DescribedReply::Values(values) => {
            let mut value = |value: &DescribedArgument| sendable(value.ty, types);
            match &values[..] {
                [] => "failed?: Failed<string>".to_owned(),
                [one] => format!("answer{}: {} | Failed<string>", if one.optional { "?" } else { "" }, value(one)),
                values => {
                    // Only the last elements of a tuple can be optional.
                    let required = values.iter().rposition(|value| !value.optional).map_or(0, |last| last + 1);
                    let values =
                        values.iter().enumerate().map(|(at, element)| match (element.optional, at < required) {
                            (false, _) => value(element),
                            (true, true) => format!("{} | undefined", value(element)),
                            (true, false) => format!("({})?", value(element)),
                        });
                    format!("...answer: [{}] | [Failed<string>]", values.collect::<Vec<_>>().join(", "))
                }
            }
        }
    };
    format!("answer: ({parameters}) => void")
}

/// The parameters for sending an event with `socket.io-client`: its arguments, then the ack.
fn emit_parameters(event: &Received, types: &mut Declarations) -> Vec<String> {
    let needs_ack = match &event.reply {
        DescribedReply::Values(values) => !values.is_empty(),
        DescribedReply::Unknown => !event.takes_any,
    };
    let last = match (event.takes_any, needs_ack) {
        (false, _) => ack_callback(event, types),
        (true, true) => format!("...rest: [...rest: any[], {}]", ack_callback(event, types)),
        // After any number of arguments, no parameter can be optional, so `ack` is one of the rest.
        (true, false) => "...rest: any[]".to_owned(),
    };
    // Only trailing parameters can be optional.
    let mut parameters = arguments(event, !needs_ack, types);
    parameters.push(last);
    parameters
}

/// The parameters of an event that stand for its arguments alone.
fn request_parameters(event: &Received, types: &mut Declarations) -> Vec<String> {
    let mut parameters = arguments(event, true, types);
    parameters.extend(event.takes_any.then(|| "...rest: any[]".to_owned()));
    parameters
}

/// The parameters for the arguments of an event. The last ones are optional if they may be left
/// out and no parameter follows them.
fn arguments(event: &Received, are_last: bool, types: &mut Declarations) -> Vec<String> {
    let mut names = vec!["ack".to_owned()];
    if event.takes_any {
        names.push("rest".to_owned());
    }
    let mut parameters = Vec::new();
    for (at, argument) in event.arguments.iter().enumerate() {
        let ty = sendable(argument.ty, types);
        let name = unique(parameter(argument, &ty), &mut names);
        let may_be_missing = are_last && event.arguments[at..].iter().all(|argument| argument.optional);
        parameters.push(match (argument.optional, may_be_missing) {
            (true, true) => format!("{name}?: {ty}"),
            (true, false) => format!("{name}: {ty} | undefined"),
            (false, _) => format!("{name}: {ty}"),
        });
    }
    parameters
}

/// The type of the answer to an event that did not fail.
fn answer(reply: &DescribedReply, types: &mut Declarations) -> String {
    match reply {
        DescribedReply::Unknown => "any".to_owned(),
        DescribedReply::Values(values) => match &values[..] {
            [] => "void".to_owned(),
            [value] => types.name(value.ty.typescript),
            values => {
                let values: Vec<_> = values.iter().map(|value| types.name(value.ty.typescript)).collect();
                format!("[{}]", values.join(", "))
            }
        },
    }
}

/// The type of the acknowledgement callback. It is optional if the answer only says that the event
/// was handled. Otherwise `socket.io-client` needs it to infer the answer's type.
fn ack_callback(event: &Received, types: &mut Declarations) -> String {
    let failed = failed(&event.errors, types);
    match &event.reply {
        DescribedReply::Unknown => "ack: (...answer: any[]) => void".to_owned(),
        DescribedReply::Values(values) => match &values[..] {
            [] => format!("ack?: (failed?: {failed}) => void"),
            [_] => format!("ack: (answer: {} | {failed}) => void", answer(&event.reply, types)),
            _ => format!("ack: (...answer: {} | [{failed}]) => void", answer(&event.reply, types)),
        },
    }
}

/// The type of the error answer.
fn failed(errors: &DescribedErrors, types: &mut Declarations) -> String {
    let codes = match errors {
        DescribedErrors::None => Vec::new(),
        DescribedErrors::Any => vec!["string".to_owned()],
        DescribedErrors::Codes { of, codes, of_parameters } => {
            let own: Vec<_> = codes.iter().map(|code| string(code)).collect();
            let named = of.filter(|_| own.len() > 1).and_then(|name| types.codes(name, &own.join(" | ")));
            let others = of_parameters.iter().filter(|code| !codes.contains(code)).map(|code| string(code));
            named.map_or(own, |name| vec![name]).into_iter().chain(others).collect()
        }
    };
    match &codes[..] {
        [] => "Failed".to_owned(),
        codes => format!("Failed<{}>", codes.join(" | ")),
    }
}

/// The type of an argument that clients send. They may send more types of binary data than they
/// receive.
fn sendable(ty: DescribedType, types: &mut Declarations) -> String {
    let name = types.sent_name(ty);
    match ty.typescript.is_some_and(TypeScript::has_binary) {
        true => {
            types.sends_binary = true;
            format!("Sendable<{name}>")
        }
        false => name,
    }
}

/// The name of a parameter: the handler's name for it, otherwise a name derived from its type.
fn parameter(argument: &DescribedArgument, ty: &str) -> String {
    // `_` and similar names contain no words.
    let name = match camel(argument.name) {
        name if name.is_empty() => parameter_of(ty).unwrap_or_else(|| "argument".to_owned()),
        name => name,
    };
    if RESERVED.contains(&&*name) { format!("{name}_") } else { name }
}

fn unique(name: String, names: &mut Vec<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
    let free = free.unwrap_or(name);
    names.push(free.clone());
    free
}

/// The parameter name for a declared type: `delivered` for `Delivered`.
fn parameter_of(ty: &str) -> Option<String> {
    let name = ty.split('<').next()?;
    let is_declared = format::is_identifier(name) && name.starts_with(|first: char| first.is_ascii_uppercase());
    let name = format!("{}{}", name.get(..1)?.to_ascii_lowercase(), &name[1..]);
    (is_declared && name != "array" && name != "arrayBuffer" && !RESERVED.contains(&&*name)).then_some(name)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_owned();
    with_identifier_start(words.fold(first, |name, word| name + &capitalized(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_prefixed_with_their_namespace() {
        let mut taken = Vec::new();
        for (path, expected) in [
            ("/", ""),
            ("/admin", "Admin"),
            ("/room-{id}", "RoomId"),
            ("/a/b_c", "ABC"),
            ("/1x", "_1x"),
            ("/x/1", "X1"),
            ("/чат", "Чат"),
            ("/straße-ß", "StraßeSS"),
            ("/!", "Namespace"),
            ("/½-²", "Namespace2"),
            ("/a-b", "AB"),
            ("/a/b", "AB2"),
            ("/a/b2", "AB22"),
        ] {
            assert_eq!(prefix(path, &mut taken), expected);
        }
    }

    #[test]
    fn parameter_names_are_valid_in_typescript() {
        for (name, expected) in [("user_id", "userId"), ("_1", "_1"), ("_user", "user"), ("__", "")] {
            assert_eq!(camel(name), expected);
        }
        assert_eq!(parameter_of("Page<User>"), Some("page".to_owned()));
        for ty in ["string", "Array<User>", "[User, User]", "New", "User | null", "With", "Var", "Yield"] {
            assert_eq!(parameter_of(ty), None, "{ty}");
        }
        let mut names = vec!["ack".to_owned()];
        assert_eq!(unique("ack".to_owned(), &mut names), "ack2");
        assert_eq!(unique("ack".to_owned(), &mut names), "ack3");
    }
}
