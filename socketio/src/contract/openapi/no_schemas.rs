//! Without the feature `asyncapi`, payloads have no schemas.

use serde_json::{Map, Value};

use crate::contract::description::DescribedType;

pub(super) struct Payloads;

impl Payloads {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn of(&mut self, _ty: DescribedType) -> Value {
        Value::Bool(true)
    }

    pub(super) fn finish(self, _document: &mut Value) -> Map<String, Value> {
        Map::new()
    }
}
