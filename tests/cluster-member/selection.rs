//! [`Chosen`]: the sockets that a command is about.

use serde::Deserialize;
use socketio::{Emitter, EmitterSelection, Hub, Namespace, Selection, Socket};
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

    /// The namespace as the emitter has it.
    pub(crate) fn emitter(&self, emitter: &Emitter) -> Emitter {
        emitter.of(self.namespace.as_deref().unwrap_or("/"))
    }

    /// The sockets that an emitter selects.
    pub(crate) fn of_emitter<'a>(&self, emitter: &'a Emitter) -> EmitterSelection<'a> {
        // A room without members selects as none does.
        let all = emitter.except("");
        let selected = self.to.iter().fold(all, EmitterSelection::to);
        let selected = self.except.iter().fold(selected, EmitterSelection::except);
        if self.volatile { selected.volatile() } else { selected }
    }

    fn select<'a>(&self, all: Selection<'a>) -> Selection<'a> {
        let selected = self.to.iter().fold(all, Selection::to);
        let selected = self.except.iter().fold(selected, Selection::except);
        let selected = if self.volatile { selected.volatile() } else { selected };
        if self.local { selected.local() } else { selected }
    }
}
