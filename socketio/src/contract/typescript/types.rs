//! The payload types that a contract has in it, each declared once, with everything that they consist of.

use std::any::{TypeId, type_name};
use std::collections::{HashMap, HashSet};
use ts_rs::{Config, TS, TypeVisitor};

use super::format;
use crate::hub::socket::SocketId;
use crate::wire::any_value::AnyValue;
use crate::wire::binary::Binary;

/// Declares a type, with everything that it consists of.
type Visit = fn(&mut Declarations);

/// What TypeScript makes of a Rust type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeScript {
    name: fn(&Config) -> String,
    visit: Visit,
}

impl TypeScript {
    pub(crate) fn of<T: TS + 'static>() -> Self {
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
    /// What no type can be called.
    reserved: HashSet<String>,
    /// How those are written that contain themselves, and no binary data.
    recursive: Vec<String>,
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
            reserved: HashSet::new(),
            recursive: Vec::new(),
            has_binary: false,
            sends_binary: false,
        }
    }

    /// How a type is written, which is declared from now on if it has a name of its own. What was not described for TypeScript may be
    /// anything.
    ///
    /// # Panics
    ///
    /// Its name, or that of a type in it, is another type's.
    pub(super) fn name(&mut self, ty: Option<TypeScript>) -> String {
        let Some(ty) = ty else { return "any".to_owned() };
        (ty.visit)(self);
        format::inline(&(ty.name)(&self.config))
    }

    /// Declares the codes of an error type under its name; `None` if that is something else's.
    pub(super) fn codes(&mut self, name: &'static str, codes: &str) -> Option<String> {
        if !format::is_identifier(name) || self.reserved.contains(name) {
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
    pub(super) fn reserve(&mut self, name: String) {
        if let Some(&at) = self.names.get(&name) {
            panic!(
                "the type `{}` is called `{name}` in TypeScript, which is the name of something else in the exported file: \
                 rename it with `#[ts(rename = \"…\")]`",
                self.found[at].origin
            );
        }
        self.reserved.insert(name);
    }

    /// The types that contain themselves, and no binary data.
    pub(super) fn recursive(&self) -> impl Iterator<Item = &str> {
        self.recursive.iter().map(String::as_str)
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
                    known.text == new.text,
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
        let mut text = String::new();
        // Only a type with a declaration of its own has a place to put it.
        if T::output_path().is_some() {
            text = T::decl(&self.config);
            self.declare::<T>();
            let name = format::inline(&T::name(&self.config));
            if Content::of::<T>(&self.config).is_recursive() && !self.recursive.contains(&name) {
                self.recursive.push(name);
            }
        }
        let mut direct = Direct { config: &self.config, found: Vec::new() };
        T::visit_dependencies(&mut direct);
        let mut direct = direct.found;
        direct.sort_by_cached_key(|(name, _)| (text.find(name), name.clone()));
        direct.into_iter().for_each(|(_, visit)| visit(self));
        T::visit_generics(self);
    }
}

/// The types that a type names, to be visited in the order in which they stand there: `ts-rs` has another one in each build.
struct Direct<'c> {
    config: &'c Config,
    found: Vec<(String, Visit)>,
}

impl TypeVisitor for Direct<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        self.found.push((T::name(self.config), Declarations::visit::<T>));
    }
}

/// What is in a type, however deep.
struct Content<'c> {
    config: &'c Config,
    seen: HashSet<TypeId>,
    /// What the type is called. Its Rust type may be another one inside of it: that of JSON has one for TypeScript alone.
    name: String,
    has_itself: bool,
    has_binary: bool,
}

impl<'c> Content<'c> {
    fn of<T: TS + 'static + ?Sized>(config: &'c Config) -> Self {
        let name = T::name(config);
        let mut content = Self { config, seen: HashSet::new(), name, has_itself: false, has_binary: false };
        T::visit_dependencies(&mut content);
        T::visit_generics(&mut content);
        content
    }

    /// Whether it contains itself, and no binary data.
    fn is_recursive(&self) -> bool {
        self.has_itself && !self.has_binary
    }
}

impl TypeVisitor for Content<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        let id = TypeId::of::<T>();
        if self.seen.insert(id) {
            self.has_itself |= T::output_path().is_some() && T::name(self.config) == self.name;
            self.has_binary |= id == TypeId::of::<Binary>();
            T::visit_dependencies(self);
            T::visit_generics(self);
        }
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

/// What is in it is not known before it is there.
impl TS for AnyValue {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &Config) -> String {
        "any".to_owned()
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
