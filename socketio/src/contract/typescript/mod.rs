//! Exports contracts as TypeScript. One file holds the payload types, the interfaces for
//! `socket.io-client` and a client for plain WebSockets.
//!
//! [`types`] declares the payload types and [`events`] writes the interfaces. `client.ts`,
//! `socketio.ts`, `failed.ts` and `binary.ts` are templates, in which only a few names are
//! replaced.

mod emitter;
mod events;
mod file;
mod format;
#[cfg(feature = "asyncapi")]
mod inputs;
#[cfg(not(feature = "asyncapi"))]
#[path = "no_inputs.rs"]
mod inputs;
mod types;

pub(crate) use emitter::emitter;
pub(crate) use file::{assert_exported, export};
pub(crate) use types::TypeScript;

use super::description::{Description, NamespaceDescription, Received};
use crate::hub::reauthentication::REAUTHENTICATE;
use inputs::Inputs;
use types::Declarations;

/// The types of error answers.
const FAILED: &str = include_str!("failed.ts");

/// The client for plain WebSockets.
const CLIENT: &str = include_str!("client.ts");

const SENDABLE: &str = "
/** The type that clients may send where they would receive an `ArrayBuffer`. */
export type Sendable<T> = WithBytes<T, ArrayBuffer | BytesView | globalThis.Blob>;
";

/// `request` for `socket.io-client`, and its signature for a namespace.
const SOCKETIO: &str = include_str!("socketio.ts");

/// `reauthenticate` for `socket.io-client`, and its signature for a namespace.
const REAUTHENTICATION: &str = include_str!("reauthenticate.ts");

/// Envelopes carry binary data as base64 strings.
const ENVELOPE_WITH_BINARY: &str = "type InEnvelope<T> = WithBytes<T, string>;
";

/// The types that replace the binary data in other types. Arrays are interfaces, which the compiler
/// resolves lazily, as it does with objects. Otherwise a type that contains itself in an array
/// would never end.
const BINARY: &str = include_str!("binary.ts");

/// The interfaces of a namespace, without its prefix.
const INTERFACES: [&str; 3] = [events::LISTENED, events::SENT, events::REQUESTS];

/// The names that payload types must not have: the file's own, and those of JavaScript types that
/// it uses.
const NAMES: [&str; 21] = [
    "AnswerTo",
    "ArgumentsOf",
    "Array",
    "ArrayBuffer",
    "ArrayWithBytes",
    "BytesView",
    "Client",
    "ConnectOptions",
    "EachWithBytes",
    "EventError",
    "Failed",
    "FrameworkCode",
    "HasNoBytes",
    "InEnvelope",
    "IsSame",
    "Record",
    "ReplaceBytes",
    "RequestError",
    "Sendable",
    "Sender",
    "WithBytes",
];

/// Further names of a file with `reauthenticate`.
const REAUTHENTICATION_NAMES: [&str; 2] = ["AskedSocket", "ProofOfIdentity"];

/// Returns the whole file.
///
/// # Panics
///
/// Panics if two items of the file would have the same name.
pub(crate) fn typescript(description: &Description) -> String {
    // The client needs the interfaces of one namespace at least.
    let nothing = [NamespaceDescription { path: "/", doc: "", receives: Vec::new(), emits: Vec::new() }];
    let namespaces = if description.namespaces.is_empty() { &nothing[..] } else { &description.namespaces };
    let mut types = Declarations::new();
    types.inputs = Inputs::of(namespaces);
    if !types.inputs.is_empty() {
        // What the server sends has the names of the Rust types.
        namespaces.iter().for_each(|namespace| events::declare_outputs(namespace, &mut types));
    }
    // Payload types are declared before error codes, which are inlined if their name is taken.
    namespaces.iter().for_each(|namespace| events::declare(namespace, &mut types));
    let mut prefixes = Vec::new();
    namespaces.iter().for_each(|namespace| drop(events::prefix(namespace.path, &mut prefixes)));
    let own = prefixes.iter().flat_map(|prefix| INTERFACES.map(|interface| format!("{prefix}{interface}")));
    own.chain(NAMES.map(str::to_owned)).for_each(|name| types.reserve(name));
    if namespaces.iter().any(takes_proof) {
        REAUTHENTICATION_NAMES.into_iter().for_each(|name| types.reserve(name.to_owned()));
    }

    let mut interfaces = String::new();
    for (namespace, prefix) in namespaces.iter().zip(&prefixes) {
        events::write(namespace, prefix, &mut types, &mut interfaces);
    }

    let mut out =
        format!("// The contract `{}`, generated from the server's Rust types. Do not edit.\n", description.name);
    if !description.doc.is_empty() {
        out.push_str("//\n");
        lines(description.doc).for_each(|line| out.push_str(&format!("{}\n", format!("// {line}").trim_end())));
    }
    types.write(&mut out);
    out.push_str(&interfaces);
    out.push('\n');
    out.push_str(FAILED);
    if types.has_binary {
        out.push_str(&binary(&types));
    }
    if types.sends_binary {
        out.push_str(SENDABLE);
    }
    out.push('\n');
    let default = namespaces.iter().position(|namespace| namespace.path == "/").unwrap_or_default();
    out.push_str(&client(&prefixes[default], types.has_binary, takes_proof(&namespaces[default])));
    let prefixes_of = |is_wanted: fn(&NamespaceDescription) -> bool| {
        let wanted = namespaces.iter().zip(&prefixes).filter(move |(namespace, _)| is_wanted(namespace));
        wanted.map(|(_, prefix)| prefix.as_str()).collect::<Vec<_>>()
    };
    for (template, prefixes) in [
        (SOCKETIO, prefixes_of(|namespace| !namespace.receives.is_empty())),
        (REAUTHENTICATION, prefixes_of(takes_proof)),
    ] {
        if !prefixes.is_empty() {
            out.push_str(&socketio(template, &prefixes));
        }
    }
    out
}

