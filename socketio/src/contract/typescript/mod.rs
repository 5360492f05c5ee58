//! Exports contracts as TypeScript. One file holds the payload types, the interfaces for
//! `socket.io-client` and a client for plain WebSockets.
//!
//! [`types`] declares the payload types and [`events`] writes the interfaces. `client.ts`,
//! `failed.ts` and `binary.ts` are templates, in which only a few names are replaced.

mod events;
mod file;
mod format;
mod types;

pub(crate) use file::{assert_exported, export};
pub(crate) use types::TypeScript;

use super::description::Description;
use types::Declarations;

/// The types of error answers.
const FAILED: &str = include_str!("failed.ts");

/// The client for plain WebSockets.
const CLIENT: &str = include_str!("client.ts");

const SENDABLE: &str = "
/** The type that clients may send where they would receive an `ArrayBuffer`. */
export type Sendable<T> = WithBytes<T, ArrayBuffer | globalThis.ArrayBufferView | globalThis.Blob>;
";

/// Envelopes carry binary data as base64 strings.
const ENVELOPE_WITH_BINARY: &str = "type InEnvelope<T> = WithBytes<T, string>;
";

/// The types that replace the binary data in other types. Arrays are interfaces, which the compiler
/// resolves lazily, as it does with objects. Otherwise a type that contains itself in an array
/// would never end.
const BINARY: &str = include_str!("binary.ts");

/// The names that payload types must not have: the file's own, and those of JavaScript types that
/// it uses.
const NAMES: [&str; 23] = [
    "AnswerOf",
    "AnswerTo",
    "ArgumentsOf",
    "Array",
    "ArrayBuffer",
    "ArrayWithBytes",
    "Client",
    "ConnectOptions",
    "EachWithBytes",
    "EventError",
    "Failed",
    "FrameworkCode",
    "HasNoBytes",
    "InEnvelope",
    "IsSame",
    "NotFailed",
    "Record",
    "ReplaceBytes",
    "RequestError",
    "Sendable",
    "SettledAnswer",
    "WithBytes",
    "WithoutAck",
];

/// Returns the whole file.
///
/// # Panics
///
/// Panics if two items of the file would have the same name.
pub(crate) fn typescript(description: &Description) -> String {
    let mut types = Declarations::new();
    let mut prefixes = Vec::new();
    for namespace in &description.namespaces {
        let prefix = events::prefix(namespace.path);
        assert!(
            !prefixes.contains(&prefix),
            "the namespace `{}` would have the same names in TypeScript as another one",
            namespace.path
        );
        prefixes.push(prefix);
        // Payload types are declared before error codes, which are inlined if their name is taken.
        events::declare(namespace, &mut types);
    }
    let own = prefixes
        .iter()
        .flat_map(|prefix| [events::LISTENED, events::SENT].map(|interface| format!("{prefix}{interface}")));
    own.chain(NAMES.map(str::to_owned)).for_each(|name| types.reserve(name));

    let mut interfaces = String::new();
    description.namespaces.iter().for_each(|namespace| events::write(namespace, &mut types, &mut interfaces));

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
    out.push_str(&client(&prefixes, types.has_binary));
    out
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

/// The client. Its defaults are the interfaces of the first namespace, usually `/`.
fn client(prefixes: &[String], has_binary: bool) -> String {
    let prefix = prefixes.first().map(String::as_str).unwrap_or_default();
    let mut client = CLIENT.to_owned();
    for interface in [events::LISTENED, events::SENT] {
        client = client.replace(interface, &format!("{prefix}{interface}"));
    }
    match has_binary {
        true => client.replace("type InEnvelope<T> = T;\n", ENVELOPE_WITH_BINARY),
        false => client
            .replace("type InEnvelope<T> = T;\n\n", "")
            .replace("InEnvelope<Listen[E]>", "Listen[E]")
            .replace("InEnvelope<Emit[E]>", "Emit[E]"),
    }
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
        let text = [FAILED, SENDABLE, BINARY, &client(&[String::new()], true)].concat();
        let mut names = named_types(&text);
        // Names that are declared locally are not affected by payload types.
        let inner = "A Before Bytes Code E Emit F First K Listen Message One R Rest T U Waiting X";
        inner.split(' ').for_each(|name| assert!(names.remove(name), "{name}"));
        [events::LISTENED, events::SENT].iter().for_each(|name| assert!(names.remove(name), "{name}"));
        // `ts-rs` writes these.
        names.extend(["Array", "Record"]);
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
