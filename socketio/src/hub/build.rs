//! Making a hub of what is in a [`HubBuilder`], and what can be wrong with that.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::hub_builder::HubBuilder;
use super::namespace_builder::NamespaceBuilder;
use super::{Core, Hub};
use crate::contract::agreement;
use crate::contract::watch::Watch;
use crate::event::handler::{Handler, Key};
use crate::hub::namespace::inner::{Contents, Mounted, NamespaceFactory, NamespaceInner};
use crate::hub::namespace::pattern::{Matching, Pattern};

/// Why a hub could not be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two tables have a handler for the same event.
    #[error("two handlers for the event `{event}` in the namespace `{namespace}`: leave it out of one of the tables")]
    DuplicateEvent {
        /// The event's name, or the lifecycle event's identifier.
        event: &'static str,
        /// The namespace.
        namespace: String,
    },
    /// A handler takes a state that the hub was not given.
    #[error("the handler of `{event}` takes `State<{state}>`, but the hub was not given one: add `.state(…)`")]
    MissingState {
        /// The event's name, or the lifecycle event's identifier.
        event: &'static str,
        /// The type's name.
        state: &'static str,
    },
    /// A handler's event is not in the hub's contract.
    #[error(
        "`{handler}` handles the event `{event}` of the namespace `{namespace}`, which the contract lacks: add it to `receives`"
    )]
    NotInContract {
        /// The event's name.
        event: &'static str,
        /// The namespace.
        namespace: String,
        /// The function's path.
        handler: String,
    },
    /// The hub has another handler for an event than the one that its contract describes.
    #[error(
        "the event `{event}` of the namespace `{namespace}` is handled by `{handler}`, but the contract describes `{described}`"
    )]
    OtherHandler {
        /// The event's name.
        event: &'static str,
        /// The namespace.
        namespace: String,
        /// The path of the hub's function.
        handler: String,
        /// The path of the contract's function.
        described: String,
    },
    /// The hub's contract has an event that no handler of the hub takes.
    #[error(
        "the contract has the event `{event}` in the namespace `{namespace}`, but the hub has no handler for it: add `.events(…)`"
    )]
    NotHandled {
        /// The event's name.
        event: &'static str,
        /// The namespace.
        namespace: String,
    },
}

impl HubBuilder {
    /// Makes the hub.
    ///
    /// # Errors
    ///
    /// Two tables handle the same event, a handler takes a state that was not given, or the handlers are not those of the
    /// [`contract`](Self::contract).
    pub fn build(mut self) -> Result<Hub, BuildError> {
        for (path, namespace) in &self.namespaces {
            self.check(path, &namespace.0.mounted)?;
        }
        for (_, namespace) in &self.dynamic {
            self.check("a dynamic one", &namespace.0.mounted)?;
        }
        agreement::check(
            &self.contracts,
            self.namespaces.iter().map(|(path, namespace)| (&**path, namespace.handlers())),
        )?;
        for namespace in self.contracts.iter().flat_map(|contract| &contract.namespaces) {
            self.namespaces.entry(namespace.path.to_owned()).or_default();
        }
        let watch = Watch::new(self.contracts, self.namespaces.keys());
        let factory = NamespaceFactory {
            make_adapter: self.adapter,
            watch,
            ack_timeout: self.config.ack_timeout,
            closing: Arc::default(),
        };
        let mut namespaces: HashMap<Box<str>, Arc<NamespaceInner>> = HashMap::new();
        let mut patterns: Vec<(Matching, Contents)> = Vec::new();
        for (path, NamespaceBuilder(contents)) in self.namespaces {
            match Pattern::of(&path) {
                Some(pattern) => patterns.push((Matching::Pattern(pattern), contents)),
                None => {
                    drop(namespaces.insert(path.as_str().into(), Arc::new(factory.make(&path, contents))));
                }
            }
        }
        for (matches, NamespaceBuilder(contents)) in self.dynamic {
            patterns.push((matches, contents));
        }
        Ok(Hub::new(Core::new(self.config, self.states, namespaces, patterns, factory)))
    }

    fn check(&self, path: &str, mounted: &[Mounted]) -> Result<(), BuildError> {
        let mut seen: Vec<Key> = Vec::new();
        let handlers = mounted.iter().flat_map(|mounted| mounted.events.handlers());
        let mut names = HashSet::new();
        for handler in handlers {
            let repeated = match handler.key {
                Key::Name(name) => !names.insert(name),
                special if seen.contains(&special) => true,
                special => {
                    seen.push(special);
                    false
                }
            };
            if repeated {
                let event = handler.key.as_str();
                return Err(BuildError::DuplicateEvent { event, namespace: path.to_owned() });
            }
            self.check_states(handler)?;
        }
        Ok(())
    }

    fn check_states(&self, handler: &Handler) -> Result<(), BuildError> {
        match handler.needs.iter().flatten().find(|need| !self.states.contains(need.id)) {
            Some(need) => Err(BuildError::MissingState { event: handler.key.as_str(), state: (need.name)() }),
            None => Ok(()),
        }
    }
}
