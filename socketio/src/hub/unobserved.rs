//! What stands in for the module `observed` without the features `metrics` and `opentelemetry`: it
//! measures nothing, and takes no memory.

use crate::event::handler::Handler;
use crate::event::reply::Outcome;
use crate::hub::Hub;
use crate::hub::hub_builder::HubBuilder;
use crate::session::disconnect::DisconnectReason;

#[derive(Default)]
pub(super) struct Settings;

pub(crate) struct Observers;

impl Observers {
    pub(super) fn new(builder: &HubBuilder) -> Self {
        let Settings = builder.observed;
        Self
    }

    pub(crate) fn begin(&self) -> Begun {
        Begun
    }

    pub(crate) fn closing(&self, _: &Begun, _: DisconnectReason, _polls: bool) {}
}

pub(crate) struct Begun;

#[derive(Clone, Copy)]
pub(crate) struct HandlerLabel;

impl HandlerLabel {
    pub(crate) fn of(_: &'static Handler) -> Self {
        Self
    }
}

pub(crate) struct Timing;

impl Timing {
    pub(crate) fn begin(_: &Hub, _: HandlerLabel) -> Self {
        Self
    }

    pub(crate) fn end(self, _: &Outcome) {}
}
