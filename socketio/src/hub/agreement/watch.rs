//! Compares the messages and answers of a hub with its contracts, in debug builds only.

use parking_lot::Mutex;
use std::sync::Arc;

use super::{AgreedEmit, AgreedNamespace};
use crate::event::error::{EventError, FRAMEWORK_CODES};
use crate::hub::namespace::pattern::Pattern;
use crate::wire::packet::Packet;
use crate::wire::shown::Shown;

/// An event or answer of a hub that its contracts do not describe. See
/// [`Hub::contract_violations`](crate::Hub::contract_violations).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractViolation {
    /// The contract does not describe an event of this name.
    #[error(
        "the event `{event}` was emitted in the namespace `{namespace}`, whose contract lacks it: add it to `emits`"
    )]
    UnknownEvent {
        /// The event's name.
        event: String,
        /// The namespace, or the pattern of a dynamic namespace.
        namespace: String,
    },
    /// The contract describes an event of this name with another payload type.
    #[error(
        "the event `{event}` was emitted in the namespace `{namespace}` as `{emitted}`; the contract says `{described}`"
    )]
    OtherPayload {
        /// The event's name.
        event: String,
        /// The namespace, or the pattern of a dynamic namespace.
        namespace: String,
        /// The type that was emitted.
        emitted: &'static str,
        /// The type in the contract.
        described: &'static str,
    },
    /// The error code of an answer is not one of its handler's codes in the contract.
    #[error(
        "the event `{event}` was answered with the error `{code}` in the namespace `{namespace}`; for the contract to know it, add it \
         to the `ErrorCodes` of the handler's error"
    )]
    UnknownCode {
        /// The event's name.
        event: String,
        /// The namespace, or the pattern of a dynamic namespace.
        namespace: String,
        /// The code.
        code: String,
    },
    /// The server requested an answer, but the contract does not describe one.
    #[error(
        "an answer to `{event}` was asked for in the namespace `{namespace}`; for the contract to say so, its payload type needs \
         `#[event(\"{event}\", ack = …)]`"
    )]
    NoAnswer {
        /// The event's name.
        event: String,
        /// The namespace, or the pattern of a dynamic namespace.
        namespace: String,
    },
    /// The contract describes an answer, but the server did not request it.
    #[error(
        "the event `{event}` was emitted in the namespace `{namespace}` without asking for an answer, which the contract tells clients \
         to give: use `request`"
    )]
    NotAsked {
        /// The event's name.
        event: String,
        /// The namespace, or the pattern of a dynamic namespace.
        namespace: String,
    },
}

impl ContractViolation {
    /// Returns the name of the event.
    pub fn event(&self) -> &str {
        match self {
            Self::UnknownEvent { event, .. }
            | Self::OtherPayload { event, .. }
            | Self::UnknownCode { event, .. }
            | Self::NoAnswer { event, .. }
            | Self::NotAsked { event, .. } => event,
        }
    }

    /// The namespace's path; for a dynamic namespace, its pattern.
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

/// The maximum number of stored violations. Names and codes can depend on client data, so their
/// number is unbounded.
const MAX_VIOLATIONS: usize = 1_000;

/// The contracts of a hub, and the violations that were found.
#[derive(Debug)]
pub(crate) struct Watch {
    agreed: Vec<AgreedNamespace>,
    /// The hub's namespaces in the order of matching: the path, and its pattern if the namespace is
    /// dynamic.
    paths: Vec<(Box<str>, Option<Pattern>)>,
    found: Mutex<Vec<ContractViolation>>,
}

impl Watch {
    /// Returns `None` in release builds or without contracts.
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

    /// The watch for the messages that a namespace emits.
    pub(crate) fn of(self: &Arc<Self>, path: &str) -> NamespaceWatch {
        let path = self.known_path(path);
        let emits = self.namespaces(path).flat_map(|namespace| namespace.emits.iter().copied()).collect();
        NamespaceWatch { watch: Arc::clone(self), path: path.into(), emits }
    }

    /// Checks the error that an event was answered with.
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

    /// The path of the namespace in the contract: its own, or the pattern of the dynamic namespace.
    fn known_path<'p>(&'p self, path: &'p str) -> &'p str {
        if self.paths.iter().any(|(known, _)| **known == *path) {
            return path;
        }
        let is_match = |pattern: &Option<Pattern>| pattern.as_ref().is_some_and(|pattern| pattern.matches(path));
        self.paths.iter().find(|(_, pattern)| is_match(pattern)).map_or(path, |(known, _)| known)
    }

    /// The namespace in all contracts that have it.
    fn namespaces(&self, path: &str) -> impl Iterator<Item = &AgreedNamespace> {
        self.agreed.iter().filter(move |namespace| namespace.path == path)
    }

    /// Reports a violation, unless it was reported before.
    fn report(&self, violation: ContractViolation) {
        let mut found = self.found.lock();
        if found.len() < MAX_VIOLATIONS && !found.contains(&violation) {
            found.push(violation.clone());
            drop(found);
            tracing::warn!("{}", Shown(&violation));
        }
    }
}

/// Checks the messages of one namespace, before the adapter receives them.
#[derive(Debug)]
pub(crate) struct NamespaceWatch {
    watch: Arc<Watch>,
    path: Box<str>,
    emits: Vec<AgreedEmit>,
}

impl NamespaceWatch {
    /// Checks a message. `is_asked` is whether the client must answer it.
    pub(crate) fn look(&self, packet: &Packet, is_asked: bool) {
        if let Some(violation) = self.violation(packet, is_asked) {
            self.watch.report(violation);
        }
    }

    fn violation(&self, packet: &Packet, is_asked: bool) -> Option<ContractViolation> {
        // Raw messages are not events.
        let event = packet.name()?;
        let names = || (event.to_owned(), self.path.to_string());
        let known = || self.emits.iter().filter(|emit| emit.event == event);
        let Some(first) = known().next() else {
            let (event, namespace) = names();
            return Some(ContractViolation::UnknownEvent { event, namespace });
        };
        // An event that is emitted as a name with values has no payload type, so only its name is
        // compared.
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
