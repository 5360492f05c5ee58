//! The JSON envelopes of plain WebSocket clients.
//!
//! | text | meaning |
//! | --- | --- |
//! | `{"event": "name", "data": …}` | an event with one argument |
//! | `{"event": "name", "args": […]}` | an event with any number of arguments; without `data` and `args` it has none |
//! | either of these with `"id": …`, a number or a string | an event that expects an answer |
//! | `{"id": …, "data": …}` or `{"id": …, "args": […]}` | an answer |
//! | `{"id": …, "error": {"code": …, "message": …}}` | an error answer |
//!
//! Of an event, `"meta": {"traceparent": …}` is the trace that its span belongs to. Other keys are
//! ignored. If a key occurs twice, the last one counts, as in JavaScript.

use serde::Serialize;
use std::borrow::Cow;

use super::json;
use super::mark::Mark;
use super::payload::Payload;
use super::scan::Scanner;

/// A parsed text message, borrowed from its text.
#[derive(Debug, PartialEq)]
pub(crate) enum Envelope<'a> {
    /// An event. `id` is the JSON text of the id for the answer. `depth` is the nesting of the
    /// arguments; their list counts as the first level, written out or not.
    Event { name: Cow<'a, str>, args: ArgumentText<'a>, id: Option<&'a str>, depth: usize },
    /// An answer to an event that the server sent.
    Answer { id: u64, answer: Result<ArgumentText<'a>, &'a str>, depth: usize },
}

/// The JSON text of an event's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArgumentText<'a> {
    /// One argument.
    One(&'a str),
    /// Comma-separated arguments: the contents of a JSON array.
    Many(&'a str),
}

/// Reads an envelope. `None` if the text is an ordinary message.
pub(crate) fn read(text: &str) -> Option<Envelope<'_>> {
    let fields = Fields::read(text)?;
    let (args, depth) = match (fields.data, fields.args) {
        (Some(data), _) => (ArgumentText::One(data.text), data.depth.saturating_add(1)),
        (None, Some(list)) => (ArgumentText::Many(between_brackets(list.text)?), list.depth),
        (None, None) => (ArgumentText::Many(""), 1),
    };
    let id = fields.id.map(|id| id.text);
    match fields.event.map(|event| unquoted(event.text)) {
        Some(name) => {
            let name = name.filter(|name| !name.is_empty())?;
            let id = id.filter(|id| id.starts_with(['"', '-']) || id.starts_with(|c: char| c.is_ascii_digit()));
            Some(Envelope::Event { name, args, id, depth })
        }
        None => {
            let id = id?.parse().ok()?;
            let (answer, depth) =
                fields.error.map_or((Ok(args), depth), |error| (Err(error.text), error.depth.saturating_add(1)));
            Some(Envelope::Answer { id, answer, depth })
        }
    }
}

/// The JSON text of an envelope's `meta`. It is read only for spans.
pub(super) fn meta(text: &str) -> Option<&str> {
    Fields::read(text)?.meta.map(|meta| meta.text)
}

/// The contents of a JSON string; `None` for any other value.
fn unquoted(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inside)) }
}

/// The contents of a JSON array; `None` for any other value.
fn between_brackets(json: &str) -> Option<&str> {
    Some(json.strip_prefix('[')?.strip_suffix(']')?.trim_matches([' ', '\t', '\n', '\r']))
}

/// The JSON text of a field, and its nesting.
#[derive(Clone, Copy)]
struct Field<'a> {
    text: &'a str,
    depth: usize,
}

/// The fields of an envelope.
#[derive(Default)]
struct Fields<'a> {
    event: Option<Field<'a>>,
    data: Option<Field<'a>>,
    args: Option<Field<'a>>,
    id: Option<Field<'a>>,
    error: Option<Field<'a>>,
    meta: Option<Field<'a>>,
}

impl<'a> Fields<'a> {
    /// Reads the fields. `None` if the text is not a JSON object.
    fn read(text: &'a str) -> Option<Self> {
        let mut fields = Self::default();
        let mut scanner = Scanner::new(text);
        if !scanner.take(b'{') {
            return None;
        }
        if !scanner.take(b'}') {
            loop {
                let key = scanner.string()?;
                if !scanner.take(b':') {
                    return None;
                }
                let text = scanner.value()?;
                let value = Field { text, depth: scanner.depth() };
                if let Some(field) = fields.field(key) {
                    *field = Some(value);
                }
                if !scanner.take(b',') {
                    break;
                }
            }
            if !scanner.take(b'}') {
                return None;
            }
        }
        scanner.is_at_end().then_some(fields)
    }

