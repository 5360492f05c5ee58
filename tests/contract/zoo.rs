//! The type zoo: one type of each kind, with many values.

mod both;

use arbitrary::{Arbitrary, Unstructured};
use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketio::{AsyncApiInfo, contract, event};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use ts_rs::TS;
use url::Url;
use uuid::Uuid;

/// The number of values of each type.
const VALUES: usize = 40;

/// Defines a type of the zoo: a payload type for an event.
macro_rules! zoo {
    ($($name:literal $item:item)*) => {
        $(
            #[event($name)]
            #[derive(Arbitrary, Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize, TS)]
            $item
        )*
    };
}

/// Types used in the fields of zoo types.
macro_rules! parts {
    ($($item:item)*) => {
        $(
            #[derive(Arbitrary, Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize, TS)]
            $item
        )*
    };
}

zoo! {
    "unit"
    struct Unit;

    "newtype"
    struct Newtype(String);

    "tuple"
    struct Tuple(bool, char, Newtype, (u8, (String,)));

    "empty"
    struct Empty {}

    "numbers"
    struct Numbers {
        bytes: (u8, i8),
        words: (u16, i16, u32, i32),
        #[arbitrary(with = safe)]
        large: i64,
        #[arbitrary(with = unsigned)]
        unsigned: u64,
        #[arbitrary(with = unsigned)]
        size: usize,
        #[arbitrary(with = finite)]
        float: f64,
        #[arbitrary(with = finite_single)]
        single: f32,
    }

    "options"
    struct Options {
        plain: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_out: Option<String>,
        nested: Option<Vec<Option<bool>>>,
        of_struct: Option<Newtype>,
    }

    "external"
    enum External {
        Unit,
        Newtype(u8),
        Tuple(u8, String),
        Struct { a: u8, b: Option<Newtype> },
    }

    "internal"
    #[serde(tag = "type")]
    enum Internal {
        Unit,
        Newtype(Inner),
        Struct { a: u8 },
    }

    "adjacent"
    #[serde(tag = "type", content = "content")]
    enum Adjacent {
        Unit,
        Newtype(u8),
        Tuple(u8, String),
        Struct { a: u8 },
    }

    "untagged"
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
        Text(String),
        Struct { a: u8 },
        List(Vec<u8>),
    }

    "renamed"
    #[serde(rename_all = "camelCase")]
    struct Renamed {
        in_camel_case: u8,
        #[serde(rename = "with-a-dash")]
        other: u8,
        #[serde(rename = "class")]
        word: Kind,
    }

    "flattened"
    struct Flattened {
        before: u8,
        #[serde(flatten)]
        part: Part,
        #[serde(flatten)]
        kind: Internal,
    }

    "skipped"
    struct Skipped {
        kept: u8,
        #[serde(skip)]
        #[arbitrary(default)]
        skipped: u8,
        #[serde(default)]
        defaulted: u8,
    }

    "maps"
    struct Maps {
        texts: HashMap<String, Vec<u8>>,
        numbers: BTreeMap<u16, Newtype>,
        kinds: HashMap<Kind, bool>,
        set: BTreeSet<u8>,
    }

    "generic"
    struct Generic {
        page: Page<Page<Newtype>>,
        result: Result<u8, Inner>,
    }

    "arrays"
    struct Arrays {
        three: [u8; 3],
        boxed: Box<[Box<Inner>]>,
        tree: Tree,
    }

    "others"
    struct Others {
        #[arbitrary(with = time)]
        time: DateTime<Utc>,
        #[arbitrary(with = date)]
        date: NaiveDate,
        #[arbitrary(with = uuid)]
        id: Uuid,
        #[arbitrary(with = url)]
        url: Url,
        #[arbitrary(with = json)]
        json: Value,
    }
}

parts! {
    struct Inner {
        x: u8,
        /// A name, or none.
        y: Option<String>,
    }

    struct Part {
        part: Option<bool>,
    }

    #[derive(Eq, Hash)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        First,
        TheSecond,
        #[serde(rename = "3rd")]
        Third,
    }

    struct Page<T> {
        items: Vec<T>,
        next: Option<Box<T>>,
    }

    struct Tree {
        value: u8,
        children: Vec<Tree>,
    }
}

/// An integer that JavaScript represents exactly.
fn safe(bytes: &mut Unstructured<'_>) -> arbitrary::Result<i64> {
    bytes.int_in_range(-(1 << 53) + 1..=(1 << 53) - 1)
}

fn unsigned<T: TryFrom<i64> + Default>(bytes: &mut Unstructured<'_>) -> arbitrary::Result<T> {
    Ok(T::try_from(safe(bytes)?.abs()).unwrap_or_default())
}

/// A number with few enough digits to survive any reader and writer.
fn finite(bytes: &mut Unstructured<'_>) -> arbitrary::Result<f64> {
    Ok(f64::from(i32::arbitrary(bytes)?) / 8.0)
}

fn finite_single(bytes: &mut Unstructured<'_>) -> arbitrary::Result<f32> {
    Ok(f32::from(i16::arbitrary(bytes)?) / 8.0)
}

