//! [`Table`]: builds a table of handlers in a `const` context, so that a duplicate event is a
//! compile error.

use std::marker::PhantomData;

use super::handler::{Handler, Key};
use super::table::{Events, FALLBACK, Slot, Special, hash};
use crate::hub::source::HandlersInOneImpl;

/// One item of `events![…]`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Part {
    One(&'static Handler),
    All(Events),
    /// A path that names no handler.
    Missing(NotHandler),
}

/// What a path names that names no handler.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHandler {
    /// A function without the attribute, or a type.
    Other,
    /// A payload type.
    Payload,
    /// A type with `#[handlers]`.
    Source,
}

impl NotHandler {
    /// `event` is the name of the event that the type is the payload of.
    pub const fn of(event: Option<&'static str>, is_source: bool) -> Self {
        match (event, is_source) {
            (Some(_), _) => Self::Payload,
            (None, true) => Self::Source,
            (None, false) => Self::Other,
        }
    }
}

impl Part {
    /// Makes a part from the handler found at a path, if there is one.
    pub const fn found(handler: Option<&'static Handler>, missing: NotHandler) -> Self {
        match handler {
            Some(handler) => Self::One(handler),
            None => Self::Missing(missing),
        }
    }

    /// Finds the handler of the method `function` in `parts`.
    pub const fn method(parts: &[Self], function: &str) -> Self {
        let mut part = 0;
        while part < parts.len() {
            let mut at = 0;
            while at < parts[part].len() {
                let handler = parts[part].get(at);
                if equal(handler.source.function.as_bytes(), function.as_bytes()) {
                    return Self::One(handler);
                }
                at += 1;
            }
            part += 1;
        }
        Self::Missing(NotHandler::Other)
    }

    /// Returns the handler if the part is a single handler.
    pub const fn handler(&self) -> Option<&'static Handler> {
        match self {
            Self::One(handler) => Some(handler),
            Self::All(_) | Self::Missing(_) => None,
        }
    }

    /// Returns `true` for a single handler that is registered for a lifecycle event or as the
    /// fallback.
    pub const fn is_nameless(&self) -> bool {
        match self {
            Self::One(handler) => matches!(handler.key, Key::Lifecycle(_) | Key::Fallback),
            Self::All(_) | Self::Missing(_) => false,
        }
    }

    const fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::All(events) => events.handlers.len(),
            Self::Missing(_) => 0,
        }
    }

    const fn get(&self, at: usize) -> &'static Handler {
        match self {
            Self::One(handler) => handler,
            Self::All(events) => events.handlers[at],
            Self::Missing(_) => panic!("a missing part has no handlers"),
        }
    }
}

/// The result of checking one item of `events![…]`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each of its events has one handler.
    Single,
    /// The item contains no handler.
    Missing(NotHandler),
    /// The name of its first event that an earlier item also handles.
    Repeated(&'static str),
}

/// The number of handlers in all parts.
#[doc(hidden)]
pub const fn count(parts: &[Part]) -> usize {
    let mut total = 0;
    let mut part = 0;
    while part < parts.len() {
        total += parts[part].len();
        part += 1;
    }
    total
}

/// The number of slots for `handlers`: a power of two, of which at least half stay free.
#[doc(hidden)]
pub const fn slot_count(handlers: usize) -> usize {
    (handlers * 2 + 1).next_power_of_two()
}

/// A table under construction.
#[doc(hidden)]
#[derive(Debug)]
pub struct Table<const N: usize, const S: usize> {
    handlers: [&'static Handler; N],
    slots: [Slot; S],
    special: Special,
    /// The number of handlers. It is less than `N` if a `#[cfg]` removes some.
    len: usize,
    /// For each handler: `true` if an earlier handler is registered for the same event.
    repeated: [bool; N],
}

impl<const N: usize, const S: usize> Table<N, S> {
    pub const fn build(parts: &[Part]) -> Self {
        static NONE: Handler = Handler::placeholder(Key::Fallback);
        assert!(S.is_power_of_two() && S > N, "a table has more slots than handlers");
        let mut table = Self {
            handlers: [&NONE; N],
            slots: [Slot { hash: 0, handler: 0 }; S],
            special: [None; 9],
            len: count(parts),
            repeated: [false; N],
        };
        let mut part = 0;
        let mut position = 0;
        while part < parts.len() {
            let mut at = 0;
            while at < parts[part].len() {
                table.insert(position, parts[part].get(at));
                position += 1;
                at += 1;
            }
            part += 1;
        }
        table
    }

