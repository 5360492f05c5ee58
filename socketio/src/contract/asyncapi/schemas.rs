//! Gathers the JSON Schemas of payloads, each once by name.
//!
//! The schemas for reading and for writing a type may differ: a field with a default is optional
//! when it is read, but is always written. Each type therefore has two schemas. The document merges
//! them if they are equal.

use percent_encoding::percent_decode_str;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{RemoveRefSiblings, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
#[cfg(feature = "typescript")]
use std::any::TypeId;
use std::borrow::Cow;
#[cfg(feature = "typescript")]
use std::collections::HashMap;
use std::collections::{BTreeMap, BTreeSet};

use super::document::{key, unique};
use crate::hub::socket::SocketId;
use crate::wire::any_value::AnyValue;
use crate::wire::binary::Binary;

/// The path of the schemas in a document.
const SCHEMAS: &str = "#/components/schemas/";
/// The temporary paths of schemas, until it is known which of them differ.
const READ: &str = "#/read/";
const WRITTEN: &str = "#/written/";

/// A function that makes the schema of a Rust type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SchemaSource(fn(&mut SchemaGenerator) -> Schema);

impl SchemaSource {
    pub(crate) fn of<T: JsonSchema + ?Sized>() -> Self {
        Self(SchemaGenerator::subschema_for::<T>)
    }
}

/// The side that sends a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Client,
    Server,
}

/// The schemas that a document uses.
pub(crate) struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = |prefix: &'static str| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = prefix.trim_start_matches('#').trim_end_matches('/').into();
            settings
        };
        Self {
            read: settings(READ).for_deserialize().into_generator(),
            written: settings(WRITTEN).for_serialize().into_generator(),
        }
    }

    /// The schema of a type, or a reference to it that becomes valid with [`finish`](Self::finish).
    /// A type without a schema may be anything.
    pub(crate) fn of(&mut self, ty: Option<SchemaSource>, maker: Maker) -> Value {
        let Some(ty) = ty else { return Value::Bool(true) };
        let generator = match maker {
            Maker::Client => &mut self.read,
            Maker::Server => &mut self.written,
        };
        simple(ty.0(generator))
    }

    /// Returns all named schemas under their final names, and updates the references in the
    /// document.
    pub(crate) fn finish(mut self, document: &mut Value) -> Map<String, Value> {
        let read = definitions(&mut self.read);
        let written = definitions(&mut self.written);
        let differing = differing(&read, &written);
        let mut schemas = Map::new();
        let mut insert = |name: &str, schema| {
            let name = unique(key(name), &schemas);
            schemas.insert(name.clone(), schema);
            name
        };
        let mut written_names = BTreeMap::new();
        for (name, schema) in written {
            written_names.insert(name.clone(), insert(&name, schema));
        }
        let mut read_names = BTreeMap::new();
        for (name, schema) in read {
            let given = match written_names.get(&name) {
                Some(_) if differing.contains(&name) => insert(&format!("{name}Input"), schema),
                Some(known) => known.clone(),
                None => insert(&name, schema),
            };
            read_names.insert(name, given);
        }
        let final_name = |reference: &str| {
            let (names, name) = match reference.strip_prefix(READ) {
                Some(name) => (&read_names, name),
                None => (&written_names, reference.strip_prefix(WRITTEN)?),
            };
            Some(format!("{SCHEMAS}{}", names.get(&decoded(name))?))
        };
        schemas.values_mut().for_each(|schema| rename(schema, &final_name));
        rename(document, &final_name);
        schemas
    }
}

/// The schemas of types for reading, where they differ from those for writing.
#[cfg(feature = "typescript")]
#[derive(Default)]
pub(crate) struct Forms {
    /// The schemas of the types that differ.
    pub(crate) types: HashMap<TypeId, Value>,
    /// All named schemas in them.
    pub(crate) definitions: Map<String, Value>,
    /// The names of those that differ.
    pub(crate) differing: BTreeSet<String>,
}

#[cfg(feature = "typescript")]
impl Forms {
    pub(crate) fn of(types: impl Iterator<Item = (TypeId, SchemaSource)>) -> Self {
        let mut schemas = Schemas::new();
        let types: Vec<_> = types
            .map(|(id, ty)| (id, schemas.of(Some(ty), Maker::Client), schemas.of(Some(ty), Maker::Server)))
            .collect();
        let definitions = definitions(&mut schemas.read);
        let differing = differing(&definitions, &self::definitions(&mut schemas.written));
        let differs = |read: &Value, written: &Value| {
            neutral(read) != neutral(written) || Self::references(read).iter().any(|name| differing.contains(name))
        };
        let types = types.into_iter().filter(|(_, read, written)| differs(read, written));
        let types = types.map(|(id, read, _)| (id, read)).collect();
        Self { types, definitions, differing }
    }

    /// The names of the schemas that a schema refers to.
    pub(crate) fn references(schema: &Value) -> Vec<String> {
        references(schema)
    }

    /// The name of the schema that a reference is to.
    pub(crate) fn name_of(reference: &str) -> Option<String> {
        reference.strip_prefix(READ).map(decoded)
    }
}

/// Removes the siblings of references, because tools for draft 7 ignore them.
fn simple(mut schema: Schema) -> Value {
    RemoveRefSiblings::default().transform(&mut schema);
    schema.to_value()
}

