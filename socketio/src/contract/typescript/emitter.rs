//! Exports a contract as an emitter for back-ends: a file beside the one for clients, whose types
//! it imports.

use super::events::{self, LISTENED};
use super::types::TypeScript;
use crate::contract::description::{Description, Emitted, NamespaceDescription};

/// The emitter, and the types of the events of a namespace.
const EMITTER: &str = include_str!("emitter.ts");

/// Writes the file. `module` is that of the client's file, such as `./chat.js`.
pub(crate) fn emitter(description: &Description, module: &str) -> String {
    let mut prefixes = Vec::new();
    description.namespaces.iter().for_each(|namespace| drop(events::prefix(namespace.path, &mut prefixes)));
    let emitting: Vec<_> = description
        .namespaces
        .iter()
        .zip(&prefixes)
        .map(|(namespace, prefix)| (namespace, prefix, emittable(namespace)))
        .filter(|(.., names)| !names.is_empty())
        .collect();
    let mut out = format!(
        "// Emits the events of the contract `{}` over HTTP, from back-ends. Generated from the server's Rust types. Do not edit.\n",
        description.name
    );
    if !emitting.is_empty() {
        let imported: Vec<_> = emitting.iter().map(|(_, prefix, _)| format!("{prefix}{LISTENED}")).collect();
        out.push_str(&format!("\nimport type {{ {} }} from {};\n", imported.join(", "), events::string(module)));
        out.push_str(
            "\n/** The payloads of events. */\n\
             type Payloads<Events, E extends keyof Events> = {\n  \
             [K in E]: Events[K] extends (payload: infer P, ...rest: any[]) => unknown ? P : never;\n};\n",
        );
    }
    for (namespace, prefix, names) in &emitting {
        let names: Vec<_> = names.iter().map(|name| events::string(name)).collect();
        out.push_str(&format!(
            "\n/** The events that a back-end can emit in the namespace `{}`. */\n\
             export type {prefix}Emits = Payloads<{prefix}{LISTENED}, {}>;\n",
            namespace.path,
            names.join(" | ")
        ));
    }
    out.push('\n');
    out.push_str(EMITTER);
    out.push_str(&class(&emitting));
    out
}

/// The events that need no answer, and whose payloads are JSON.
fn emittable(namespace: &NamespaceDescription) -> Vec<&'static str> {
    let can_be_emitted =
        |event: &&Emitted| event.answer.is_none() && !event.payload.typescript.is_some_and(TypeScript::has_binary);
    namespace.emits.iter().filter(can_be_emitted).map(|event| event.name).collect()
}

/// The class `Emitter`, which selects the namespace `/`.
fn class(emitting: &[(&NamespaceDescription, &String, Vec<&str>)]) -> String {
    let root = emitting.iter().any(|(namespace, ..)| namespace.path == "/");
    let events = if root { "Emits" } else { "{}" };
    let signatures: String = emitting
        .iter()
        .map(|(namespace, prefix, _)| format!("  of(path: {}): Selection<{prefix}Emits>;\n", path_type(namespace.path)))
        .collect();
    let of = match emitting {
        [] => String::new(),
        _ => format!(
            "\n  /** Selects a namespace. */\n{signatures}  of(path: string): Selection<any> {{\n    \
             return new Selection(this.url, this.options, {{ namespace: path }});\n  }}\n"
        ),
    };
    format!(
        "\n/** Emits to the clients of a server over HTTP. It selects the namespace `/`. */\n\
         export class Emitter extends Selection<{events}> {{\n  \
         /** `url` is that of the server's route, such as `https://chat.example/emit`. */\n  \
         constructor(url: string, options: EmitterOptions) {{\n    super(url, options, {{ namespace: \"/\" }});\n  }}\n\
         {of}}}\n"
    )
}

/// The type of the paths of a namespace.
fn path_type(path: &str) -> String {
    let mut text = String::new();
    let mut rest = path;
    let escaped = |literal: &str| literal.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${");
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(&escaped(before));
        text.push_str("${string}");
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    if text.is_empty() {
        return events::string(path);
    }
    format!("`{text}{}`", escaped(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_parameters_are_template_types() {
        assert_eq!(path_type("/admin"), "\"/admin\"");
        assert_eq!(path_type("/room-{id}/`{x}$"), "`/room-${string}/\\`${string}$`");
    }
}
