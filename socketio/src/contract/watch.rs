//! Whether what a hub emits and answers is what its contracts say. Debug builds look; in others nothing is looked at.

use parking_lot::Mutex;
use std::fmt::{self, Debug};
use std::sync::Arc;

use super::description::{Description, Emitted, NamespaceDescription};
use crate::adapter::{Adapter, Packet};
use crate::event::error::{EventError, FRAMEWORK_CODES};
use crate::namespace::pattern::Pattern;
use crate::selection::{Audience, EmitError};
use crate::socket::Socket;

/// Something that a hub emitted or answered although none of its contracts says so. See
/// [`Hub::contract_violations`](crate::Hub::contract_violations).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractViolation {
    /// The contract has no such event.
    #[error(
        "the event `{event}` was emitted in the namespace `{namespace}`, whose contract lacks it: add it to `emits`"
    )]
    UnknownEvent {
        /// The event's name.
        event: String,
        /// The namespace.
        namespace: String,
    },
    /// The contract has an event of that name, with another payload type.
    #[error(
        "the event `{event}` was emitted in the namespace `{namespace}` as `{emitted}`; the contract says `{described}`"
    )]
    OtherPayload {
        /// The event's name.
        event: String,
        /// The namespace.
        namespace: String,
        /// The type that was emitted.
        emitted: &'static str,
        /// The type that the contract says.
        described: &'static str,
    },
    /// An event was answered with an error of a code that its handler does not have in the contract.
    #[error(
        "the event `{event}` was answered with the error `{code}` in the namespace `{namespace}`; for the contract to know it, add it \
         to the `ErrorCodes` of the handler's error"
    )]
    UnknownCode {
        /// The event's name.
        event: String,
        /// The namespace.
        namespace: String,
        /// The code.
        code: String,
    },
    /// An answer was asked for, and the contract does not tell clients so.
    #[error(
        "an answer to `{event}` was asked for in the namespace `{namespace}`; for the contract to say so, its payload type needs \
         `#[event(\"{event}\", ack = …)]`"
    )]
    NoAnswer {
        /// The event's name.
        event: String,
        /// The namespace.
        namespace: String,
    },
}

impl ContractViolation {
    /// The event's name.
    pub fn event(&self) -> &str {
        match self {
            Self::UnknownEvent { event, .. }
            | Self::OtherPayload { event, .. }
            | Self::UnknownCode { event, .. }
            | Self::NoAnswer { event, .. } => event,
        }
    }

    /// The namespace's path.
    pub fn namespace(&self) -> &str {
        match self {
            Self::UnknownEvent { namespace, .. }
            | Self::OtherPayload { namespace, .. }
            | Self::UnknownCode { namespace, .. }
            | Self::NoAnswer { namespace, .. } => namespace,
        }
    }
}

/// What is looked for, and what was found.
#[derive(Debug)]
pub(crate) struct Watch {
    contracts: Vec<Description>,
    found: Mutex<Vec<ContractViolation>>,
}

impl Watch {
    /// `None` where there is nothing to be looked for.
    pub(crate) fn new(contracts: Vec<Description>) -> Option<Arc<Self>> {
        let is_wanted = cfg!(debug_assertions) && !contracts.is_empty();
        is_wanted.then(|| Arc::new(Self { contracts, found: Mutex::default() }))
    }

    pub(crate) fn found(&self) -> Vec<ContractViolation> {
        self.found.lock().clone()
    }

    /// Looks at everything that passes through the adapter of a namespace.
    pub(crate) fn over(self: &Arc<Self>, path: &str, adapter: Arc<dyn Adapter>) -> Arc<dyn Adapter> {
        let emits = self.namespaces(path).flat_map(|namespace| namespace.emits.iter().cloned()).collect();
        Arc::new(Watching { adapter, watch: Arc::clone(self), path: path.into(), emits })
    }

    /// Looks at the error that an event was answered with.
    pub(crate) fn failed(&self, path: &str, event: &str, error: &EventError) {
        let code = error.code();
        let mut described = self.namespaces(path).flat_map(|namespace| &namespace.receives);
        let Some(described) = described.find(|received| received.name == event) else { return };
        let is_known =
            FRAMEWORK_CODES.contains(&code) || described.errors.codes().is_none_or(|codes| codes.contains(&code));
        if !is_known {
            let (event, namespace, code) = (event.to_owned(), path.to_owned(), code.to_owned());
            self.report(ContractViolation::UnknownCode { event, namespace, code });
        }
    }

    /// What the contracts say of a namespace. One of those that come and go has the contract of its pattern.
    fn namespaces(&self, path: &str) -> impl Iterator<Item = &NamespaceDescription> {
        let namespaces = self.contracts.iter().flat_map(|contract| &contract.namespaces);
        namespaces.filter(move |namespace| {
            namespace.path == path || Pattern::of(namespace.path).is_some_and(|pattern| pattern.matches(path))
        })
    }

    /// Each event of a namespace is reported once.
    fn report(&self, violation: ContractViolation) {
        let mut found = self.found.lock();
        let is_known = |known: &ContractViolation| {
            (known.event(), known.namespace()) == (violation.event(), violation.namespace())
        };
        if found.iter().any(is_known) {
            return;
        }
        tracing::warn!("{violation}");
        found.push(violation);
    }
}

/// An adapter that is looked at.
struct Watching {
    adapter: Arc<dyn Adapter>,
    watch: Arc<Watch>,
    path: Box<str>,
    emits: Vec<Emitted>,
}

impl Watching {
    fn look(&self, packet: &Packet) {
        if let Some(violation) = self.violation(packet) {
            self.watch.report(violation);
        }
    }

    fn violation(&self, packet: &Packet) -> Option<ContractViolation> {
        // Raw messages are no events.
        let event = packet.name()?;
        let names = || (event.to_owned(), self.path.to_string());
        let mut known = self.emits.iter().filter(|emitted| emitted.name == event).peekable();
        let Some(&first) = known.peek() else {
            let (event, namespace) = names();
            return Some(ContractViolation::UnknownEvent { event, namespace });
        };
        // Of what is emitted as a name with values, only the name is known.
        if let Some(emitted) = packet.payload_type()
            && !known.any(|known| (known.payload.name)() == emitted)
        {
            let (event, namespace) = names();
            let described = (first.payload.name)();
            return Some(ContractViolation::OtherPayload { event, namespace, emitted, described });
        }
        if packet.ack().is_some() && first.answer.is_none() {
            let (event, namespace) = names();
            return Some(ContractViolation::NoAnswer { event, namespace });
        }
        None
    }
}

impl Adapter for Watching {
    fn emit(&self, packet: &Packet, audience: &Audience) {
        self.look(packet);
        self.adapter.emit(packet, audience);
    }

    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        self.look(packet);
        self.adapter.emit_to(packet, id)
    }

    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        self.look(packet);
        self.adapter.emit_to_socket(packet, socket)
    }

    fn join(&self, socket: &Socket, room: &str) -> Arc<str> {
        self.adapter.join(socket, room)
    }

    fn leave(&self, socket: &Socket, room: &str) {
        self.adapter.leave(socket, room);
    }
}

impl Debug for Watching {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.adapter.fmt(formatter)
    }
}