    /// The field with this key, given as JSON text.
    fn field(&mut self, key: &str) -> Option<&mut Option<Field<'a>>> {
        Some(match key {
            r#""event""# => &mut self.event,
            r#""data""# => &mut self.data,
            r#""args""# => &mut self.args,
            r#""id""# => &mut self.id,
            r#""error""# => &mut self.error,
            r#""meta""# => &mut self.meta,
            _ => {
                let plain = unquoted(key).filter(|_| key.contains('\\'))?;
                let plain = serde_json::to_string(&plain).ok()?;
                return if plain == key { None } else { self.field(&plain) };
            }
        })
    }
}

/// Appends an event. With `ack`, the client is asked to answer with that id.
pub(crate) fn write_event(out: &mut Vec<u8>, name: &str, payload: &Payload, ack: Option<u64>, mark: Option<Mark>) {
    out.extend_from_slice(b"{\"event\":");
    json::write_string(out, name);
    write_arguments(out, payload);
    if let Some(mark) = mark {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(mark.key());
        out.extend_from_slice(b"\":");
        mark.write(out);
    }
    if let Some(id) = ack {
        out.extend_from_slice(b",\"id\":");
        write_value(out, &id);
    }
    out.push(b'}');
}

/// Appends an answer. `id` is the JSON text that the client sent.
pub(crate) fn write_answer(out: &mut Vec<u8>, id: &str, payload: &Payload) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.as_bytes());
    write_arguments(out, payload);
    out.push(b'}');
}

/// Appends an error answer.
pub(crate) fn write_error(out: &mut Vec<u8>, id: &str, error: &impl Serialize) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"error\":");
    write_value(out, error);
    out.push(b'}');
}

fn write_arguments(out: &mut Vec<u8>, payload: &Payload) {
    match payload.count() {
        0 => {}
        1 => {
            out.extend_from_slice(b",\"data\":");
            payload.write_json(out);
        }
        _ => {
            out.extend_from_slice(b",\"args\":[");
            payload.write_json(out);
            out.push(b']');
        }
    }
}

