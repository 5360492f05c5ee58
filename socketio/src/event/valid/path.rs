//! Where a violation is: from the fields of a Rust type to those of the JSON that a client sent.
//!
//! Rules know fields by their names in Rust, a client by those that `serde` has for them. What was sent tells them apart, as far as the
//! names differ by `rename_all`, and where fields are flattened or wrapped in a newtype.

use serde_json::{Map, Value};

/// A step into a value.
#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

/// The path in what was sent. A field that is not there keeps its name in Rust.
pub(super) fn as_sent(path: &str, sent: Option<&Value>) -> String {
    let mut out = String::new();
    let mut at = sent;
    let mut steps = steps(path).peekable();
    while let Some(step) = steps.next() {
        match (step, at) {
            (Step::Item(item), Some(Value::Array(items))) => {
                out.push_str(&format!("[{item}]"));
                at = items.get(item);
            }
            // The only field of a newtype.
            (Step::Item(0), Some(_)) => {}
            (Step::Item(item), _) => {
                out.push_str(&format!("[{item}]"));
                at = None;
            }
            (Step::Field(name), _) => {
                let fields = at.and_then(Value::as_object);
                let found = fields.and_then(|fields| find(fields, name));
                let is_flattened = found.is_none()
                    && matches!((steps.peek(), fields), (Some(Step::Field(next)), Some(fields)) if find(fields, next).is_some());
                if is_flattened {
                    continue;
                }
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(found.map_or(name, |(key, _)| key));
                at = found.map(|(_, value)| value);
            }
        }
    }
    out
}

/// A path like `users[1].age`, taken apart.
fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['.', '[']).filter(|step| !step.is_empty()).map(|step| {
        let item = step.strip_suffix(']').and_then(|item| item.parse().ok());
        item.map_or(Step::Field(step.strip_prefix("r#").unwrap_or(step)), Step::Item)
    })
}

/// The field that is called so, or else one that `rename_all` may have made of it.
fn find<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<(&'v str, &'v Value)> {
    let letters = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let field = fields.get_key_value(name).or_else(|| {
        let wanted = letters(name);
        fields.iter().find(|(key, _)| letters(key) == wanted)
    });
    field.map(|(key, value)| (key.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_called_as_they_were_sent() {
        let sent =
            json!({ "userAge": 3, "USERS": [{ "first-name": "x" }, {}], "size": 4, "a.b": { "x": 1 }, "type": 1 });
        for (path, expected) in [
            ("user_age", "userAge"),
            ("users[0].first_name", "USERS[0].first-name"),
            ("users[1].first_name", "USERS[1].first_name"),
            ("users[7].first_name", "USERS[7].first_name"),
            ("shape.size", "size"),
            ("shape.weight", "shape.weight"),
            ("size[0]", "size"),
            ("r#type", "type"),
            ("missing.more[1]", "missing.more[1]"),
            ("a.b.x", "a.b.x"),
            ("", ""),
        ] {
            assert_eq!(as_sent(path, Some(&sent)), expected, "{path}");
            let plain = path.strip_prefix("r#").unwrap_or(path);
            assert_eq!(as_sent(path, None), plain);
        }
        assert_eq!(as_sent("[1].x_y", Some(&json!([1, { "xY": 2 }]))), "[1].xY");
        assert_eq!(as_sent("[0].x_y", Some(&json!({ "xY": 2 }))), "xY");
    }
}