fn time(bytes: &mut Unstructured<'_>) -> arbitrary::Result<DateTime<Utc>> {
    Ok(DateTime::from_timestamp(u32::arbitrary(bytes)?.into(), bytes.int_in_range(0..=999_999_999)?)
        .unwrap_or_default())
}

fn date(bytes: &mut Unstructured<'_>) -> arbitrary::Result<NaiveDate> {
    time(bytes).map(|time| time.date_naive())
}

fn uuid(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Uuid> {
    bytes.arbitrary().map(Uuid::from_bytes)
}

fn url(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Url> {
    let text = format!("https://example.org/{}?q={}", u16::arbitrary(bytes)?, u8::arbitrary(bytes)?);
    Url::parse(&text).map_err(|_| arbitrary::Error::IncorrectFormat)
}

fn json(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Value> {
    Ok(match bytes.int_in_range(0..=5)? {
        0 => Value::Null,
        1 => bool::arbitrary(bytes)?.into(),
        2 => safe(bytes)?.into(),
        3 => String::arbitrary(bytes)?.into(),
        4 => vec![json(bytes)?].into(),
        _ => Value::Object([(String::arbitrary(bytes)?, json(bytes)?)].into_iter().collect()),
    })
}

/// The values, the same in every run.
fn values<T: for<'a> Arbitrary<'a>>() -> Vec<T> {
    // SplitMix64. Any deterministic bytes are sufficient.
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    let random = (0..VALUES).map(|_| (0..64).flat_map(|_| next()).collect::<Vec<u8>>());
    random.filter_map(|bytes| T::arbitrary(&mut Unstructured::new(&bytes)).ok()).collect()
}

contract! {
    #[export(typescript)]
    Zoo {
        "/" {
            emits [
                Unit, Newtype, Tuple, Empty, Numbers, Options, External, Internal, Adjacent, Untagged, Renamed, Flattened,
                Skipped, Maps, Generic, Arrays, Others,
            ]
        }
    }
}

/// A visitor of the types.
trait Visit {
    fn visit<T>(&mut self, name: &str) -> io::Result<()>
    where
        T: for<'a> Arbitrary<'a> + Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug;
}

fn visit_all(visitor: &mut impl Visit) -> io::Result<()> {
    macro_rules! visit {
        ($($name:ident)*) => {{ $(visitor.visit::<$name>(stringify!($name))?;)* }};
    }
    visit!(
        Unit Newtype Tuple Empty Numbers Options External Internal Adjacent Untagged Renamed Flattened Skipped Maps Generic Arrays
        Others
    );
    Ok(())
}

/// Writes each value on a line of its own, in the visitor's format.
struct Lines<'a, W>(&'a mut W, fn(name: &str, at: usize, json: &str) -> String);

impl<W: Write> Visit for Lines<'_, W> {
    fn visit<T>(&mut self, name: &str) -> io::Result<()>
    where
        T: for<'a> Arbitrary<'a> + Serialize,
    {
        for (at, value) in values::<T>().iter().enumerate() {
            writeln!(self.0, "{}", self.1(name, at, &serde_json::to_string(value)?))?;
        }
        Ok(())
    }
}

/// The AsyncAPI document of a contract that has the types in both directions.
pub(crate) fn write_asyncapi(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", both::Both::asyncapi(AsyncApiInfo::new("The zoo", "1.0.0")))
}

/// Writes the values as JSON, one per line.
pub(crate) fn write(out: &mut impl Write) -> io::Result<()> {
    visit_all(&mut Lines(out, |_, _, json| json.to_owned()))
}

/// Writes the types, and the values as literals of these types.
pub(crate) fn write_typescript(out: &mut impl Write) -> io::Result<()> {
    out.write_all(Zoo::typescript().as_bytes())?;
    visit_all(&mut Lines(out, |name, at, json| format!("export const {name}{at}: {name} = {json};")))
}

/// Writes the types of a contract that has them in both directions, and the values as literals of
/// the types that clients send.
pub(crate) fn write_inputs(out: &mut impl Write) -> io::Result<()> {
    out.write_all(both::Both::typescript().as_bytes())?;
    visit_all(&mut Lines(out, |name, at, json| {
        let event = name.to_lowercase();
        format!("export const {name}{at}: globalThis.Parameters<ClientToServerRequests[\"{event}\"]>[0] = {json};")
    }))
}

/// Reads values and compares them with the expected ones.
struct Check<I>(I);

impl<I: Iterator<Item = io::Result<String>>> Visit for Check<I> {
    fn visit<T>(&mut self, name: &str) -> io::Result<()>
    where
        T: for<'a> Arbitrary<'a> + Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
    {
        let values = values::<T>();
        assert!(values.len() > VALUES / 2, "{name} has too few values");
        for written in values {
            let line = self.0.next().ok_or(io::ErrorKind::UnexpectedEof)??;
            let read: T = serde_json::from_str(&line)?;
            assert_eq!(read, written, "{name}: {line}");
        }
        Ok(())
    }
}

pub(crate) fn check(lines: impl Iterator<Item = io::Result<String>>) -> io::Result<()> {
    visit_all(&mut Check(lines))
}
