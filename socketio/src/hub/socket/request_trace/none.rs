//! Without OpenTelemetry there is no context that clients could be told.

use crate::hub::namespace::inner::NamespaceInner;
use crate::wire::packet::Packet;

#[derive(Debug, Default)]
pub(crate) struct RequestTrace {}

impl RequestTrace {
    pub(crate) fn begin(question: Packet, _: &NamespaceInner) -> (Packet, Self) {
        (question, Self {})
    }

    pub(crate) fn end(&mut self, _: &'static str) {}
}
