//! Whether a hub has the handlers that its contracts name, and no others.

use super::description::{Description, NamespaceDescription, Received};
use crate::event::handler::{Handler, Key};
use crate::hub::build::BuildError;

/// Compares the contracts with the hub's namespaces and the handlers in each. Without a contract there is nothing to compare.
pub(crate) fn check<'a>(
    contracts: &[Description],
    hub: impl Iterator<Item = (&'a str, Vec<&'static Handler>)> + Clone,
) -> Result<(), BuildError> {
    if contracts.is_empty() {
        return Ok(());
    }
    for (path, handlers) in hub.clone() {
        for handler in handlers {
            check_handler(contracts, path, handler)?;
        }
    }
    for namespace in namespaces(contracts) {
        for event in &namespace.receives {
            let is_handled = hub.clone().any(|(path, handlers)| {
                path == namespace.path && handlers.iter().any(|handler| handler.key == Key::Name(event.name))
            });
            if !is_handled {
                return Err(BuildError::NotHandled { event: event.name, namespace: namespace.path.to_owned() });
            }
        }
    }
    Ok(())
}

fn check_handler(contracts: &[Description], path: &str, handler: &Handler) -> Result<(), BuildError> {
    let Key::Name(event) = handler.key else { return Ok(()) };
    let namespace = path.to_owned();
    // The same event may be in several contracts, and each of them holds.
    let mut described = find(contracts, path, event).peekable();
    if described.peek().is_none() {
        return Err(BuildError::NotInContract { event, namespace, handler: handler.source.path() });
    }
    match described.find(|described| described.source != handler.source) {
        Some(other) => Err(BuildError::OtherHandler {
            event,
            namespace,
            handler: handler.source.path(),
            described: other.source.path(),
        }),
        None => Ok(()),
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
