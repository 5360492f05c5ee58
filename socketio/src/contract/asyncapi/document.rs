//! Writes the AsyncAPI document: a channel for each namespace, and an operation for each event.

use serde_json::{Map, Value, json};

use super::info::AsyncApiInfo;
use super::schemas::{Maker, Schemas, rename};
use crate::contract::description::{
    DescribedArgument, DescribedReply, Description, Emitted, NamespaceDescription, Received,
};

/// The temporary reference to the framework's own schema, until all names are known.
const ERROR: &str = "#/own/EventError";

type Members = Map<String, Value>;

/// Writes the whole document. `never` has the framework's codes with which the hub answers no
/// event.
pub(crate) fn document(description: &Description, info: AsyncApiInfo, never: &[&str]) -> Value {
    let (info, servers) = info.into_parts(description.doc);
    let mut document = json!({ "asyncapi": "3.0.0", "info": info });
    if !servers.is_empty() {
        document["servers"] = servers.into();
    }
    document["defaultContentType"] = "application/json".into();
    let mut events = Events { never, schemas: Schemas::new(), channels: Map::new(), operations: Map::new() };
    description.namespaces.iter().for_each(|namespace| events.add(namespace));
    let Events { schemas, channels, operations, .. } = events;
    document["channels"] = channels.into();
    document["operations"] = operations.into();
    let mut schemas = schemas.finish(&mut document);
    // The user may have a type of the same name.
    let name = unique("EventError".to_owned(), &schemas);
    rename(&mut document, &|found| (found == ERROR).then(|| format!("#/components/schemas/{name}")));
    schemas.insert(name, error_schema());
    document["components"] = json!({ "schemas": schemas });
    document
}

/// The parts of the document that are collected from all namespaces.
struct Events<'n> {
    never: &'n [&'n str],
    schemas: Schemas,
    channels: Members,
    operations: Members,
}

/// A channel under construction.
struct Channel {
    key: String,
    /// The prefix of its operations' names; empty for the namespace `/`.
    prefix: String,
    messages: Members,
}

impl Channel {
    fn reference(&self) -> Value {
        json!({ "$ref": format!("#/channels/{}", self.key) })
    }

    /// Adds a message and returns a reference to it.
    fn message(&mut self, name: &str, message: Value) -> Value {
        let name = unique(key(name), &self.messages);
        self.messages.insert(name.clone(), message);
        json!({ "$ref": format!("#/channels/{}/messages/{name}", self.key) })
    }
}

