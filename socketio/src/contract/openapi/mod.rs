//! What a route that emits knows of a contract: the events that the server may emit, and the
//! OpenAPI document of the route.

pub(crate) mod document;
#[cfg(not(feature = "asyncapi"))]
#[path = "no_schemas.rs"]
mod schemas;
#[cfg(feature = "asyncapi")]
mod schemas;

use super::description::{DescribedType, Description};
use crate::hub::namespace::pattern::Pattern;

/// The events that the namespaces of contracts emit.
#[derive(Clone, Debug, Default)]
pub(crate) struct EmittedEvents(Vec<EmittedEvent>);

#[derive(Clone, Debug)]
pub(crate) struct EmittedEvent {
    /// The namespace's path, which may have parameters in braces.
    path: &'static str,
    pattern: Option<Pattern>,
    name: &'static str,
    doc: &'static str,
    is_deprecated: bool,
    payload: DescribedType,
    /// Whether clients must answer it.
    is_answered: bool,
}

/// Why an event is none of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disagreement {
    Unknown,
    Answered,
    Arguments,
}

impl EmittedEvents {
    /// Adds the events of a contract.
    pub(crate) fn add(&mut self, description: &Description) {
        for namespace in &description.namespaces {
            self.0.extend(namespace.emits.iter().map(|event| EmittedEvent {
                path: namespace.path,
                pattern: Pattern::of(namespace.path),
                name: event.name,
                doc: event.doc,
                is_deprecated: event.deprecated.is_some(),
                payload: event.payload,
                is_answered: event.answer.is_some(),
            }));
        }
    }

    /// Compares an event with the contracts. A payload type is one argument.
    pub(crate) fn check(&self, namespace: &str, event: &str, arguments: usize) -> Result<(), Disagreement> {
        let mut found = self.of(namespace).filter(|known| known.name == event).peekable();
        if found.peek().is_none() {
            return Err(Disagreement::Unknown);
        }
        if found.all(|known| known.is_answered) {
            return Err(Disagreement::Answered);
        }
        if arguments == 1 { Ok(()) } else { Err(Disagreement::Arguments) }
    }

    /// The events of a namespace: those of its path, or of the first pattern that matches it.
    fn of(&self, namespace: &str) -> impl Iterator<Item = &EmittedEvent> {
        let is_known = self.0.iter().any(|event| event.path == namespace);
        let matches = |event: &&EmittedEvent| event.pattern.as_ref().is_some_and(|pattern| pattern.matches(namespace));
        let path = if is_known { Some(namespace) } else { self.0.iter().find(matches).map(|event| event.path) };
        self.0.iter().filter(move |event| Some(event.path) == path)
    }

    /// The events that need no answer, in the order of the contracts.
    fn emittable(&self) -> impl Iterator<Item = &EmittedEvent> {
        self.0.iter().filter(|event| !event.is_answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;
    use socketio::{contract, event};

    #[event("news")]
    #[derive(serde::Serialize)]
    struct News(u8);

    #[event("sure?", ack = bool)]
    #[derive(serde::Serialize)]
    struct Sure(u8);

    contract! {
        Daily {
            "/" { emits [News] }
            "/room-{id}" { emits [News, Sure] }
            "/room-1" {}
            "/room-2" { emits [Sure] }
        }
    }

    #[test]
    fn events_are_found_by_path_or_pattern() {
        let mut events = EmittedEvents::default();
        events.add(&Daily::describe());
        for (namespace, event, arguments, expected) in [
            ("/", "news", 1, Ok(())),
            ("/", "news", 0, Err(Disagreement::Arguments)),
            ("/", "sure?", 1, Err(Disagreement::Unknown)),
            ("/room-7", "news", 1, Ok(())),
            ("/room-7", "sure?", 1, Err(Disagreement::Answered)),
            ("/room-2", "news", 1, Err(Disagreement::Unknown)),
            ("/hall", "news", 1, Err(Disagreement::Unknown)),
        ] {
            assert_eq!(events.check(namespace, event, arguments), expected, "{namespace} {event}");
        }
    }
}
