//! Declares each payload type of a contract once, with the types that it contains.

use std::any::{TypeId, type_name};
use std::collections::{HashMap, HashSet};
use ts_rs::{Config, TS, TypeVisitor};

use super::format;
use super::inputs::Inputs;
use crate::contract::description::DescribedType;
use crate::hub::socket::SocketId;
use crate::wire::any_value::AnyValue;
use crate::wire::binary::Binary;

/// Declares a type and the types that it contains.
type Visit = fn(&mut Declarations);

/// The TypeScript form of a Rust type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeScript {
    name: fn(&Config) -> String,
    visit: Visit,
}

impl TypeScript {
    pub(crate) fn of<T: TS + 'static>() -> Self {
        Self { name: T::name, visit: Declarations::visit::<T> }
    }

    /// Whether the type contains binary data.
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
    /// The declarations in the order of discovery.
    found: Vec<Declaration>,
    /// The index of each name in that list.
    names: HashMap<String, usize>,
    /// Names that types must not have.
    reserved: HashSet<String>,
    /// The types that contain themselves but no binary data.
    recursive: Vec<String>,
    pub(super) has_binary: bool,
    /// Whether clients send binary data.
    pub(super) sends_binary: bool,
    pub(super) inputs: Inputs,
}

struct Declaration {
    /// The Rust type, without its parameters.
    origin: String,
    docs: String,
    deprecated: Option<&'static str>,
    /// `type Name = …`.
    text: String,
}

impl Declarations {
    pub(super) fn new() -> Self {
        Self {
            // JavaScript reads every JSON number as `number`.
            config: Config::new().with_large_int("number"),
            seen: HashSet::new(),
            found: Vec::new(),
            names: HashMap::new(),
            reserved: HashSet::new(),
            recursive: Vec::new(),
            has_binary: false,
            sends_binary: false,
            inputs: Inputs::default(),
        }
    }

    /// The TypeScript form of a type. A named type is also declared. A type without a TypeScript
    /// form is `any`.
    ///
    /// # Panics
    ///
    /// Panics if another type has the name of this type or of a type in it.
    pub(super) fn name(&mut self, ty: Option<TypeScript>) -> String {
        let Some(ty) = ty else { return "any".to_owned() };
        (ty.visit)(self);
        format::inline(&(ty.name)(&self.config))
    }

    /// The TypeScript form of a type that clients send.
    pub(super) fn sent_name(&mut self, ty: DescribedType) -> String {
        self.has_binary |= ty.typescript.is_some_and(TypeScript::has_binary);
        let mut inputs = std::mem::take(&mut self.inputs);
        let name = inputs.name(ty, self);
        self.inputs = inputs;
        name.map_or_else(|| self.name(ty.typescript), |name| format::inline(&name))
    }

    /// Whether a type of this name, without parameters, is declared.
    #[cfg(feature = "asyncapi")]
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|at| self.found[*at].text.starts_with(&format!("type {name} =")))
    }

    /// A free name for the input form of a type.
    #[cfg(feature = "asyncapi")]
    pub(super) fn free_name(&self, name: &str) -> String {
        let word = |char: char| if char.is_ascii_alphanumeric() { char } else { '_' };
        let name: String = name.chars().map(word).collect();
        let numbered = (2..).map(|number| format!("{name}Input{number}"));
        let mut names = [name.clone(), format!("{name}Input")].into_iter().chain(numbered);
        names.find(|name| !self.names.contains_key(name)).unwrap_or(name)
    }

    /// Declares the input form of a type. [`set_input`](Self::set_input) adds its text.
    #[cfg(feature = "asyncapi")]
    pub(super) fn declare_input(&mut self, name: &str, docs: &str) -> usize {
        let place = self.found.len();
        self.names.insert(name.to_owned(), place);
        let (origin, docs) = (name.to_owned(), docs.to_owned());
        self.found.push(Declaration { origin, docs, deprecated: None, text: String::new() });
        place
    }

    #[cfg(feature = "asyncapi")]
    pub(super) fn set_input(&mut self, place: usize, declaration: &str, is_recursive: bool) {
        let Declaration { origin, text, .. } = &mut self.found[place];
        *text = format::declaration(declaration);
        self.recursive.extend(is_recursive.then(|| origin.clone()));
    }

    /// Marks a declared type as deprecated.
    pub(super) fn deprecate(&mut self, ty: &str, note: &'static str) {
        let name = ty.split('<').next().unwrap_or_default();
        if let Some(&at) = self.names.get(name) {
            self.found[at].deprecated = Some(note);
        }
    }

    /// Declares the codes of an error type: those of `BoardError` as `BoardErrorCode`. Returns
    /// `None` if that name is taken.
    pub(super) fn codes(&mut self, error: &'static str, codes: &str) -> Option<String> {
        let name = format!("{}Code", error.trim_end_matches("Code"));
        if !format::is_identifier(&name) || self.reserved.contains(&name) {
            return None;
        }
        let text = format::declaration(&format!("type {name} = {codes}"));
        match self.names.get(&name) {
            Some(&at) if self.found[at].text != text => return None,
            Some(_) => {}
            None => {
                self.names.insert(name.clone(), self.found.len());
                let docs = "The error codes of a handler.".to_owned();
                self.found.push(Declaration { origin: error.to_owned(), docs, deprecated: None, text });
            }
        }
        Some(name)
    }

    /// Reserves a name for an item that is not a payload type.
    ///
    /// # Panics
    ///
    /// Panics if a payload type has the name.
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

    /// The types that contain themselves but no binary data.
    pub(super) fn recursive(&self) -> impl Iterator<Item = &str> {
        self.recursive.iter().map(String::as_str)
    }

    pub(super) fn write(&self, out: &mut String) {
        for Declaration { docs, deprecated, text, .. } in &self.found {
            out.push('\n');
            out.push_str(&format::docs_with_note(docs, *deprecated, 0));
            out.push_str("export ");
            out.push_str(text);
            out.push_str(";\n");
        }
    }

    fn declare<T: TS + ?Sized>(&mut self) {
        let name = T::ident(&self.config);
        let new = Declaration {
            origin: type_name::<T::WithoutGenerics>().to_owned(),
            docs: format::docs_text(&T::docs().unwrap_or_default()),
            deprecated: None,
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
        // Only types with a declaration of their own have an output path.
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

/// The types that a type refers to directly. They are sorted by their position in its text, because
/// `ts-rs` lists them in an order that differs between builds.
struct Direct<'c> {
    config: &'c Config,
    found: Vec<(String, Visit)>,
}

impl TypeVisitor for Direct<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        self.found.push((T::name(self.config), Declarations::visit::<T>));
    }
}

/// What a type contains at any depth.
struct Content<'c> {
    config: &'c Config,
    seen: HashSet<TypeId>,
    /// The type's name. Names are compared because `ts-rs` can represent a Rust type by another
    /// one, as for `Value`.
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

    /// Whether the type contains itself but no binary data.
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

/// A browser receives binary data as an `ArrayBuffer`.
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

/// The type of the value is not known before run time.
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
