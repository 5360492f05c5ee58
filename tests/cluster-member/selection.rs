//! [`Chosen`]: the sockets that a command is about.

use serde::Deserialize;
use socketio::{Hub, Namespace, Selection, Socket};
use std::time::Duration;

/// A namespace, and sockets in it.
#[derive(Debug, Deserialize)]
pub(crate) struct Chosen {
    namespace: Option<String>,
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    volatile: bool,
    #[serde(default)]
    local: bool,
    timeout: Option<u64>,
}

impl Chosen {
    pub(crate) fn namespace(&self, hub: &Hub) -> Namespace {
        hub.of(self.namespace.as_deref().unwrap_or("/"))
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout.unwrap_or(5_000))
    }

    pub(crate) fn of<'a>(&self, namespace: &'a Namespace) -> Selection<'a> {
        self.select(namespace.timeout(self.timeout()))
    }

    /// The sockets except the one that emits.
    pub(crate) fn of_others<'a>(&self, socket: &'a Socket) -> Selection<'a> {
        self.select(socket.except(""))
    }

    fn select<'a>(&self, all: Selection<'a>) -> Selection<'a> {
        let selected = self.to.iter().fold(all, Selection::to);
        let selected = self.except.iter().fold(selected, Selection::except);
        let selected = if self.volatile { selected.volatile() } else { selected };
        if self.local { selected.local() } else { selected }
    }
}
