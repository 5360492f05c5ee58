//! The payload types that a contract has in it, each declared once, with everything that they consist of.

use std::any::{TypeId, type_name};
use std::collections::{HashMap, HashSet};
use ts_rs::{Config, TS, TypeVisitor};

use super::format;
use crate::contract::Describe;
use crate::socket::SocketId;
use crate::wire::binary::Binary;

/// What TypeScript makes of a Rust type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeScript {
    name: fn(&Config) -> String,
    visit: fn(&mut Declarations),
}

impl TypeScript {
    pub(crate) fn of<T: Describe + 'static>() -> Self {
        Self { name: T::name, visit: Declarations::visit::<T> }
    }

    /// Whether there is binary data somewhere in it.
    pub(super) fn has_binary(self) -> bool {
        let mut visited = Declarations::new();
        (self.visit)(&mut visited);
        visited.has_binary
    }
}

/// The types that are declared in a file.
pub(super) struct Declarations {
    config: Config,
    seen: HashSet<TypeId>,
    /// What is declared, in the order in which it is come upon.
    found: Vec<Declaration>,
    /// Where each name stands in that list.
    names: HashMap<String, usize>,
    pub(super) has_binary: bool,
    /// Whether clients send some.
    pub(super) sends_binary: bool,
}

struct Declaration {
    /// The Rust type, without its parameters.
    origin: &'static str,
    docs: String,
    /// `type Name = …`.
    text: String,
}

impl Declarations {
    pub(super) fn new() -> Self {
        Self {
            // JSON has one kind of numbers, and JavaScript reads it as that.
            config: Config::new().with_large_int("number"),
            seen: HashSet::new(),
            found: Vec::new(),
            names: HashMap::new(),
            has_binary: false,
            sends_binary: false,
        }
    }

    /// How a type is written, which is declared from now on if it has a name of its own.
    ///
    /// # Panics
    ///
    /// Its name, or that of a type in it, is another type's.
    pub(super) fn name(&mut self, ty: TypeScript) -> String {
        (ty.visit)(self);
        format::inline(&(ty.name)(&self.config))
    }

    /// Declares the codes of an error type under its name; `None` if that is another type's.
    pub(super) fn codes(&mut self, name: &'static str, codes: &str) -> Option<String> {
        if !format::is_identifier(name) {
            return None;
        }
        let text = format::declaration(&format!("type {name} = {codes}"));
        match self.names.get(name) {
            Some(&at) if self.found[at].text != text => return None,
            Some(_) => {}
            None => {
                self.names.insert(name.to_owned(), self.found.len());
                let docs = "/** The codes with which handlers fail. */\n".to_owned();
                self.found.push(Declaration { origin: name, docs, text });
            }
        }
        Some(name.to_owned())
    }

    /// Keeps a name for what is not a payload type.
    ///
    /// # Panics
    ///
    /// It is a payload type's.
    pub(super) fn reserve(&self, name: &str) {
        if let Some(&at) = self.names.get(name) {
            panic!(
                "the type `{}` is called `{name}` in TypeScript, which is the name of something else in the exported file: \
                 rename it with `#[ts(rename = \"…\")]`",
                self.found[at].origin
            );
        }
    }

    pub(super) fn write(&self, out: &mut String) {
        for Declaration { docs, text, .. } in &self.found {
            out.push('\n');
            out.push_str(docs);
            out.push_str("export ");
            out.push_str(text);
            out.push_str(";\n");
        }
    }

    fn declare<T: TS + ?Sized>(&mut self) {
        let name = T::ident(&self.config);
        let new = Declaration {
            origin: type_name::<T::WithoutGenerics>(),
            docs: format::tidy_docs(&T::docs().unwrap_or_default(), 0),
            text: format::declaration(&T::decl(&self.config)),
        };
        match self.names.get(&name) {
            None => {
                self.names.insert(name, self.found.len());
                self.found.push(new);
            }
            Some(&at) => {
                let known = &self.found[at];
                assert!(
                    known.origin == new.origin || known.text == new.text,
                    "`{}` and `{}` are both called `{name}` in TypeScript: rename one of them with `#[ts(rename = \"…\")]`",
                    known.origin,
                    new.origin
                );
            }
        }
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        let id = TypeId::of::<T>();
        if !self.seen.insert(id) {
            return;
        }
        self.has_binary |= id == TypeId::of::<Binary>();
        // Only a type with a declaration of its own has a place to put it.
        if T::output_path().is_some() {
            self.declare::<T>();
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

/// What a browser receives.
impl TS for Binary {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &Config) -> String {
        "ArrayBuffer".to_owned()
    }

    fn inline(config: &Config) -> String {
        Self::name(config)
    }
}

impl TS for SocketId {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(config: &Config) -> String {
        String::name(config)
    }

    fn inline(config: &Config) -> String {
        String::inline(config)
    }
}
