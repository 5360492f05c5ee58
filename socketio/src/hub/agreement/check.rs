//! Checks that a hub has exactly the handlers that its contracts name.

use super::{AgreedHandler, AgreedNamespace};
use crate::event::handler::{Handler, Key};
use crate::hub::build_error::BuildProblem;

/// Compares the handlers in each namespace of the hub with those of its contracts.
pub(crate) fn check<'a>(
    agreed: &[AgreedNamespace],
    hub: impl Iterator<Item = (&'a str, Vec<&'static Handler>)> + Clone,
    problems: &mut Vec<BuildProblem>,
) {
    for (path, handlers) in hub.clone() {
        for handler in handlers {
            check_handler(agreed, path, handler, problems);
        }
    }
    for namespace in agreed {
        for AgreedHandler { event, .. } in &namespace.receives {
            let is_handled = hub.clone().any(|(path, handlers)| {
                path == namespace.path && handlers.iter().any(|handler| handler.key == Key::Name(event))
            });
            if !is_handled {
                let problem = BuildProblem::NotHandled { event, namespace: namespace.path.to_owned() };
                problems.push(problem);
            }
        }
    }
}

fn check_handler(agreed: &[AgreedNamespace], path: &str, handler: &Handler, problems: &mut Vec<BuildProblem>) {
    let Key::Name(event) = handler.key else { return };
    let namespace = path.to_owned();
    // The same event may be in several contracts, and each of them holds.
    let mut handlers = find(agreed, path, event).peekable();
    if handlers.peek().is_none() {
        problems.push(BuildProblem::NotInContract { event, namespace, handler: handler.source.path() });
        return;
    }
    for other in handlers.filter(|agreed| agreed.source != handler.source) {
        let problem = BuildProblem::OtherHandler {
            event,
            namespace: namespace.clone(),
            handler: handler.source.path(),
            described: other.source.path(),
        };
        problems.push(problem);
    }
}

fn find<'a>(agreed: &'a [AgreedNamespace], path: &str, event: &str) -> impl Iterator<Item = &'a AgreedHandler> {
    let handlers = agreed.iter().filter(move |namespace| namespace.path == path).flat_map(|found| &found.receives);
    handlers.filter(move |handler| handler.event == event)
}