/// Appends a value of one of the crate's own types, whose serialization cannot fail.
pub(super) fn write_value(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn event<'a>(name: &'a str, args: ArgumentText<'a>, id: Option<&'a str>) -> Option<Envelope<'a>> {
        Some(Envelope::Event { name: name.into(), args, id, depth: 1 })
    }

    fn depth(text: &str) -> Option<usize> {
        match read(text)? {
            Envelope::Event { depth, .. } | Envelope::Answer { depth, .. } => Some(depth),
        }
    }

    #[test]
    fn events_with_and_without_arguments() {
        assert_eq!(read(r#"{"event":"a"}"#), event("a", ArgumentText::Many(""), None));
        assert_eq!(read(r#"{"event":"a","data":null}"#), event("a", ArgumentText::One("null"), None));
        assert_eq!(read(r#" { "event" : "a" , "data" : "1, 2" } "#), event("a", ArgumentText::One(r#""1, 2""#), None));
        assert_eq!(read(r#"{"event":"a","args":[ 1, 2 ]}"#), event("a", ArgumentText::Many("1, 2"), None));
        assert_eq!(read(r#"{"data":1,"event":"a"}"#), event("a", ArgumentText::One("1"), None));
        assert_eq!(read(r#"{"event":"a","args":[1],"data":2}"#), event("a", ArgumentText::One("2"), None));
    }

    #[test]
    fn ids_are_numbers_or_strings_and_keep_their_text() {
        for id in ["0", "7", "-1", "1.50", "1e400", r#""x\"y""#, "123456789012345678901234567890"] {
            assert_eq!(read(&format!(r#"{{"event":"a","id":{id}}}"#)), event("a", ArgumentText::Many(""), Some(id)));
        }
        for id in ["null", "true", "{}", "[1]"] {
            assert_eq!(read(&format!(r#"{{"event":"a","id":{id}}}"#)), event("a", ArgumentText::Many(""), None));
        }
    }

    #[test]
    fn escaped_names_are_unescaped() {
        assert_eq!(read(r#"{"event":"caf\u00e9 \"x\""}"#), event("café \"x\"", ArgumentText::Many(""), None));
        assert_eq!(read(r#"{"ev\u0065nt":"a"}"#), event("a", ArgumentText::Many(""), None));
        assert_eq!(read(r#"{"\"event\"":"b","event":"a","\\":1}"#), event("a", ArgumentText::Many(""), None));
    }

    #[test]
    fn the_last_of_duplicate_keys_counts() {
        let text = r#"{"event":"a","data":1,"event":"b","data":2}"#;
        assert_eq!(read(text), event("b", ArgumentText::One("2"), None));
        assert_eq!(read(r#"{"event":1,"event":"b"}"#), event("b", ArgumentText::Many(""), None));
        assert_eq!(read(r#"{"event":"b","event":1}"#), None);
    }

    #[test]
    fn answers_are_distinguished_from_events() {
        let answer = |answer, depth| Some(Envelope::Answer { id: 3, answer, depth });
        assert_eq!(read(r#"{"id":3,"data":4}"#), answer(Ok(ArgumentText::One("4")), 1));
        assert_eq!(read(r#"{"id":3}"#), answer(Ok(ArgumentText::Many("")), 1));
        assert_eq!(read(r#"{"id":3,"error":{"code":"x"}}"#), answer(Err(r#"{"code":"x"}"#), 2));
        assert_eq!(read(r#"{"id":"three"}"#), None);
    }

    #[test]
    fn everything_else_is_an_ordinary_message() {
        for text in [
            "",
            " ",
            "hello",
            "1",
            "null",
            "[]",
            r#"["event","a"]"#,
            "{}",
            r#"{"event":""}"#,
            r#"{"event":1}"#,
            r#"{"event":null}"#,
            r#"{"event":"a"} x"#,
            r#"{"event":"a",}"#,
            r#"{"event":"a","data":[1,}"#,
            r#"{"event":"a","data":01}"#,
            r#"{"event":"a","args":{}}"#,
            r#"{"event":"\ud800"}"#,
            r#"{"event":"a""#,
            "{\"event\":\"a\u{1}\"}",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn lone_surrogates_in_arguments_are_accepted() {
        assert_eq!(read(r#"{"event":"a","data":"\ud800"}"#), event("a", ArgumentText::One(r#""\ud800""#), None));
    }

    #[test]
    fn deep_nesting_is_scanned_without_recursion() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let text = format!(r#"{{"event":"a","data":{deep}}}"#);
        assert_eq!(depth(&text), Some(100_001));
    }

    #[test]
    fn the_argument_list_counts_as_the_first_level() {
        for (text, expected) in [
            (r#"{"event":"a"}"#, 1),
            (r#"{"event":"a","data":1}"#, 1),
            (r#"{"event":"a","args":[1]}"#, 1),
            (r#"{"event":"a","data":[{}]}"#, 3),
            (r#"{"event":"a","args":[[{}]],"other":[[[[]]]]}"#, 3),
            (r#"{"event":"a","data":[[[]]],"data":1}"#, 1),
            (r#"{"id":1,"data":[[]]}"#, 3),
            (r#"{"id":1,"error":[[[]]]}"#, 4),
        ] {
            assert_eq!(depth(text), Some(expected), "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn written_events_are_read_back(
            name in any::<String>().prop_filter("names are not empty", |name| !name.is_empty()),
            args in prop::collection::vec(value(), 0..4),
            ack in any::<Option<u64>>(),
        ) {
            let mut payload = Payload::new();
            for argument in &args {
                payload.push(argument).expect("a JSON value serializes");
            }
            let mut text = Vec::new();
            write_event(&mut text, &name, &payload, ack, None);
            let text = String::from_utf8(text).expect("JSON is UTF-8");
            let Some(Envelope::Event { name: read_name, args: read_args, id, .. }) = read(&text) else {
                panic!("not an event: {text}");
            };
            prop_assert_eq!(read_name.as_ref(), name);
            let ack = ack.map(|id| id.to_string());
            prop_assert_eq!(id, ack.as_deref());
            let read_args: Vec<Value> = match read_args {
                ArgumentText::One(argument) => vec![serde_json::from_str(argument).expect("valid JSON")],
                ArgumentText::Many(list) => serde_json::from_str(&format!("[{list}]")).expect("valid JSON"),
            };
            prop_assert_eq!(read_args, args);
        }

        #[test]
        fn answers_are_read_back(id in any::<u64>(), argument in value()) {
            let payload = Payload::of(&argument).expect("a JSON value serializes");
            let mut text = Vec::new();
            write_answer(&mut text, &id.to_string(), &payload);
            let text = String::from_utf8(text).expect("JSON is UTF-8");
            let Some(Envelope::Answer { id: read_id, answer: Ok(ArgumentText::One(read)), .. }) = read(&text) else {
                panic!("not an answer: {text}");
            };
            prop_assert_eq!(read_id, id);
            prop_assert_eq!(serde_json::from_str::<Value>(read).expect("valid JSON"), argument);
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn read_parts_are_valid_json(text in r#"\{("event":"[a\\"]{0,3}",?)?("data":[\[\]{}",:0-9a]{0,8})?,?("id":1)?\}"#) {
            if read(&text).is_some() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok() || text.contains('\\'));
            }
        }

        #[test]
        fn an_error_answer_is_valid_json(id in any::<u64>(), message in any::<String>()) {
            let mut text = Vec::new();
            write_error(&mut text, &id.to_string(), &json!({ "code": "x", "message": message }));
            let read: Value = serde_json::from_slice(&text).expect("valid JSON");
            prop_assert_eq!(&read["error"]["message"], &Value::from(message));
        }
    }
}
