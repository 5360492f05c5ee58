//! [`HubBuilder::build`]: checks everything in the builder, then creates the [`Hub`].

use http::HeaderName;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::agreement::check::check;
use super::agreement::watch::Watch;
use super::build_error::{BuildError, BuildProblem};
use super::hub_builder::HubBuilder;
use super::kept_headers::KeptHeaders;
use super::namespace_builder::NamespaceBuilder;
use super::observed::Observers;
use super::{Core, Hub};
use crate::event::handler::{Handler, Key, Lifecycle};
use crate::hub::namespace::inner::{Contents, Lifetime, MakeRecovery, NamespaceFactory, NamespaceInner};
use crate::hub::namespace::pattern::{Matching, Pattern};
use crate::hub::recovery::namespace::RecoveryOf;
use crate::wire::socketio::is_reserved;

impl HubBuilder {
    /// Creates the hub.
    ///
    /// # Errors
    ///
    /// One error lists all problems:
    ///
    /// - a setting does not accept its value;
    /// - a rate limit is for an event that no handler of the namespace takes;
    /// - two tables handle the same event;
    /// - a handler takes a state that the hub does not have;
    /// - the handlers differ from the [`contract`](Self::contract).
    pub fn build(mut self) -> Result<Hub, BuildError> {
        let mut problems = Vec::new();
        self.check_settings(&mut problems);
        self.check_namespaces(&mut problems);
        if let Some(agreed) = &self.agreed {
            let handlers = self.namespaces.iter().map(|(path, namespace)| (&**path, namespace.handlers()));
            check(agreed, handlers, &mut problems);
        }
        BuildError::check(problems)?;
        if self.config.origins.opens_localhost() {
            tracing::info!(
                "pages of all ports of localhost may connect to this server on localhost: `allow_localhost` is on, \
                 as by default in debug builds"
            );
        }
        for namespace in self.agreed.iter().flatten() {
            self.namespaces.entry(namespace.path.to_owned()).or_default();
        }
        let observers = Observers::new(&self);
        let watch = Watch::new(self.agreed, self.namespaces.keys());
        let admin = self.admin.prepare(&mut self.namespaces);
        let factory = NamespaceFactory {
            admin,
            adapters: self.adapters.map(|prepare| prepare(&self.config)),
            watch,
            ack_timeout: self.config.ack_timeout,
            trace_requests: self.config.trace_requests,
            closing: Arc::default(),
            make_recovery: self.config.recovery.clone().map(|settings| {
                let config = self.config.clone();
                let make: Box<MakeRecovery> = Box::new(move || RecoveryOf::new(&settings, &config));
                make
            }),
        };
        let mut namespaces: HashMap<Box<str>, Arc<NamespaceInner>> = HashMap::new();
        let mut patterns: Vec<(Matching, Contents)> = Vec::new();
        for (path, NamespaceBuilder(contents)) in self.namespaces {
            match Pattern::of(&path) {
                Some(pattern) => patterns.push((Matching::Pattern(pattern), contents)),
                None => {
                    drop(
                        namespaces
                            .insert(path.as_str().into(), Arc::new(factory.make(&path, contents, Lifetime::Static))),
                    );
                }
            }
        }
        for (matches, NamespaceBuilder(contents)) in self.dynamic {
            patterns.push((matches, contents));
        }
        let hub = Hub::new(Core::new(self.config, self.states, namespaces, patterns, factory, observers));
        hub.core().factory.admin.begin(&hub);
        Ok(hub)
    }

    /// Checks all settings. Parses origins, hosts and header names.
    fn check_settings(&mut self, problems: &mut Vec<BuildProblem>) {
        self.config.check(problems);
        self.admin.check(&self.namespaces, problems);
        for origin in &self.allow_origins {
            if let Err(accepted) = self.config.origins.allow(origin) {
                problems.push(BuildProblem::setting("allow_origins", origin, accepted));
            }
        }
        for host in &self.public_hosts {
            if let Err(accepted) = self.config.origins.add_public_host(host) {
                problems.push(BuildProblem::setting("public_hosts", host, accepted));
            }
        }
        if let Some(names) = &self.keep_headers {
            let parse = |name: &String| {
                let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
                if parsed.is_none() {
                    let accepted = "a header's name, of letters, digits and hyphens, such as `user-agent`";
                    problems.push(BuildProblem::setting("keep_headers", name, accepted));
                }
                parsed
            };
            self.config.keep_headers = KeptHeaders::Only(names.iter().filter_map(parse).collect());
        }
    }

    fn check_namespaces(&self, problems: &mut Vec<BuildProblem>) {
        let static_ones = self.namespaces.iter().map(|(path, namespace)| (&**path, namespace));
        let dynamic_ones = self.dynamic.iter().map(|(_, namespace)| ("a dynamic one", namespace));
        for (path, namespace) in static_ones.chain(dynamic_ones) {
            let handlers = namespace.handlers();
            check_limits(path, namespace, &handlers, problems);
            check_duplicates(path, &handlers, problems);
            for handler in handlers {
                self.check_states(handler, problems);
            }
        }
    }

    fn check_states(&self, handler: &Handler, problems: &mut Vec<BuildProblem>) {
        for need in handler.needs.iter().flatten().filter(|need| !self.states.contains(need.id)) {
            let problem = BuildProblem::MissingState { event: handler.key.as_str(), state: (need.name)() };
            problems.push(problem);
        }
    }
}

/// Rejects limits on events without a handler, which are usually misspelled names. A namespace
/// without handlers is not checked, because its listeners are registered later.
fn check_limits(path: &str, namespace: &NamespaceBuilder, handlers: &[&Handler], problems: &mut Vec<BuildProblem>) {
    let any_name = handlers.is_empty() || handlers.iter().any(|handler| handler.key == Key::Fallback);
    for event in namespace.0.event_limits.events() {
        let is_handled = || handlers.iter().any(|handler| matches!(handler.key, Key::Name(name) if name == event));
        if event.is_empty() || is_reserved(event) {
            problems.push(BuildProblem::setting("rate_limit_event", event, "an event that clients can send"));
        } else if event != Lifecycle::Message.as_str() && !any_name && !is_handled() {
            problems.push(BuildProblem::LimitedEvent { event: event.to_owned(), namespace: path.to_owned() });
        }
    }
}

fn check_duplicates(path: &str, handlers: &[&'static Handler], problems: &mut Vec<BuildProblem>) {
    let mut seen = HashSet::new();
    for handler in handlers {
        if !seen.insert(handler.key) {
            let problem = BuildProblem::DuplicateEvent { event: handler.key.as_str(), namespace: path.to_owned() };
            problems.push(problem);
        }
    }
}
