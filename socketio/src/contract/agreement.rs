//! Checks that a hub has exactly the handlers that its contracts name.

use super::description::{Description, NamespaceDescription, Received};
use crate::event::handler::{Handler, Key};
use crate::hub::build::report;
use crate::hub::build_error::BuildProblem;

/// Compares the handlers in each namespace of the hub with the contracts. Without a contract, every
/// hub is valid.
pub(crate) fn check<'a>(
    contracts: &[Description],
    hub: impl Iterator<Item = (&'a str, Vec<&'static Handler>)> + Clone,
    problems: &mut Vec<BuildProblem>,
) {
    if contracts.is_empty() {
        return;
    }
    for (path, handlers) in hub.clone() {
        for handler in handlers {
            check_handler(contracts, path, handler, problems);
        }
    }
    for namespace in namespaces(contracts) {
        for event in &namespace.receives {
            let is_handled = hub.clone().any(|(path, handlers)| {
                path == namespace.path && handlers.iter().any(|handler| handler.key == Key::Name(event.name))
            });
            if !is_handled {
                let problem = BuildProblem::NotHandled { event: event.name, namespace: namespace.path.to_owned() };
                report(problem, problems);
            }
        }
    }
}

fn check_handler(contracts: &[Description], path: &str, handler: &Handler, problems: &mut Vec<BuildProblem>) {
    let Key::Name(event) = handler.key else { return };
    let namespace = path.to_owned();
    // Several contracts may describe the same event. The handler must match each of them.
    let mut described = find(contracts, path, event).peekable();
    if described.peek().is_none() {
        report(BuildProblem::NotInContract { event, namespace, handler: handler.source.path() }, problems);
        return;
    }
    for other in described.filter(|described| described.source != handler.source) {
        let problem = BuildProblem::OtherHandler {
            event,
            namespace: namespace.clone(),
            handler: handler.source.path(),
            described: other.source.path(),
        };
        report(problem, problems);
    }
}

fn find<'d>(contracts: &'d [Description], path: &str, event: &str) -> impl Iterator<Item = &'d Received> {
    let events =
        namespaces(contracts).filter(move |namespace| namespace.path == path).flat_map(|found| &found.receives);
    events.filter(move |received| received.name == event)
}

fn namespaces(contracts: &[Description]) -> impl Iterator<Item = &NamespaceDescription> {
    contracts.iter().flat_map(|contract| &contract.namespaces)
}