fn definitions(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let definitions = generator.take_definitions(false).into_iter();
    let simple = |value: Value| Schema::try_from(value.clone()).map_or(value, simple);
    definitions.map(|(name, schema)| (name, simple(schema))).collect()
}

/// The names of the types whose two schemas differ, directly or through a reference.
fn differing(read: &Map<String, Value>, written: &Map<String, Value>) -> BTreeSet<String> {
    let in_both = || read.iter().filter_map(|(name, schema)| Some((name, schema, written.get(name)?)));
    let mut differing: BTreeSet<String> = in_both()
        .filter(|(_, read, written)| neutral(read) != neutral(written))
        .map(|(name, ..)| name.clone())
        .collect();
    loop {
        let known = differing.len();
        for (name, schema, _) in in_both() {
            if references(schema).iter().any(|name| differing.contains(name)) {
                differing.insert(name.clone());
            }
        }
        if differing.len() == known {
            return differing;
        }
    }
}

/// A schema whose references do not tell whether it is for reading or for writing.
fn neutral(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let name = |reference: &str| {
        let name = reference.strip_prefix(READ).or_else(|| reference.strip_prefix(WRITTEN))?;
        Some(format!("{SCHEMAS}{name}"))
    };
    rename(&mut schema, &name);
    schema
}

/// The names of the schemas that a read schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix(READ));
            own.map(decoded).into_iter().chain(members.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Replaces each reference for which `name` returns a new one.
pub(super) fn rename(schema: &mut Value, name: &dyn Fn(&str) -> Option<String>) {
    match schema {
        Value::Object(members) => {
            for (member, value) in members {
                match value {
                    Value::String(reference) if member == "$ref" => {
                        if let Some(new) = name(reference) {
                            *reference = new;
                        }
                    }
                    value => rename(value, name),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, name)),
        _ => {}
    }
}

/// Decodes a name from a reference.
fn decoded(reference: &str) -> String {
    percent_decode_str(reference).decode_utf8_lossy().replace("~1", "/").replace("~0", "~")
}

impl JsonSchema for Binary {
    fn schema_name() -> Cow<'static, str> {
        "Binary".into()
    }

    fn schema_id() -> Cow<'static, str> {
        "socketio::Binary".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let schema = json!({
            "description": "Binary data: on Socket.IO bytes as they are (a `Buffer`, an `ArrayBuffer` or a `Blob`), in the JSON of \
                plain WebSockets a string of standard base64. Servers take such a string from either.",
            "type": "string",
            "contentEncoding": "base64",
        });
        Schema::try_from(schema).unwrap_or_default()
    }
}

impl JsonSchema for AnyValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

impl JsonSchema for SocketId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SocketId".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Deserialize, JsonSchema, Serialize)]
    struct Same {
        a: u8,
    }

    #[derive(Deserialize, JsonSchema, Serialize)]
    struct Defaulted {
        #[serde(default)]
        a: u8,
        same: Same,
    }

    #[derive(Deserialize, JsonSchema, Serialize)]
    #[schemars(rename = "Odd<{T}>")]
    struct Refers<T> {
        item: T,
        again: Option<Box<Refers<T>>>,
    }

    fn finished(makers: &[Maker]) -> (Value, Map<String, Value>) {
        let mut schemas = Schemas::new();
        let all: Vec<_> =
            makers.iter().map(|maker| schemas.of(Some(SchemaSource::of::<Refers<Defaulted>>()), *maker)).collect();
        let mut document = Value::from(all);
        let schemas = schemas.finish(&mut document);
        (document, schemas)
    }

    #[test]
    fn equal_schemas_for_reading_and_writing_are_merged() {
        let (document, schemas) = finished(&[Maker::Server, Maker::Client]);
        let mut names: Vec<_> = schemas.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["Defaulted", "DefaultedInput", "Odd_Defaulted_", "Odd_Defaulted_Input", "Same"]);
        assert_eq!(document[0], json!({ "$ref": "#/components/schemas/Odd_Defaulted_" }));
        assert_eq!(document[1], json!({ "$ref": "#/components/schemas/Odd_Defaulted_Input" }));
        assert_eq!(schemas["DefaultedInput"]["required"], json!(["same"]));
        assert_eq!(schemas["Odd_Defaulted_Input"]["properties"]["item"]["$ref"], "#/components/schemas/DefaultedInput");
        let (_, schemas) = finished(&[Maker::Client]);
        assert_eq!(schemas.len(), 3, "nobody needs two: {:?}", schemas.keys());
    }

    #[cfg(feature = "garde")]
    #[test]
    fn validation_rules_are_in_the_schema() {
        #[derive(garde::Validate, JsonSchema)]
        struct Short {
            #[garde(length(max = 3))]
            #[allow(dead_code, reason = "only the schema of the type is used")]
            text: String,
        }

        let mut schemas = Schemas::new();
        let mut reference = schemas.of(Some(SchemaSource::of::<Short>()), Maker::Client);
        assert_eq!(schemas.finish(&mut reference)["Short"]["properties"]["text"]["maxLength"], 3);
    }

    #[test]
    fn names_are_decoded_from_references() {
        for (reference, expected) in [("A", "A"), ("A%3CB%3E", "A<B>"), ("%C3%A9", "é"), ("a~1b~0", "a/b~")] {
            assert_eq!(decoded(reference), expected);
        }
    }
}
