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

/// The prefix of a namespace's interfaces: empty for `/`, `Admin` for `/admin`.
pub(super) fn prefix(path: &str) -> String {
    let words = path.split(|char: char| !char.is_ascii_alphanumeric());
    without_leading_digit(words.map(capitalized).collect())
}

/// Prefixes a name that begins with a digit.
fn without_leading_digit(name: String) -> String {
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// Declares the types of a namespace's events.
pub(super) fn declare(namespace: &NamespaceDescription, types: &mut Declarations) {
    for event in &namespace.emits {
        let answer = event.answer.as_ref().map_or(&[][..], DescribedReply::values);
        [event.payload].iter().chain(answer).for_each(|ty| drop(types.name(ty.typescript)));
    }
    for event in &namespace.receives {
        event.reply.values().iter().for_each(|ty| drop(types.name(ty.typescript)));
        event.arguments.iter().for_each(|argument| drop(types.name(argument.ty.typescript)));
    }
}

/// Writes the interfaces of a namespace.
pub(super) fn write(namespace: &NamespaceDescription, types: &mut Declarations, out: &mut String) {
    let prefix = prefix(namespace.path);
    let place = match namespace.path {
        "/" => String::new(),
        path => format!(", in the namespace `{path}`"),
    };
    let head = |name: &str, what: &str| {
        let about = if namespace.doc.is_empty() { String::new() } else { format!("\n\n{}", namespace.doc) };
        format!("\n{}export interface {prefix}{name} ", format::docs(&format!("{what}{place}.{about}"), 0))
    };
    out.push_str(&head(LISTENED, "What the server emits"));
    write_entries(
        namespace.emits.iter().map(|event| (event.doc, entry(event.name, &listener_parameters(event, types)))),
        out,
    );
    out.push_str(&head(SENT, "What clients send"));
    write_entries(
        namespace.receives.iter().map(|event| (event.doc, entry(event.name, &emit_parameters(event, types)))),
        out,
    );
}

/// Writes the entries of an interface.
fn write_entries<'d>(entries: impl Iterator<Item = (&'d str, String)>, out: &mut String) {
    let entries: String = entries.map(|(doc, entry)| format::docs(doc, 2) + &entry).collect();
    out.push_str(&if entries.is_empty() { "{}\n".to_owned() } else { format!("{{\n{entries}}}\n") });
}

/// Writes one event. Its parameters are on separate lines if they do not fit on one.
fn entry(name: &str, parameters: &[String]) -> String {
    let name = match format::is_identifier(name) {
        true => name.to_owned(),
        false => string(name),
    };
    let short = format!("  {name}: ({}) => void;\n", parameters.join(", "));
    if short.len() <= WIDTH {
        return short;
    }
    // TypeScript forbids a comma after a rest parameter.
    let comma = |parameter: &str| if parameter.starts_with("...") { "" } else { "," };
    let lines: String = parameters.iter().map(|parameter| format!("    {parameter}{}\n", comma(parameter))).collect();
    format!("  {name}: (\n{lines}  ) => void;\n")
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

/// The type of the function with which a listener answers. An answer that may be `null` is
/// optional.
fn answer_callback(answer: &DescribedReply, types: &mut Declarations) -> String {
    let parameters = match answer {
        DescribedReply::Unknown => "...answer: any[]".to_owned(),
        DescribedReply::Values(values) => {
            let values: Vec<_> = values.iter().map(|value| sendable(*value, types)).collect();
            match &values[..] {
                [] => "failed?: Failed<string>".to_owned(),
                [value] if value.split(" | ").any(|part| part == "null") => {
                    format!("answer?: {value} | Failed<string>")
                }
                [value] => format!("answer: {value} | Failed<string>"),
                values => format!("...answer: [{}] | [Failed<string>]", values.join(", ")),
            }
        }
    };
    format!("answer: ({parameters}) => void")
}

/// The parameters for sending an event.
fn emit_parameters(event: &Received, types: &mut Declarations) -> Vec<String> {
    let mut names = vec!["ack".to_owned()];
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
    if event.takes_any {
        names.push("rest".to_owned());
    }
    let mut parameters = Vec::new();
    for (at, argument) in event.arguments.iter().enumerate() {
        let ty = sendable(argument.ty, types);
        let name = unique(parameter(argument, &ty), &mut names);
        // Only trailing parameters can be optional.
        let may_be_missing = !needs_ack && event.arguments[at..].iter().all(|argument| argument.optional);
        parameters.push(match (argument.optional, may_be_missing) {
            (true, true) => format!("{name}?: {ty}"),
            (true, false) => format!("{name}: {ty} | undefined"),
            (false, _) => format!("{name}: {ty}"),
        });
    }
    parameters.push(last);
    parameters
}

/// The type of the acknowledgement callback. It is optional if the answer only says that the event
/// was handled. Otherwise `socket.io-client` needs it to infer the answer's type.
fn ack_callback(event: &Received, types: &mut Declarations) -> String {
    let failed = failed(&event.errors, types);
    match &event.reply {
        DescribedReply::Unknown => "ack: (answer: any) => void".to_owned(),
        DescribedReply::Values(values) => match &values[..] {
            [] => format!("ack?: (failed?: {failed}) => void"),
            [value] => format!("ack: (answer: {} | {failed}) => void", types.name(value.typescript)),
            values => {
                let values: Vec<_> = values.iter().map(|value| types.name(value.typescript)).collect();
                format!("ack: (...answer: [{}] | [{failed}]) => void", values.join(", "))
            }
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
    let name = types.name(ty.typescript);
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
    without_leading_digit(words.fold(first, |name, word| name + &capitalized(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_prefixed_with_their_namespace() {
        for (path, expected) in [
            ("/", ""),
            ("/admin", "Admin"),
            ("/room-{id}", "RoomId"),
            ("/a/b_c", "ABC"),
            ("/1x", "_1x"),
            ("/x/1", "X1"),
        ] {
            assert_eq!(prefix(path), expected);
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
