//! Writes the OpenAPI document of a route that emits.

use serde_json::{Map, Value, json};

use super::schemas::Payloads;
use super::{EmittedEvent, EmittedEvents};

/// What the document says besides the events.
#[derive(Clone, Debug)]
pub(crate) struct About<'a> {
    pub(crate) title: &'a str,
    pub(crate) version: &'a str,
    /// The path of the route.
    pub(crate) path: &'a str,
    /// The security scheme: how requests authenticate.
    pub(crate) security: Value,
    /// The most rooms, and the most bytes of the name of a room, of an event and of an idempotency
    /// key.
    pub(crate) max_rooms: usize,
    pub(crate) max_room_name: usize,
    pub(crate) max_event_name: usize,
    pub(crate) max_key: usize,
}

/// The statuses of problems, with what they mean.
const PROBLEMS: [(&str, &str); 11] = [
    ("400", "The body is no JSON, or the idempotency key is malformed."),
    ("401", "The request is not authenticated."),
    ("403", "The caller may not emit."),
    ("404", "There is no such namespace."),
    ("405", "The method is not POST."),
    ("408", "The body did not arrive in time."),
    ("409", "A request with this idempotency key is in progress."),
    ("413", "The body is too large."),
    ("415", "The body is not `application/json`."),
    ("422", "The request is not one that this server can emit, or its idempotency key was used with another body."),
    ("503", "The server can't emit now."),
];

/// Writes the document. `events` are those of the contracts; `None` without one.
pub(crate) fn document(events: Option<&EmittedEvents>, about: &About<'_>) -> Value {
    let mut payloads = Payloads::new();
    let mut request = request_schema(about);
    if let Some(events) = events {
        // An empty `anyOf` is no schema.
        let known: Vec<_> = events.emittable().map(|event| event_schema(event, &mut payloads)).collect();
        match known.is_empty() {
            true => request["not"] = json!({}),
            false => request["anyOf"] = known.into(),
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": about.title, "version": about.version },
        "security": [{ "caller": [] }],
        "paths": { about.path: { "post": operation(about) } },
    });
    document["request"] = request;
    let mut schemas = payloads.finish(&mut document);
    let request = document.as_object_mut().and_then(|members| members.remove("request")).unwrap_or_default();
    // These names begin with a small letter, as no Rust type does.
    schemas.insert("emitRequest".to_owned(), request);
    schemas.insert("emitted".to_owned(), emitted_schema());
    schemas.insert("problem".to_owned(), problem_schema());
    document["components"] = json!({ "schemas": schemas, "securitySchemes": { "caller": about.security } });
    document
}

fn operation(about: &About<'_>) -> Value {
    let problem = |(status, text): (&str, &str)| {
        let schema = json!({ "$ref": "#/components/schemas/problem" });
        let mut response =
            json!({ "description": text, "content": { "application/problem+json": { "schema": schema } } });
        if status == "401" {
            response["headers"] = json!({ "WWW-Authenticate": { "schema": { "type": "string" } } });
        }
        (status.to_owned(), response)
    };
    let mut responses = Map::new();
    let replayed = json!({
        "description": "`true` if the event was emitted by an earlier request with this key.",
        "schema": { "type": "string", "enum": ["true"] },
    });
    responses.insert(
        "202".to_owned(),
        json!({
            "description": "The event is emitted: it is queued for the clients of this server, and for the other servers.",
            "headers": { "Idempotency-Replayed": replayed },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/emitted" } } },
        }),
    );
    responses.extend(PROBLEMS.map(problem));
    let key = json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A request with the key of an earlier one, and the same body, has its answer, and emits nothing.",
        "schema": { "type": "string", "minLength": 1, "maxLength": about.max_key, "pattern": "^[!-~]+$" },
    });
    json!({
        "operationId": "emit",
        "summary": "Emits an event to clients",
        "parameters": [key],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/emitRequest" } } },
        },
        "responses": responses,
    })
}

fn request_schema(about: &About<'_>) -> Value {
    let rooms = |description: &str| {
        json!({
            "description": description,
            "type": "array",
            "items": { "type": "string", "minLength": 1, "maxLength": about.max_room_name },
            "minItems": 1,
            "maxItems": about.max_rooms,
        })
    };
    json!({
        "type": "object",
        "properties": {
            "namespace": { "description": "The path of the namespace.", "type": "string", "pattern": "^/", "default": "/" },
            "rooms": rooms(
                "The rooms whose members receive the event. The id of a socket is a room. Without it, all sockets of the namespace."
            ),
            "except": rooms("The rooms whose members are left out."),
            "event": {
                "description": "The name of the event. Names that the protocol reserves, such as `connect`, are refused.",
                "type": "string",
                "minLength": 1,
                "maxLength": about.max_event_name,
            },
            "args": { "description": "The arguments of the event. Without it, none.", "type": "array" },
            "volatile": {
                "description": "Whether clients that can't receive the event now miss it.",
                "type": "boolean",
                "default": false,
            },
        },
        "required": ["event"],
        "additionalProperties": false,
    })
}

/// What a request has that emits this event.
fn event_schema(event: &EmittedEvent, payloads: &mut Payloads) -> Value {
    let mut properties = json!({
        "event": { "const": event.name },
        "args": { "type": "array", "prefixItems": [payloads.of(event.payload)], "minItems": 1, "maxItems": 1 },
    });
    let mut required = vec!["event", "args"];
    match event.path {
        "/" => properties["namespace"] = json!({ "const": "/" }),
        path if event.pattern.is_some() => {
            properties["namespace"] = json!({ "pattern": expression(path) });
            required.push("namespace");
        }
        path => {
            properties["namespace"] = json!({ "const": path });
            required.push("namespace");
        }
    }
    let mut schema = json!({ "title": event.name });
    if !event.doc.is_empty() {
        schema["description"] = event.doc.into();
    }
    if event.is_deprecated {
        schema["deprecated"] = true.into();
    }
    schema["properties"] = properties;
    schema["required"] = required.into();
    schema
}

/// The regular expression of the paths that a path with parameters stands for.
fn expression(path: &str) -> String {
    let mut expression = "^".to_owned();
    let mut rest = path;
    let literal = |text: &str, expression: &mut String| {
        for character in text.chars() {
            if "\\^$.*+?()[]{}|/".contains(character) && character != '/' {
                expression.push('\\');
            }
            expression.push(character);
        }
    };
    while let Some((before, after)) = rest.split_once('{') {
        literal(before, &mut expression);
        expression.push_str("[^/]+");
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    literal(rest, &mut expression);
    expression.push('$');
    expression
}

fn emitted_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "id": { "description": "The id of the emit.", "type": "string", "format": "uuid" } },
        "required": ["id"],
    })
}

fn problem_schema() -> Value {
    json!({
        "description": "What is wrong (RFC 9457).",
        "type": "object",
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "description": "The phrase of the status.", "type": "string" },
            "status": { "type": "integer" },
            "detail": { "description": "What is wrong with this request.", "type": "string" },
            "code": { "description": "What is wrong, for programs.", "type": "string" },
            "pointer": { "description": "The part of the body that is wrong, as a JSON pointer.", "type": "string" },
        },
        "required": ["type", "title", "status", "detail", "code"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_what_patterns_match() {
        assert_eq!(expression("/room-{id}"), "^/room-[^/]+$");
        assert_eq!(expression("/a.b/{x}+{y}/c"), r"^/a\.b/[^/]+\+[^/]+/c$");
    }
}
