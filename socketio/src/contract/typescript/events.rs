//! The two interfaces of a namespace: what clients hear, and what they can send.

use super::format::{self, WIDTH};
use super::types::{Declarations, TypeScript};
use crate::contract::description::{
    DescribedArgument, DescribedErrors, DescribedReply, DescribedType, Emitted, NamespaceDescription, Received,
};

/// What the interfaces are called, beside their namespace.
pub(super) const LISTENED: &str = "ServerToClientEvents";
pub(super) const SENT: &str = "ClientToServerEvents";

/// Words that no parameter can be called: those that ECMAScript reserves in modules, whose code is strict.
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

/// The words of a namespace's path, with which the names of its interfaces begin: none for `/`, `Admin` for `/admin`.
pub(super) fn prefix(path: &str) -> String {
    let words = path.split(|char: char| !char.is_ascii_alphanumeric());
    undigited(words.map(capitalized).collect())
}

/// A name that does not begin with a digit.
fn undigited(name: String) -> String {
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
    write_entries(namespace.emits.iter().map(|event| (event.doc, entry(event.name, &heard(event, types)))), out);
    out.push_str(&head(SENT, "What clients send"));
    write_entries(namespace.receives.iter().map(|event| (event.doc, entry(event.name, &sent(event, types)))), out);
}

/// Writes what stands in an interface, with the comment of each entry.
fn write_entries<'d>(entries: impl Iterator<Item = (&'d str, String)>, out: &mut String) {
    let entries: String = entries.map(|(doc, entry)| format::docs(doc, 2) + &entry).collect();
    out.push_str(&if entries.is_empty() { "{}\n".to_owned() } else { format!("{{\n{entries}}}\n") });
}

/// One event, with its parameters on lines of their own where one line is too short.
fn entry(name: &str, parameters: &[String]) -> String {
    let name = match format::is_identifier(name) {
        true => name.to_owned(),
        false => string(name),
    };
    let short = format!("  {name}: ({}) => void;\n", parameters.join(", "));
    if short.len() <= WIDTH {
        return short;
    }
    // What takes the rest may have no comma behind it.
    let comma = |parameter: &str| if parameter.starts_with("...") { "" } else { "," };
    let lines: String = parameters.iter().map(|parameter| format!("    {parameter}{}\n", comma(parameter))).collect();
    format!("  {name}: (\n{lines}  ) => void;\n")
}

/// A string literal.
pub(super) fn string(text: &str) -> String {
    // A string always serializes, and JSON's strings are TypeScript's.
    serde_json::to_string(text).unwrap_or_default()
}

/// The parameters of a listener.
fn heard(event: &Emitted, types: &mut Declarations) -> Vec<String> {
    let payload = types.name(event.payload.typescript);
    let mut names: Vec<_> = event.answer.iter().map(|_| "answer".to_owned()).collect();
    let name = unique(parameter_of(&payload).unwrap_or_else(|| "payload".to_owned()), &mut names);
    let mut parameters = vec![format!("{name}: {payload}")];
    parameters.extend(event.answer.as_ref().map(|answer| answered(answer, types)));
    parameters
}

/// The function with which a listener answers. An answer that may be `null` may be left out.
fn answered(answer: &DescribedReply, types: &mut Declarations) -> String {
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

/// The parameters with which an event is sent.
fn sent(event: &Received, types: &mut Declarations) -> Vec<String> {
    let mut names = vec!["ack".to_owned()];
    let needs_ack = match &event.reply {
        DescribedReply::Values(values) => !values.is_empty(),
        DescribedReply::Unknown => !event.takes_any,
    };
    let last = match (event.takes_any, needs_ack) {
        (false, _) => ack(event, types),
        (true, true) => format!("...rest: [...rest: any[], {}]", ack(event, types)),
        // After any number of arguments nothing may be left out, and they may be an `ack` as well.
        (true, false) => "...rest: any[]".to_owned(),
    };
    if event.takes_any {
        names.push("rest".to_owned());
    }
    let mut parameters = Vec::new();
    for (at, argument) in event.arguments.iter().enumerate() {
        let ty = sendable(argument.ty, types);
        let name = unique(parameter(argument, &ty), &mut names);
        // Nothing can be left out before what can't.
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

/// The function that is called with the answer. It may be left out where the answer only says that the event was handled; with
/// any other, `socket.io-client` needs it to be there to find its type.
fn ack(event: &Received, types: &mut Declarations) -> String {
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

/// What an event is answered with when it fails.
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

/// A type that clients send. For binary data there are more that they may.
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

/// What a parameter is called: as in the handler, or like its type.
fn parameter(argument: &DescribedArgument, ty: &str) -> String {
    // `_` and the like have no words in them.
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

/// What a parameter of a declared type is called: `delivered` for `Delivered`.
fn parameter_of(ty: &str) -> Option<String> {
    let name = ty.split('<').next()?;
    let is_declared = format::is_identifier(name) && name.starts_with(|first: char| first.is_ascii_uppercase());
    let name = format!("{}{}", name.get(..1)?.to_ascii_lowercase(), &name[1..]);
    (is_declared && name != "array" && name != "arrayBuffer" && !RESERVED.contains(&&*name)).then_some(name)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_owned();
    undigited(words.fold(first, |name, word| name + &capitalized(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_begin_the_names_of_their_interfaces() {
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
    fn parameters_have_names_that_typescript_takes() {
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
