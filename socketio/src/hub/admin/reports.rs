//! [`Reports`]: the events that admins receive.

use bytes::Bytes;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, value::to_raw_value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{AdminCore, describe};
use crate::event::context::RawArgs;
use crate::event::message::IntoMessage;
use crate::hub::Hub;
use crate::hub::namespace::Namespace;
use crate::hub::selection::Selection;
use crate::hub::socket::remote::{Fetched, RemoteSocket};
use crate::session::limits::MAX_DEPTH;
use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;
use crate::wire::msgpack::iso_date;
use crate::wire::scan::Scanner;
use crate::wire::shown::shown;

/// Larger arguments of an event are not shown, in bytes.
const MAX_ARGUMENTS: usize = 64 * 1024;

/// Emits to the admins of all servers.
pub(super) struct Reports(Namespace);

impl Reports {
    /// Returns `None` if there is nobody who could receive something.
    pub(super) fn of(core: &AdminCore, hub: &Hub) -> Option<Self> {
        let namespace = hub.of(core.path());
        let is_read = !namespace.is_empty() || namespace.namespace_inner().has_own_adapter();
        is_read.then_some(Self(namespace))
    }

    pub(super) fn send(&self, message: impl IntoMessage) {
        if let Err(error) = self.0.broadcast(message) {
            tracing::debug!(%error, "admins are not told something");
        }
    }

    /// Sends an event that a client has sent or receives.
    pub(super) fn send_event(&self, report: &str, namespace: &str, id: &str, name: &str, args: RawArgs<'_>) {
        let mut event = format!("[{}", text(name));
        let mut attachments: &[Bytes] = args.attachments();
        let size = attachments.iter().map(Bytes::len).fold(args.json().len(), usize::saturating_add);
        if size > MAX_ARGUMENTS || depth(args) + 2 > MAX_DEPTH {
            let shown = if size > MAX_ARGUMENTS { format!("{size} bytes") } else { "nested too deeply".to_owned() };
            event += &format!(",{}", text(&format!("({shown})")));
            attachments = &[];
        } else if !args.json().trim_ascii().is_empty() {
            event.push(',');
            event += args.json();
        }
        let all = format!("{},{},{event}],{}", text(namespace), text(id), text(&now()));
        let attachments = (!attachments.is_empty()).then(|| Attachments::from(attachments));
        self.send((report, RawArgs::new(ArgumentText::Many(&all), attachments.as_ref())));
    }
}

/// How deeply the arguments are nested, without their list.
fn depth(args: RawArgs<'_>) -> usize {
    let mut scanner = Scanner::new(args.json());
    let mut deepest = 0;
    while scanner.value().is_some() {
        deepest = deepest.max(scanner.depth().min(MAX_DEPTH));
        if !scanner.take(b',') {
            break;
        }
    }
    deepest
}

/// A string as JSON.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// This time in the form of JavaScript's `Date.toJSON`.
pub(super) fn now() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).ok().and_then(iso_date).unwrap_or_default()
}

/// A list of descriptions that is not larger than a message to a client may be.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct Descriptions(Vec<Box<RawValue>>);

/// Describes the sockets of all namespaces and servers.
pub(super) async fn all_sockets(core: &AdminCore, hub: &Hub, timeout: Duration) -> Descriptions {
    let namespaces: Vec<Namespace> = hub.namespaces().iter().filter_map(|path| hub.existing(path)).collect();
    let fetched = join_all(namespaces.iter().map(|namespace| {
        let everyone = Selection::all(namespace.namespace_inner(), None);
        everyone.timeout(timeout).fetch_sockets()
    }));
    // Half of the outbox is left for what happens in the meantime.
    let mut room = hub.config().outbox.bytes / 2;
    let mut descriptions = Descriptions::default();
    for (namespace, fetched) in namespaces.iter().zip(fetched.await) {
        let fetched = fetched.unwrap_or_else(|error| {
            tracing::warn!(%error, namespace = &*shown(namespace.path()), "an admin sees no sockets of other servers");
            Fetched::new(namespace.sockets().iter().map(RemoteSocket::of).collect())
        });
        for remote in &fetched.sockets {
            // The local one has what servers only tell each other.
            let local = namespace.socket(&remote.id);
            let described = match &local {
                Some(socket) => describe::of(core, socket),
                None => describe::of_remote(remote, namespace.path()),
            };
            let Ok(described) = to_raw_value(&described) else { continue };
            let Some(left) = room.checked_sub(described.get().len() + 1) else {
                tracing::warn!("an admin does not see all sockets, because there are too many for one message");
                return descriptions;
            };
            room = left;
            descriptions.0.push(described);
        }
    }
    descriptions
}
