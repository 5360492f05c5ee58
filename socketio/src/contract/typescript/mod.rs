//! Contracts as TypeScript: one file with the payload types, the interfaces that `socket.io-client` expects, and a client for plain
//! WebSockets.
//!
//! [`types`] declares what the events carry, [`events`] writes the interfaces; `client.ts` and `failed.ts` are the same for all.

mod events;
mod file;
mod format;
mod types;

pub(crate) use file::{assert_exported, export};
pub(crate) use types::TypeScript;

use super::description::Description;
use types::Declarations;

/// What an event is answered with when it fails.
const FAILED: &str = include_str!("failed.ts");

/// The client for plain WebSockets.
const CLIENT: &str = include_str!("client.ts");

const SENDABLE: &str = "
/** What clients may send in the place of an `ArrayBuffer` that they would receive. */
export type Sendable<T> = T extends ArrayBuffer
  ? ArrayBuffer | ArrayBufferView | Blob
  : T extends object
    ? { [K in keyof T]: Sendable<T[K]> }
    : T;
";

/// In envelopes binary data is a base64 string.
const ENVELOPE_WITH_BINARY: &str = "type InEnvelope<T> = T extends (...args: infer A) => infer R
  ? (...args: InEnvelope<A> extends infer B extends unknown[] ? B : never) => R
  : T extends ArrayBuffer | ArrayBufferView | Blob
    ? string
    : T extends object
      ? { [K in keyof T]: InEnvelope<T[K]> }
      : T;
";

/// The file's own names, which no payload type can have.
const NAMES: [&str; 10] = [
    "Failed",
    "EventError",
    "FrameworkCode",
    "Sendable",
    "InEnvelope",
    "Arguments",
    "Answer",
    "Client",
    "ConnectOptions",
    "RequestError",
];

/// The whole file.
///
/// # Panics
///
/// Two things in it would have the same name.
pub(crate) fn typescript(description: &Description) -> String {
    let mut types = Declarations::new();
    let mut interfaces = String::new();
    let mut prefixes = Vec::new();
    for namespace in &description.namespaces {
        let prefix = events::prefix(namespace.path);
        assert!(
            !prefixes.contains(&prefix),
            "the namespace `{}` would have the same names in TypeScript as another one",
            namespace.path
        );
        events::write(namespace, &mut types, &mut interfaces);
        prefixes.push(prefix);
    }
    let own = prefixes
        .iter()
        .flat_map(|prefix| [events::LISTENED, events::SENT].map(|interface| format!("{prefix}{interface}")));
    own.chain(NAMES.map(str::to_owned)).for_each(|name| types.reserve(&name));

    let mut out = format!(
        "// The contract `{}`, written by the server's program from its Rust types. What is changed here is lost.\n",
        description.name
    );
    if !description.doc.is_empty() {
        out.push_str("//\n");
        description.doc.lines().for_each(|line| out.push_str(&format!("{}\n", format!("// {line}").trim_end())));
    }
    types.write(&mut out);
    out.push_str(&interfaces);
    out.push('\n');
    out.push_str(FAILED);
    if types.sends_binary {
        out.push_str(SENDABLE);
    }
    out.push('\n');
    out.push_str(&client(&prefixes, types.has_binary));
    out
}

/// The client, with the interfaces of the first namespace as its defaults: mostly those of `/`.
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

    #[test]
    fn the_frameworks_codes_are_those_of_the_file() {
        let union = FAILED.split(';').next().unwrap();
        let listed: Vec<_> = union.lines().filter_map(|line| line.trim().strip_prefix("| ")).collect();
        assert_eq!(listed, FRAMEWORK_CODES.map(|code| format!("{code:?}")));
    }
}