impl Events<'_> {
    fn add(&mut self, namespace: &NamespaceDescription) {
        let words = key(&namespace.path.trim_matches('/').replace(['{', '}'], ""));
        let is_root = namespace.path == "/";
        let key = unique(if is_root { "root".to_owned() } else { words }, &self.channels);
        let prefix = if is_root { String::new() } else { format!("{key}.") };
        let mut channel = Channel { key, prefix, messages: Map::new() };
        // Reserves the channel's key.
        self.channels.insert(channel.key.clone(), Value::Null);
        namespace.receives.iter().for_each(|event| self.receive(&mut channel, event));
        namespace.emits.iter().for_each(|event| self.send(&mut channel, event));
        let mut entry = Map::new();
        entry.insert("address".to_owned(), namespace.path.into());
        add_docs(&mut entry, namespace.doc);
        let parameters = parameters(namespace.path);
        if !parameters.is_empty() {
            entry.insert("parameters".to_owned(), parameters.into());
        }
        entry.insert("messages".to_owned(), channel.messages.into());
        self.channels.insert(channel.key, entry.into());
    }

    /// Adds an event that clients send.
    fn receive(&mut self, channel: &mut Channel, event: &Received) {
        let name = format!("receive.{}", event.name);
        let mut message = json!({ "name": event.name, "title": event.name });
        if event.takes_any {
            message["payload"] = json!({ "description": "Any arguments.", "type": "array" });
        } else {
            self.fill(&mut message, &event.arguments, Maker::Client);
        }
        let message = channel.message(&name, message);
        let reply = self.reply(event.name, &event.reply, Maker::Server);
        let codes = event.errors.codes().map(|mut codes| {
            // The framework's own error types have some of its codes.
            for code in event.framework_codes(|code| !self.never.contains(&code)) {
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
            codes
        });
        let reply = channel.message(&format!("{name}.reply"), reply);
        let error = channel.message(&format!("{name}.error"), error_message(event.name, codes.as_deref()));
        let about = (event.doc, event.deprecated);
        self.operation(channel, &name, "receive", about, message, &[reply, error]);
    }

    /// The reply to an event.
    fn reply(&mut self, event: &str, reply: &DescribedReply, maker: Maker) -> Value {
        let mut message = json!({ "name": format!("{event} reply"), "title": "the reply" });
        match reply {
            DescribedReply::Unknown => message["payload"] = json!({ "description": "Any answer." }),
            DescribedReply::Values(values) => self.fill(&mut message, values, maker),
        }
        message
    }

    /// Adds an event that the server emits.
    fn send(&mut self, channel: &mut Channel, event: &Emitted) {
        let name = format!("send.{}", event.name);
        let mut message = json!({ "name": event.name, "title": event.name });
        self.fill(&mut message, &[DescribedArgument::sent(event.payload)], Maker::Server);
        let message = channel.message(&name, message);
        let mut replies = Vec::new();
        if let Some(answer) = &event.answer {
            let reply = self.reply(event.name, answer, Maker::Client);
            replies.push(channel.message(&format!("{name}.reply"), reply));
            replies.push(channel.message(&format!("{name}.error"), error_message(event.name, None)));
        }
        self.operation(channel, &name, "send", (event.doc, event.deprecated), message, &replies);
    }

    /// Adds an operation. `about` has the doc comment and the note of `#[deprecated]`.
    fn operation(
        &mut self,
        channel: &Channel,
        name: &str,
        action: &str,
        (doc, deprecated): (&str, Option<&str>),
        message: Value,
        replies: &[Value],
    ) {
        let mut operation = Map::new();
        operation.insert("action".to_owned(), action.into());
        operation.insert("channel".to_owned(), channel.reference());
        add_docs(&mut operation, doc);
        if let Some(note) = deprecated {
            operation.insert("x-deprecated".to_owned(), if note.is_empty() { true.into() } else { note.into() });
        }
        operation.insert("messages".to_owned(), json!([message]));
        if !replies.is_empty() {
            operation.insert("reply".to_owned(), json!({ "channel": channel.reference(), "messages": replies }));
        }
        let name = unique(key(&format!("{}{name}", channel.prefix)), &self.operations);
        self.operations.insert(name, operation.into());
    }

    /// Sets the payload of a message: its only argument, otherwise the array of its arguments. The
    /// extension `x-arguments` lists the arguments' names.
    fn fill(&mut self, message: &mut Value, arguments: &[DescribedArgument], maker: Maker) {
        let mut schemas: Vec<_> = arguments.iter().map(|argument| self.schemas.of(argument.ty.schema, maker)).collect();
        let payload = match &mut schemas[..] {
            [] => json!({ "description": "No arguments.", "type": "array", "maxItems": 0 }),
            [schema] => object(schema.take()),
            schemas => {
                let items =
                    schemas.iter_mut().zip(arguments).map(|(schema, argument)| titled(schema.take(), argument.name));
                let required = arguments.iter().rposition(|argument| !argument.optional).map_or(0, |last| last + 1);
                json!({
                    "description": "Several arguments.",
                    "type": "array",
                    "prefixItems": items.collect::<Vec<_>>(),
                    "minItems": required,
                    "maxItems": arguments.len(),
                })
            }
        };
        message["payload"] = payload;
        let arguments = arguments.iter().map(|DescribedArgument { name, optional, .. }| match name.is_empty() {
            true => json!({ "required": !optional }),
            false => json!({ "name": name, "required": !optional }),
        });
        message["x-arguments"] = arguments.collect();
    }
}

/// Replaces boolean schemas, which AsyncAPI does not accept as payloads.
fn object(schema: Value) -> Value {
    match schema {
        Value::Bool(true) => json!({}),
        Value::Bool(false) => json!({ "not": {} }),
        schema => schema,
    }
}

fn titled(schema: Value, name: &str) -> Value {
    let mut schema = object(schema);
    if name.is_empty() || schema.get("title").is_some() {
        return schema;
    }
    if schema.get("$ref").is_some() {
        schema = json!({ "allOf": [schema] });
    }
    schema["title"] = name.into();
    schema
}

/// The error answer to an event. `codes` are all of its codes; `None` if they are not known.
fn error_message(event: &str, codes: Option<&[&str]>) -> Value {
    let mut error = json!({ "$ref": ERROR });
    if let Some(codes) = codes {
        error = json!({ "type": "object", "allOf": [error], "properties": { "code": { "enum": codes } } });
    }
    let payload = json!({ "type": "object", "properties": { "error": error }, "required": ["error"] });
    json!({ "name": format!("{event} error"), "title": "an error", "payload": payload })
}

fn error_schema() -> Value {
    json!({
        "description": "The error of an event.",
        "type": "object",
        "properties": {
            "code": { "type": "string" },
            "message": { "type": "string" },
            "argument": { "description": "The position of the invalid argument, counted from 0.", "type": "integer" },
            "path": { "description": "The invalid field of the payload, such as `user.age`.", "type": "string" },
            "data": { "description": "Further data." },
        },
        "required": ["code", "message"],
    })
}

