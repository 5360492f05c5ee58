//! Building a table of handlers, all of it at compile time: what is in it twice is an error there.

use std::marker::PhantomData;

use super::handler::{Handler, Key};
use super::table::{Events, FALLBACK, Slot, Special, hash};
use crate::hub::source::EventSource;

/// One item of `events![…]`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Part {
    One(&'static Handler),
    All(Events),
    /// A path that leads to no handler.
    Missing,
}

impl Part {
    /// The handler that was found at a path.
    pub const fn found(handler: Option<&'static Handler>) -> Self {
        match handler {
            Some(handler) => Self::One(handler),
            None => Self::Missing,
        }
    }

    /// The handler that is the method `function` of a type with these.
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
        Self::Missing
    }

    /// The handler, if the part is one.
    pub const fn handler(&self) -> Option<&'static Handler> {
        match self {
            Self::One(handler) => Some(handler),
            Self::All(_) | Self::Missing => None,
        }
    }

    /// Whether it is known that clients can't send this event, since it has no name.
    pub const fn is_nameless(&self) -> bool {
        match self {
            Self::One(handler) => matches!(handler.key, Key::Lifecycle(_) | Key::Fallback),
            Self::All(_) | Self::Missing => false,
        }
    }

    const fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::All(events) => events.handlers.len(),
            Self::Missing => 0,
        }
    }

    const fn get(&self, at: usize) -> &'static Handler {
        match self {
            Self::One(handler) => handler,
            Self::All(events) => events.handlers[at],
            Self::Missing => panic!("there is nothing in a part that is missing"),
        }
    }
}

/// What is to be said of an item of `events![…]`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each of its events has one handler.
    Single,
    /// It leads to no handler.
    Missing,
    /// The first of its events that an earlier item has a handler of too.
    Repeated(&'static str),
}

/// How many handlers the parts have together.
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

/// How many slots a table of `handlers` has: a power of two, at least half of them free.
#[doc(hidden)]
pub const fn slot_count(handlers: usize) -> usize {
    (handlers * 2 + 1).next_power_of_two()
}

/// A table while it is being built.
#[doc(hidden)]
#[derive(Debug)]
pub struct Table<const N: usize, const S: usize> {
    handlers: [&'static Handler; N],
    slots: [Slot; S],
    special: Special,
    /// How many handlers there are: some of the `N` may be left out by a `#[cfg]`.
    len: usize,
    /// Per handler: whether another one before it is registered for the same event.
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

    /// The finished table.
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

    /// Whether the handler at `position` is one too many for its event.
    pub const fn is_repeated(&self, position: usize) -> bool {
        self.repeated[position]
    }

    /// What is to be said of each part. All at once: to find a part's position takes a walk over those before it.
    pub const fn verdicts<const P: usize>(&self, parts: &[Part]) -> [Verdict; P] {
        let mut verdicts = [Verdict::Single; P];
        let mut part = 0;
        let mut position = 0;
        while part < P {
            if let Part::Missing = parts[part] {
                verdicts[part] = Verdict::Missing;
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

/// The table of the handlers that a value is the `self` of. `N` and `S`: how many there are at most, and the slots.
#[doc(hidden)]
#[derive(Debug)]
pub struct Shared<T, const N: usize, const S: usize>(PhantomData<T>);

impl<T: EventSource, const N: usize, const S: usize> Shared<T, N, S> {
    pub const TABLE: &'static Table<N, S> = &Table::build(T::PARTS);
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
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
    fn what_is_in_the_table_is_found_and_nothing_else() {
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
    fn repeated_events_are_found_however_nested() {
        const NESTED: [Part; 4] = [Part::One(&C), Part::One(&A), Part::Missing, Part::All(EVENTS)];
        const TABLE: Table<5, { slot_count(5) }> = Table::build(&NESTED);
        let [Verdict::Single, Verdict::Single, Verdict::Missing, Verdict::Repeated(name)] = TABLE.verdicts(&NESTED)
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
