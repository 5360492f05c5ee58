//! [`from_json`] and the scan of JSON text that was not scanned as part of a received event: raw
//! messages, and arguments that the server wrote. The scan runs before any decoder.

use serde::de::{Deserialize, IgnoredAny};

use super::decode::{ArgumentDecoder, describe};
use super::error::PayloadError;
use crate::session::limits::MAX_DEPTH;
use crate::wire::envelope::ArgumentText;
use crate::wire::scan::Scanner;

/// Decodes JSON text from a client, such as a raw message or a string that contains JSON.
///
/// Use it instead of `serde_json::from_str` for all text that a client may have written.
///
/// `serde_json` limits recursion to 128 levels. `serde_json::Value` gets around this limit: it
/// decodes the string behind the key `$serde_json::private::RawValue` as JSON and starts counting
/// at 0. A short message can therefore nest deeply enough to overflow the stack, which aborts the
/// process. This function rejects text in which an object has such a key.
///
/// ```
/// use serde_json::Value;
///
/// let value: Value = socketio::from_json(r#"{"to": "ann", "data": [1, 2]}"#)?;
/// assert_eq!(value["data"][1], 2);
///
/// let text = r#"{"$serde_json::private::RawValue": "[1, 2]"}"#;
/// let error = socketio::from_json::<Value>(text).unwrap_err();
/// assert_eq!(error.message(), "an object has a reserved key");
/// # Ok::<(), socketio::PayloadError>(())
/// ```
///
/// # Errors
///
/// The text does not decode as `T`, is nested more than 127 levels deep, or has an object with a
/// key that begins with `$serde_json::private::`. Escapes in the key make no difference.
pub fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, PayloadError> {
    decode(text, MAX_DEPTH)
}

/// Decodes text like the only argument of an event.
pub(crate) fn decode<'a, T: Deserialize<'a>>(text: &'a str, max_depth: usize) -> Result<T, PayloadError> {
    check(ArgumentText::One(text), max_depth)?;
    // The text need not be an argument of an event.
    ArgumentDecoder::new(ArgumentText::One(text)).next().map_err(|error| PayloadError { argument: None, ..error })
}

/// Checks that arguments are JSON, are nested at most `max_depth` levels deep and have no reserved
/// keys. The list of arguments is the first level.
pub(crate) fn check(args: ArgumentText<'_>, max_depth: usize) -> Result<(), PayloadError> {
    let (ArgumentText::One(text) | ArgumentText::Many(text)) = args;
    let mut scanner = Scanner::new(text);
    if args == ArgumentText::Many("") {
        return Ok(());
    }
    loop {
        if scanner.value().is_none() {
            return Err(not_json(text));
        }
        let depth = scanner.depth().saturating_add(1);
        if depth > max_depth {
            return Err(PayloadError::too_deep(depth));
        }
        if matches!(args, ArgumentText::One(_)) || !scanner.take(b',') {
            break;
        }
    }
    if scanner.is_at_end() { Ok(()) } else { Err(not_json(text)) }
}

/// Describes what is wrong with the text. `IgnoredAny` reads it, because other decoders would act
/// on the values before the error.
#[cold]
fn not_json(text: &str) -> PayloadError {
    let message = match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => describe(&error),
        Ok(_) => "invalid JSON".to_owned(),
    };
    PayloadError::of_all(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::small_stack::{nested, on_small_stack};
    use serde::Deserialize;
    use serde_json::{Map, Value};
    use std::collections::HashMap;
    use std::fmt::Debug;

    const RESERVED: &str = "an object has a reserved key";

    fn message(args: ArgumentText<'_>) -> Option<String> {
        check(args, 4).err().map(|error| error.message)
    }

    #[test]
    fn only_json_within_the_depth_limit_is_decoded() {
        for text in ["1", " [ [ [ ] ] ] ", r#"{"a":[{}]}"#] {
            assert_eq!(message(ArgumentText::One(text)), None, "{text}");
            assert_eq!(message(ArgumentText::Many(text)), None, "{text}");
        }
        for (text, expected) in [
            ("[[[[]]]]", "nested too deeply"),
            (r#"{"$serde_json::private::RawValue":"1"}"#, RESERVED),
            (r#"[{"\u0024serde_json::private::Number":"1"}"#, "EOF while parsing a list"),
            (r#"{"$serde_json::private::RawValue":"1"} x"#, RESERVED),
            ("", "EOF while parsing a value"),
            ("1 2", "trailing characters"),
            ("no JSON", "expected ident"),
        ] {
            assert_eq!(message(ArgumentText::One(text)).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(message(ArgumentText::Many("")), None);
        assert_eq!(message(ArgumentText::Many("1 , [[[]]], 2")), None);
        assert_eq!(message(ArgumentText::Many("1, [[[[]]]], 2")).as_deref(), Some("nested too deeply"));
        assert_eq!(
            message(ArgumentText::Many(r#"1,{"$serde_json::private::RawValue":"1"}"#)).as_deref(),
            Some(RESERVED)
        );
    }

    #[test]
    fn the_depth_limit_is_that_of_serde_json() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        from_json::<Value>(&nested(MAX_DEPTH - 1)).expect("the depth is allowed");
        let error = from_json::<Value>(&nested(MAX_DEPTH)).expect_err("deeper");
        assert_eq!(error.message, "nested too deeply");
    }

    // The tests decode, format and drop the fields but never read them.

    #[derive(Debug, Deserialize)]
    #[expect(dead_code)]
    struct Flattened {
        #[serde(flatten)]
        rest: Map<String, Value>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind")]
    #[expect(dead_code)]
    enum Tagged {
        A { value: Value },
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code)]
    enum Tree {
        Leaf(u8),
        List(Vec<Tree>),
        Fields(HashMap<String, Tree>),
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code)]
    struct Node {
        #[serde(default)]
        a: Vec<Node>,
    }

    /// Decodes an argument, formats it and drops it.
    fn decoded<T: for<'a> Deserialize<'a> + Debug>(argument: &str) -> Result<(), PayloadError> {
        let value: T = decode(argument, MAX_DEPTH)?;
        assert!(format!("{value:#?}").lines().count() > MAX_DEPTH / 2);
        drop(value);
        Ok(())
    }

    #[test]
    fn decoders_do_not_overflow_the_stack_at_the_depth_limit() {
        on_small_stack(|| {
            let most = MAX_DEPTH - 1;
            for innermost in ["1", "-1"] {
                let any = nested(most, innermost);
                decoded::<Value>(&any).expect("any value");
                let field = nested(most - 1, innermost);
                decoded::<Flattened>(&format!(r#"{{"a":{field}}}"#)).expect("a map");
                decoded::<Tagged>(&format!(r#"{{"value":{field},"kind":"A"}}"#)).expect("a variant");
                let tree = decoded::<Tree>(&any);
                assert_eq!(tree.is_ok(), innermost == "1", "{tree:?}");
                let pair = decoded::<(Value, u8)>(&format!("[{field},{innermost}]"));
                assert_eq!(pair.is_ok(), innermost == "1", "{pair:?}");
            }
            let nodes = |innermost| r#"{"a":["#.repeat(most / 2) + innermost + &"]}".repeat(most / 2);
            decoded::<Node>(&nodes("{}")).expect("nodes");
            let error = decoded::<Node>(&nodes(r#"{"a":7}"#)).expect_err("no node");
            assert_eq!(error.path().map(|path| path.matches("a[0]").count()), Some(most / 2));
            decode::<IgnoredAny>(&nested(most, "1"), MAX_DEPTH).expect("skipped");
        });
    }
}