    /// Returns the finished table.
    pub const fn events(&'static self) -> Events {
        Events { handlers: self.handlers.split_at(self.len).0, slots: &self.slots, special: self.special }
    }

    const fn insert(&mut self, position: usize, handler: &'static Handler) {
        self.handlers[position] = handler;
        let name = match handler.key {
            Key::Name(name) => name,
            Key::Lifecycle(lifecycle) => return self.insert_special(position, lifecycle as usize),
            Key::Fallback => return self.insert_special(position, FALLBACK),
            Key::Invalid => return,
        };
        let hash = hash(name);
        let mut at = hash as usize & (S - 1);
        while self.slots[at].handler != 0 {
            let other = self.handlers[self.slots[at].handler as usize - 1];
            if self.slots[at].hash == hash && equal(name.as_bytes(), other.key.as_str().as_bytes()) {
                self.repeated[position] = true;
                return;
            }
            at = (at + 1) & (S - 1);
        }
        self.slots[at] = Slot { hash, handler: position as u32 + 1 };
    }

    const fn insert_special(&mut self, position: usize, at: usize) {
        if self.special[at].is_some() {
            self.repeated[position] = true;
        } else {
            self.special[at] = Some(self.handlers[position]);
        }
    }

    /// Returns `true` if an earlier handler is registered for the same event.
    pub const fn is_repeated(&self, position: usize) -> bool {
        self.repeated[position]
    }

    /// Checks every part in one pass. The position of a part depends on the length of all earlier
    /// parts.
    pub const fn verdicts<const P: usize>(&self, parts: &[Part]) -> [Verdict; P] {
        let mut verdicts = [Verdict::Single; P];
        let mut part = 0;
        let mut position = 0;
        while part < P {
            if let Part::Missing(missing) = parts[part] {
                verdicts[part] = Verdict::Missing(missing);
            }
            let end = position + parts[part].len();
            while position < end {
                if let (Verdict::Single, true) = (verdicts[part], self.repeated[position]) {
                    verdicts[part] = Verdict::Repeated(self.handlers[position].key.as_str());
                }
                position += 1;
            }
            part += 1;
        }
        verdicts
    }
}

/// The table of the `self` handlers of `T`. `N` is the maximum number of handlers, `S` the number
/// of slots.
#[doc(hidden)]
#[derive(Debug)]
pub struct Shared<T, const N: usize, const S: usize>(PhantomData<T>);

impl<T: HandlersInOneImpl, const N: usize, const S: usize> Shared<T, N, S> {
    pub const TABLE: &'static Table<N, S> = &Table::build(T::PARTS);
}

pub(crate) const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::handler::Lifecycle;

    const fn handler(key: Key) -> Handler {
        Handler::placeholder(key)
    }

    static A: Handler = handler(Key::Name("a"));
    static B: Handler = handler(Key::Name("a name of more than eight bytes"));
    static C: Handler = handler(Key::Lifecycle(Lifecycle::Connect));
    const PARTS: &[Part] = &[Part::One(&A), Part::One(&B), Part::One(&C)];
    static TABLE: Table<3, { slot_count(3) }> = Table::build(PARTS);
    const EVENTS: Events = TABLE.events();

    #[test]
    fn a_table_finds_its_events_and_no_others() {
        for name in ["a", "a name of more than eight bytes"] {
            assert_eq!(EVENTS.find(name, hash(name)).map(|found| found.key), Some(Key::Name(name)));
        }
        for name in ["", "b", "a ", "connect", "a name of more than eight byte"] {
            assert!(EVENTS.find(name, hash(name)).is_none(), "{name}");
        }
        assert!(EVENTS.lifecycle(Lifecycle::Connect).is_some());
        assert!(EVENTS.lifecycle(Lifecycle::Error).is_none());
        assert!(EVENTS.fallback().is_none());
    }

    #[test]
    fn repeated_events_are_found_in_nested_tables() {
        const NESTED: [Part; 4] = [Part::One(&C), Part::One(&A), Part::Missing(NotHandler::Other), Part::All(EVENTS)];
        const TABLE: Table<5, { slot_count(5) }> = Table::build(&NESTED);
        let [Verdict::Single, Verdict::Single, Verdict::Missing(_), Verdict::Repeated(name)] = TABLE.verdicts(&NESTED)
        else {
            panic!("{:?}", TABLE.verdicts::<{ NESTED.len() }>(&NESTED));
        };
        assert_eq!(name, "a");
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        static TABLE: Table<0, { slot_count(0) }> = Table::build(&[]);
        let events = TABLE.events();
        assert!(events.find("a", hash("a")).is_none());
    }
}