/// Splits a doc comment: its first paragraph is the summary, the rest is the description.
fn add_docs(members: &mut Members, doc: &str) {
    let (summary, description) = doc.trim().split_once("\n\n").unwrap_or((doc.trim(), ""));
    let summary = summary.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    for (member, text) in [("summary", &*summary), ("description", description.trim())] {
        if !text.is_empty() {
            members.insert(member.to_owned(), text.into());
        }
    }
}

/// The parameters of a namespace's path.
fn parameters(path: &str) -> Members {
    let names = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    names.map(|(name, _)| (name.to_owned(), json!({}))).collect()
}

/// Replaces the characters that are not allowed in the document's keys.
pub(super) fn key(name: &str) -> String {
    let allowed = |char: char| if char.is_ascii_alphanumeric() || "_.-".contains(char) { char } else { '_' };
    name.chars().map(allowed).collect()
}

/// Appends a number to the name if it is taken.
pub(super) fn unique(name: String, taken: &Members) -> String {
    let numbered = (2..).map(|number| format!("{name}{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains_key(name));
    free.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;
    use serde::{Deserialize, Serialize};
    use socketio::{RawArgs, contract, event};

    /// This type has the name of one of the framework's schemas.
    #[derive(Deserialize, Serialize, schemars::JsonSchema)]
    #[event("said")]
    struct EventError {
        text: Option<String>,
    }

    /// Says something.
    ///
    /// To everybody.
    #[event("said")]
    fn said(first: u8, second: EventError, _: Option<bool>) -> Option<u8> {
        second.text.map(|_| first)
    }

    #[event("any thing/~")]
    fn any(arguments: RawArgs<'_>) {
        let _ = arguments;
    }

    contract! {
        /// Everything.
        #[export(asyncapi)]
        Everything {
            /// One room.
            "/room-{id}" { receives [said, any] emits [EventError] }
            "/room-id" { receives [any] }
            "/" {}
        }
    }

    fn everything() -> Value {
        document(&Everything::describe(), AsyncApiInfo::new("Everything", "1"), &["rate_limited", "timeout"])
    }

    #[test]
    fn namespaces_become_channels() {
        let document = everything();
        assert_eq!(document["info"]["description"], "Everything.");
        let channels = &document["channels"];
        assert_eq!(channels["room-id"]["address"], "/room-{id}");
        assert_eq!(channels["room-id"]["parameters"], json!({ "id": {} }));
        assert_eq!(channels["room-id"]["summary"], "One room.");
        assert_eq!(channels["room-id2"]["address"], "/room-id");
        assert_eq!(channels["root"], json!({ "address": "/", "messages": {} }));
    }

    #[test]
    fn events_become_operations_and_messages() {
        let document = everything();
        let operation = &document["operations"]["room-id.receive.said"];
        assert_eq!(
            (&operation["summary"], &operation["description"]),
            (&"Says something.".into(), &"To everybody.".into())
        );
        assert_eq!(operation["messages"][0]["$ref"], "#/channels/room-id/messages/receive.said");
        let payload = &document["channels"]["room-id"]["messages"]["receive.said"]["payload"];
        assert_eq!((&payload["minItems"], &payload["maxItems"]), (&2.into(), &3.into()));
        assert_eq!(payload["prefixItems"][1]["title"], "second");
        assert_eq!(payload["prefixItems"][1]["allOf"][0]["$ref"], "#/components/schemas/EventErrorInput");
        assert_eq!(document["operations"]["room-id.send.said"]["action"], "send");
        assert!(document["operations"]["room-id.send.said"].get("reply").is_none());
    }

    #[test]
    fn keys_have_only_characters_that_references_allow() {
        let document = everything();
        assert_eq!(document["operations"]["room-id.receive.any_thing__"]["action"], "receive");
        assert_eq!(document["operations"]["room-id2.receive.any_thing__"]["channel"]["$ref"], "#/channels/room-id2");
        let message = &document["channels"]["room-id"]["messages"]["receive.any_thing__"];
        assert_eq!((&message["name"], &message["payload"]["type"]), (&"any thing/~".into(), &"array".into()));
    }

    #[test]
    fn user_types_keep_their_names_before_framework_schemas() {
        let document = everything();
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["EventError"]["properties"]["text"]["type"], json!(["string", "null"]));
        assert_eq!(schemas["EventError2"]["required"], json!(["code", "message"]));
        let error =
            &document["channels"]["room-id"]["messages"]["receive.said.error"]["payload"]["properties"]["error"];
        assert_eq!(error["allOf"][0]["$ref"], "#/components/schemas/EventError2");
        assert_eq!(error["properties"]["code"]["enum"], json!(["invalid_payload", "internal"]));
    }
}