/// Whether clients of a namespace send a new proof of identity, as one argument.
fn takes_proof(namespace: &NamespaceDescription) -> bool {
    let is_proof = |event: &Received| event.name == REAUTHENTICATE && event.arguments.len() == 1 && !event.takes_any;
    namespace.receives.iter().any(is_proof)
}

/// Resolves the conditions of a template: lines between `// if reauthenticate` and `// else` or
/// `// end` are kept if `is_kept`, those between `// else` and `// end` otherwise.
fn with_reauthentication(template: &str, is_kept: bool) -> String {
    let mut keeps = true;
    let lines = template.split_inclusive('\n').filter(|line| {
        keeps = match line.trim() {
            "// if reauthenticate" => is_kept,
            "// else" => !is_kept,
            "// end" => true,
            _ => return keeps,
        };
        false
    });
    lines.collect()
}

/// The lines of a text by JavaScript's line terminators, each of which ends a `//` comment.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split(['\r', '\u{2028}', '\u{2029}']))
}

/// The types that replace binary data. Recursive types without binary data are excluded, because
/// their expansion would not end inside a tuple.
fn binary(types: &Declarations) -> String {
    let same: String = types.recursive().map(|name| format!(" | IsSame<T, {name}>")).collect();
    let binary = BINARY.replace("IsSame<T, any>;", &format!("IsSame<T, any>{same};"));
    format!("\n{binary}")
}

/// The client. Its defaults are the interfaces of the namespace `/`, or of the first one.
fn client(prefix: &str, has_binary: bool, takes_proof: bool) -> String {
    let client = with_prefix(&with_reauthentication(CLIENT, takes_proof), prefix);
    match has_binary {
        true => client.replace("type InEnvelope<T> = T;\n", ENVELOPE_WITH_BINARY),
        false => client
            .replace("type InEnvelope<T> = T;\n\n", "")
            .replace("InEnvelope<Listen[E]>", "Listen[E]")
            .replace("InEnvelope<Requests[E]>", "Requests[E]"),
    }
}

/// A function for `socket.io-client`. It has one signature for each namespace, because the types of
/// a socket do not tell which one it is of.
fn socketio(template: &str, prefixes: &[&str]) -> String {
    let begin = template.find("export function").unwrap_or_default();
    let end = template[begin..].find(";\n").map_or(begin, |length| begin + length + 2);
    let signatures: String = prefixes.iter().map(|prefix| with_prefix(&template[begin..end], prefix)).collect();
    [&template[..begin], &signatures, &template[end..]].concat()
}

/// Adds a namespace's prefix to the names of the interfaces.
fn with_prefix(template: &str, prefix: &str) -> String {
    let add = |text: String, interface| text.replace(interface, &format!("{prefix}{interface}"));
    INTERFACES.into_iter().fold(template.to_owned(), add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::error::FRAMEWORK_CODES;
    use std::collections::BTreeSet;

    /// The types that are named in the text without `globalThis.`, which a payload type of the same
    /// name would shadow. No value has the name of a type.
    fn named_types(text: &str) -> BTreeSet<&str> {
        let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['/', '*']));
        let names = lines.flat_map(|line| {
            let words = line
                .split(|char| !is_word(char))
                .filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()));
            words.filter(move |word| {
                let begin = word.as_ptr() as usize - line.as_ptr() as usize;
                let (before, after) = (&line[..begin], &line[begin + word.len()..]);
                let is_field = before.ends_with('.') && !before.ends_with("...");
                let is_value = before.ends_with("new ") || before.ends_with("class RequestError extends ");
                let is_text = before.matches(['"', '`']).count() % 2 == 1;
                !(is_field || is_value || is_text || after.starts_with(['.', '(']))
            })
        });
        names.collect()
    }

    #[test]
    fn all_names_of_the_file_are_reserved() {
        let text = [
            FAILED,
            SENDABLE,
            BINARY,
            &client("", true, true),
            &socketio(SOCKETIO, &[""]),
            &socketio(REAUTHENTICATION, &[""]),
        ]
        .concat();
        let mut names = named_types(&text);
        // Names that are declared locally are not affected by payload types.
        let inner = "A Bytes Code E F K Listen Message P R Requests T U Waiting X";
        inner.split(' ').for_each(|name| assert!(names.remove(name), "{name}"));
        INTERFACES.iter().for_each(|name| assert!(names.remove(name), "{name}"));
        // `ts-rs` writes these.
        names.extend(["Array", "Record"]);
        REAUTHENTICATION_NAMES.iter().for_each(|name| assert!(names.remove(name), "{name}"));
        assert_eq!(names.into_iter().collect::<Vec<_>>(), NAMES);
    }

    #[test]
    fn lines_end_at_javascript_line_terminators() {
        assert_eq!(lines("a\nb\r\nc\rd\u{2028}e\u{2029}\n").collect::<Vec<_>>(), ["a", "b", "c", "d", "e", ""]);
    }

    #[test]
    fn the_file_lists_all_framework_codes() {
        let union = FAILED.split(';').next().unwrap();
        let listed: Vec<_> = union.lines().filter_map(|line| line.trim().strip_prefix("| ")).collect();
        assert_eq!(listed, FRAMEWORK_CODES.map(|code| format!("{code:?}")));
    }
}
