//! The commands of admins: events that act on sockets of any namespace and server.
//!
//! A command that is malformed, or names a namespace that does not exist, is ignored.

use serde_json::Value;

use crate::event::listener::EventPayload;
use crate::hub::namespace::Namespace;
use crate::hub::selection::Selection;
use crate::wire::shown::{Shown, shown};

/// The longest path of a namespace, in bytes.
const MAX_PATH: usize = 1_024;

/// Registers the commands.
pub(super) fn listen(namespace: &Namespace) {
    namespace.on("join", |payload: EventPayload| {
        obey(&payload, 2, |sockets, args| sockets.sockets_join(args[1].as_str()));
    });
    namespace.on("leave", |payload: EventPayload| {
        obey(&payload, 2, |sockets, args| sockets.sockets_leave(args[1].as_str()));
    });
    namespace.on("_disconnect", |payload: EventPayload| {
        obey(&payload, 2, |sockets, args| match args[1] {
            Value::Bool(true) => sockets.close_sockets(),
            _ => sockets.disconnect_sockets(),
        });
    });
    namespace.on("emit", |payload: EventPayload| {
        obey(&payload, 1, |sockets, args| {
            let Some(name) = args.get(2).and_then(Value::as_str) else { return };
            if let Err(error) = sockets.emit((name, payload.args().skip(3))) {
                tracing::debug!(%error, "an event of an admin was not sent");
            }
        });
    });
}

/// Calls `command` with the sockets that an admin has chosen, and all arguments. The first argument
/// is the namespace; `filter` is the position of a room or an id, which may be missing. The
/// arguments before it are there.
fn obey(payload: &EventPayload, filter: usize, command: impl FnOnce(Selection<'_>, &[Value])) {
    // Fired events are not of an admin.
    if !payload.from_client() {
        return;
    }
    let Ok(args) = payload.args().all::<Value>() else { return };
    let Some(path) = args.first().and_then(Value::as_str).filter(|path| path.len() <= MAX_PATH) else { return };
    if args.len() < filter {
        return;
    }
    let filter = match args.get(filter) {
        None | Some(Value::Null) => None,
        Some(Value::String(filter)) => Some(filter.as_str()).filter(|filter| !filter.is_empty()),
        Some(_) => return,
    };
    let Some(namespace) = payload.socket.hub().reached(path) else {
        let namespace = &*shown(path);
        return tracing::debug!(admin = %Shown(&payload.socket_id), namespace, "an admin has named no namespace");
    };
    tracing::info!(
        admin = %Shown(&payload.socket_id),
        command = &*payload.name,
        namespace = &*shown(path),
        filter = filter.map(shown).as_deref(),
        "an admin commands"
    );
    let sockets = Selection::all(namespace.namespace_inner(), None);
    command(filter.into_iter().fold(sockets, Selection::within), &args);
}
