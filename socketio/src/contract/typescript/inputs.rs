//! The types of payloads that clients send, where they differ from what the server sends.
//!
//! A client may leave out a field with `#[serde(default)]` or an `Option`, but the server always
//! sends it. `ts-rs` knows one form of a type. `schemars` knows both. If the contract is exported
//! as AsyncAPI too, such a type is written from its JSON Schema.

use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

use super::events::string;
use super::types::Declarations;
use crate::contract::asyncapi::Forms;
use crate::contract::description::{DescribedType, NamespaceDescription};

/// The schemas of what clients send.
#[derive(Default)]
pub(super) struct Inputs {
    forms: Forms,
    /// The TypeScript names of definitions that are declared already.
    names: HashMap<String, String>,
}

impl Inputs {
    pub(super) fn of(namespaces: &[NamespaceDescription]) -> Self {
        let sent = namespaces.iter().flat_map(NamespaceDescription::sent_by_clients);
        let sent = sent.filter(|ty| ty.typescript.is_some()).filter_map(|ty| Some((ty.id, ty.schema?)));
        Self { forms: Forms::of(sent), names: HashMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.forms.types.is_empty()
    }

    /// The TypeScript form of a type, if it differs. The types in it are declared.
    pub(super) fn name(&mut self, ty: DescribedType, types: &mut Declarations) -> Option<String> {
        let schema = self.forms.types.get(&ty.id)?.clone();
        Some(self.written(&schema, types))
    }

    /// Writes a schema as a type.
    fn written(&mut self, schema: &Value, types: &mut Declarations) -> String {
        let Value::Object(schema) = schema else {
            return if *schema == Value::Bool(false) { "never" } else { "any" }.to_owned();
        };
        if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(Forms::name_of) {
            return self.reference(&name, types);
        }
        if schema.get("contentEncoding").is_some() {
            return "ArrayBuffer".to_owned();
        }
        if let Some(value) = schema.get("const") {
            return literal(value);
        }
        if let Some(Value::Array(values)) = schema.get("enum") {
            return union(values.iter().map(literal));
        }
        // All of them hold.
        let mut parts = Vec::new();
        for word in ["oneOf", "anyOf"] {
            if let Some(Value::Array(several)) = schema.get(word) {
                let several: Vec<_> = several.iter().map(|schema| self.written(schema, types)).collect();
                parts.push(union(several));
            }
        }
        if let Some(Value::Array(all)) = schema.get("allOf") {
            parts.extend(all.iter().map(|schema| self.written(schema, types)));
        }
        let own = match schema.get("type") {
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ if schema.contains_key("properties") => vec!["object"],
            _ => Vec::new(),
        };
        // An object that only has the members of its alternatives is described by them.
        let is_described = !parts.is_empty() && own == ["object"] && !schema.contains_key("properties");
        if !own.is_empty() && !is_described {
            let own: Vec<_> = own.iter().map(|ty| self.of_type(ty, schema, types)).collect();
            parts.push(union(own));
        }
        match &parts[..] {
            [] => "any".to_owned(),
            [part] => part.clone(),
            parts => {
                let parts: Vec<_> = parts.iter().map(|part| grouped(part)).collect();
                parts.join(" & ")
            }
        }
    }

    /// The name of a definition, which is declared.
    fn reference(&mut self, name: &str, types: &mut Declarations) -> String {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let definition = self.forms.definitions.get(name).cloned().unwrap_or_default();
        if definition.get("contentEncoding").is_some() {
            return "ArrayBuffer".to_owned();
        }
        if !self.forms.differing.contains(name) && types.has(name) {
            return name.to_owned();
        }
        let given = types.free_name(name);
        self.names.insert(name.to_owned(), given.clone());
        // The place in the file is reserved before the types in it are declared.
        let docs = definition.get("description").and_then(Value::as_str).unwrap_or_default();
        let place = types.declare_input(&given, docs);
        let text = self.written(&definition, types);
        types.set_input(place, &format!("type {given} = {text}"), self.is_recursive(name));
        given
    }

    /// Whether a definition contains itself but no binary data.
    fn is_recursive(&self, name: &str) -> bool {
        let mut seen = HashSet::new();
        let mut left = vec![name.to_owned()];
        let mut has_itself = false;
        while let Some(next) = left.pop() {
            let Some(definition) = self.forms.definitions.get(&next) else { continue };
            if definition.get("contentEncoding").is_some() {
                return false;
            }
            let inner = Forms::references(definition);
            has_itself |= inner.iter().any(|inner| inner == name);
            left.extend(inner.into_iter().filter(|inner| seen.insert(inner.clone())));
        }
        has_itself
    }

    fn of_type(&mut self, ty: &str, schema: &Map<String, Value>, types: &mut Declarations) -> String {
        match ty {
            "string" | "boolean" | "null" => ty.to_owned(),
            "integer" | "number" => "number".to_owned(),
            "array" => self.array(schema, types),
            _ => self.object(schema, types),
        }
    }

    fn array(&mut self, schema: &Map<String, Value>, types: &mut Declarations) -> String {
        if let Some(Value::Array(items)) = schema.get("prefixItems") {
            let items: Vec<_> = items.iter().map(|item| self.written(item, types)).collect();
            return format!("[{}]", items.join(", "));
        }
        let item = schema.get("items").map_or_else(|| "any".to_owned(), |item| self.written(item, types));
        let bound = |word| schema.get(word).and_then(Value::as_u64);
        match (bound("minItems"), bound("maxItems")) {
            // An array of Rust, which `ts-rs` writes as a tuple as well.
            (Some(least), Some(most)) if least == most && most <= 64 => {
                let items: Vec<_> = (0..most).map(|_| item.clone()).collect();
                format!("[{}]", items.join(", "))
            }
            _ => format!("Array<{item}>"),
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, types: &mut Declarations) -> String {
        let mut members = String::new();
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|known| known == name));
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (name, property) in properties {
                members.push_str(&docs(property));
                let mark = if is_required(name) { "" } else { "?" };
                members.push_str(&format!("{}{mark}: {}, ", string(name), self.written(property, types)));
            }
        }
        let others = schema.get("additionalProperties").filter(|others| **others != Value::Bool(false));
        let patterns = schema.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::values);
        let others: Vec<_> = others.into_iter().chain(patterns).map(|other| self.written(other, types)).collect();
        let map = (!others.is_empty()).then(|| format!("{{ [key in string]: {} }}", union(others)));
        match (members.is_empty(), map) {
            (true, Some(map)) => map,
            (true, None) => "object".to_owned(),
            (false, None) => format!("{{ {members} }}"),
            (false, Some(map)) => format!("{{ {members} }} & {map}"),
        }
    }
}

/// The doc comment of a member, in the form that `ts-rs` writes.
fn docs(property: &Value) -> String {
    let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
    let deprecated = property.get("deprecated").is_some_and(|is| *is == true);
    let text = format!("{text}{}", if deprecated { "\n\n@deprecated" } else { "" });
    if text.is_empty() {
        return text;
    }
    format!("\n/**\n * {}\n */\n", text.trim().replace('\n', "\n * "))
}

/// Writes a JSON value as a type. A value that is no literal may be anything.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => "any".to_owned(),
        value => value.to_string(),
    }
}

fn union(parts: impl IntoIterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for part in parts {
        if !all.contains(&part) {
            all.push(part);
        }
    }
    all.join(" | ")
}

/// Brackets around a union inside an intersection.
fn grouped(part: &str) -> String {
    if part.contains(" | ") { format!("({part})") } else { part.to_owned() }
}
