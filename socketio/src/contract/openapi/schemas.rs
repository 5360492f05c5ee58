//! [`Payloads`]: the JSON Schemas of payloads, if the contract is exported as AsyncAPI.

use serde_json::{Map, Value};

use crate::contract::asyncapi::{Maker, Schemas};
use crate::contract::description::DescribedType;

pub(super) struct Payloads(Schemas);

impl Payloads {
    pub(super) fn new() -> Self {
        Self(Schemas::new())
    }

    /// The schema of a payload as the server sends it. A type without a schema may be anything.
    pub(super) fn of(&mut self, ty: DescribedType) -> Value {
        self.0.of(ty.schema, Maker::Server)
    }

    /// Returns the named schemas, and makes the references in the document right.
    pub(super) fn finish(self, document: &mut Value) -> Map<String, Value> {
        self.0.finish(document)
    }
}
