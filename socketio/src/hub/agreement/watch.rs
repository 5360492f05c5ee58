//! Whether what a hub emits and answers is what its contracts say. Debug builds look; in others nothing is looked at.

use parking_lot::Mutex;
use std::sync::Arc;

use super::{AgreedEmit, AgreedNamespace};
use crate::event::error::{EventError, FRAMEWORK_CODES};
use crate::hub::namespace::pattern::Pattern;
use crate::wire::packet::Packet;

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
        /// The namespace, or the pattern of those that come and go.
        namespace: String,
    },
    /// The contract has an event of that name, with another payload type.
    #[error(
        "the event `{event}` was emitted in the namespace `{namespace}` as `{emitted}`; the contract says `{described}`"
    )]
    OtherPayload {
        /// The event's name.
        event: String,
        /// The namespace, or the pattern of those that come and go.
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
        /// The namespace, or the pattern of those that come and go.
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
        /// The namespace, or the pattern of those that come and go.
        namespace: String,
    },
    /// The contract tells clients to answer, and no answer was asked for.
    #[error(
        "the event `{event}` was emitted in the namespace `{namespace}` without asking for an answer, which the contract tells clients \
         to give: use `request`"
    )]
    NotAsked {
        /// The event's name.
        event: String,
        /// The namespace, or the pattern of those that come and go.
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
            | Self::NoAnswer { event, .. }
            | Self::NotAsked { event, .. } => event,
        }
    }

    /// The namespace's path, as the hub was built with: of one that comes and goes it is the pattern.
    pub fn namespace(&self) -> &str {
        match self {
            Self::UnknownEvent { namespace, .. }
            | Self::OtherPayload { namespace, .. }
            | Self::UnknownCode { namespace, .. }
            | Self::NoAnswer { namespace, .. }
            | Self::NotAsked { namespace, .. } => namespace,
        }
    }
}

/// So many violations are kept. Names and codes can be made at run time, as many as there are clients.
const MOST: usize = 1_000;

/// What is looked for, and what was found.
#[derive(Debug)]
pub(crate) struct Watch {
    agreed: Vec<AgreedNamespace>,
    /// The paths that the hub was built with, with the patterns that some of them are, in the order in which the hub tries them.
    paths: Vec<(Box<str>, Option<Pattern>)>,
    found: Mutex<Vec<ContractViolation>>,
}

impl Watch {
    /// `None` where there is nothing to be looked for.
    pub(crate) fn new<'p>(
        agreed: Option<Vec<AgreedNamespace>>,
        paths: impl Iterator<Item = &'p String>,
    ) -> Option<Arc<Self>> {
        agreed.filter(|_| cfg!(debug_assertions)).map(|agreed| {
            let paths = paths.map(|path| (path.as_str().into(), Pattern::of(path))).collect();
            Arc::new(Self { agreed, paths, found: Mutex::default() })
        })
    }

    pub(crate) fn found(&self) -> Vec<ContractViolation> {
        self.found.lock().clone()
    }

    /// What looks at everything that is emitted in a namespace.
    pub(crate) fn of(self: &Arc<Self>, path: &str) -> NamespaceWatch {
        let path = self.known_path(path);
        let emits = self.namespaces(path).flat_map(|namespace| namespace.emits.iter().copied()).collect();
        NamespaceWatch { watch: Arc::clone(self), path: path.into(), emits }
    }

    /// Looks at the error that an event was answered with.
    pub(crate) fn failed(&self, path: &str, event: &str, error: &EventError) {
        let (path, code) = (self.known_path(path), error.code());
        let mut handlers = self.namespaces(path).flat_map(|namespace| &namespace.receives);
        let Some(handler) = handlers.find(|handler| handler.event == event) else { return };
        let is_known =
            FRAMEWORK_CODES.contains(&code) || handler.codes.as_ref().is_none_or(|codes| codes.contains(&code));
        if !is_known {
            let (event, namespace, code) = (event.to_owned(), path.to_owned(), code.to_owned());
            self.report(ContractViolation::UnknownCode { event, namespace, code });
        }
    }

    /// The path under which the hub was told of a namespace: its own, or else the pattern of those that come and go.
    fn known_path<'p>(&'p self, path: &'p str) -> &'p str {
        if self.paths.iter().any(|(known, _)| **known == *path) {
            return path;
        }
        let is_match = |pattern: &Option<Pattern>| pattern.as_ref().is_some_and(|pattern| pattern.matches(path));
        self.paths.iter().find(|(_, pattern)| is_match(pattern)).map_or(path, |(known, _)| known)
    }

    /// What the contracts say of a namespace.
    fn namespaces(&self, path: &str) -> impl Iterator<Item = &AgreedNamespace> {
        self.agreed.iter().filter(move |namespace| namespace.path == path)
    }

    /// Each violation is reported once.
    fn report(&self, violation: ContractViolation) {
        let mut found = self.found.lock();
        if found.len() < MOST && !found.contains(&violation) {
            tracing::warn!("{violation}");
            found.push(violation);
        }
    }
}

/// Looks at what is emitted in one namespace, before the adapter has it.
#[derive(Debug)]
pub(crate) struct NamespaceWatch {
    watch: Arc<Watch>,
    path: Box<str>,
    emits: Vec<AgreedEmit>,
}

impl NamespaceWatch {
    /// `is_asked`: the client is to answer the message.
    pub(crate) fn look(&self, packet: &Packet, is_asked: bool) {
        if let Some(violation) = self.violation(packet, is_asked) {
            self.watch.report(violation);
        }
    }

    fn violation(&self, packet: &Packet, is_asked: bool) -> Option<ContractViolation> {
        // Raw messages are no events.
        let event = packet.name()?;
        let names = || (event.to_owned(), self.path.to_string());
        let known = || self.emits.iter().filter(|emit| emit.event == event);
        let Some(first) = known().next() else {
            let (event, namespace) = names();
            return Some(ContractViolation::UnknownEvent { event, namespace });
        };
        // Of what is emitted as a name with values, only the name is known.
        let emitted = packet.payload_type();
        let is_fitting = |known: &&AgreedEmit| emitted.is_none_or(|emitted| (known.payload)() == emitted);
        let mut fitting = known().filter(is_fitting).peekable();
        if let (None, Some(emitted)) = (fitting.peek(), emitted) {
            let (event, namespace) = names();
            let described = (first.payload)();
            return Some(ContractViolation::OtherPayload { event, namespace, emitted, described });
        }
        if fitting.any(|known| known.is_answered == is_asked) {
            return None;
        }
        let (event, namespace) = names();
        Some(match is_asked {
            true => ContractViolation::NoAnswer { event, namespace },
            false => ContractViolation::NotAsked { event, namespace },
        })
    }
}
