//! Without the feature `admin` a hub has no Admin UI, and no namespace is observed.

use std::collections::BTreeMap;

use super::Hub;
use super::build_error::BuildProblem;
use super::namespace_builder::NamespaceBuilder;
use super::socket::Socket;
use crate::session::disconnect::Disconnect;

#[derive(Default)]
pub(crate) struct Setting;

impl Setting {
    pub(crate) fn check(&self, _: &BTreeMap<String, NamespaceBuilder>, _: &mut Vec<BuildProblem>) {}

    pub(crate) fn prepare(self, _: &mut BTreeMap<String, NamespaceBuilder>) -> RunningAdmin {
        RunningAdmin
    }
}

#[derive(Default)]
pub(crate) struct RunningAdmin;

impl RunningAdmin {
    pub(crate) fn begin(&self, _: &Hub) {}

    pub(crate) fn start(&self, _: &Hub) {}

    pub(crate) fn owns(&self, _: &str) -> bool {
        false
    }

    pub(crate) fn observer(&self) -> Observer {
        Observer
    }
}

pub(crate) struct Observer;

impl Observer {
    pub(crate) fn observes(&self) -> bool {
        false
    }

    pub(crate) fn added(&self, _: &Socket) {}

    pub(crate) fn connected(&self, _: &Socket) {}

    pub(crate) fn disconnected(&self, _: &Socket, _: &Disconnect) {}

    pub(crate) fn joined(&self, _: &Socket, _: &str) {}

    pub(crate) fn left(&self, _: &Socket, _: &str) {}

    pub(crate) fn renamed(&self, _: &Socket, _: &str) {}

    pub(crate) fn changed(&self, _: &Socket) {}

    #[cfg(feature = "cluster")]
    pub(crate) fn told(&self, _: &Socket) -> Option<(&'static str, serde_json::Value)> {
        None
    }
}
