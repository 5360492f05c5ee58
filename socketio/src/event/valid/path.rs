//! [`as_sent`]: translates the path of a violation from Rust field names to the JSON that the
//! client sent.
//!
//! `garde` reports the Rust names of fields, but clients use the names that `serde` gives them. The
//! received JSON tells which name applies. It resolves `rename_all`, flattened fields, newtypes and
//! the variants of enums.

use serde_json::{Map, Value};

/// A step from a value to a part of it.
#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

/// Returns the path in the JSON. Fields that it lacks keep their Rust names.
pub(super) fn as_sent(path: &str, sent: Option<&Value>) -> String {
    let mut out = String::new();
    let mut at = sent;
    let mut steps = steps(path).peekable();
    while let Some(step) = steps.next() {
        let mut found = at.and_then(|value| follow(value, step));
        if let (Some(value), None) = (at, &found) {
            let is_newtype = matches!(step, Step::Item(0)) && !value.is_array();
            let is_flattened = steps.peek().is_some_and(|next| follow(value, *next).is_some());
            if is_newtype || is_flattened {
                continue;
            }
            if let Some((variant, inside)) = only_field(value) {
                found = follow(inside, step);
                if found.is_some() {
                    push(&mut out, Step::Field(variant));
                }
            }
        }
        push(&mut out, found.map_or(step, |(step, _)| step));
        at = found.map(|(_, value)| value);
    }
    out
}

fn push(path: &mut String, step: Step<'_>) {
    match step {
        Step::Item(item) => path.push_str(&format!("[{item}]")),
        Step::Field(name) => {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
    }
}

/// Splits a path such as `users[1].age` into steps.
fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['.', '[']).filter(|step| !step.is_empty()).map(|step| {
        let item = step.strip_suffix(']').and_then(|item| item.parse().ok());
        item.map_or(Step::Field(step.strip_prefix("r#").unwrap_or(step)), Step::Item)
    })
}

/// Follows a step. Returns the step with the JSON name, and the value.
fn follow<'v>(value: &'v Value, step: Step<'v>) -> Option<(Step<'v>, &'v Value)> {
    match (step, value) {
        (Step::Item(item), Value::Array(items)) => Some((step, items.get(item)?)),
        (Step::Field(name), Value::Object(fields)) => {
            find(fields, name).map(|(name, value)| (Step::Field(name), value))
        }
        _ => None,
    }
}

/// Finds the field with this name, or with a name that `rename_all` may have produced from it.
fn find<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<(&'v str, &'v Value)> {
    let letters = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let field = fields.get_key_value(name).or_else(|| {
        let wanted = letters(name);
        fields.iter().find(|(key, _)| letters(key) == wanted)
    });
    field.map(|(key, value)| (key.as_str(), value))
}

/// Returns the only field of an object. By default `serde` encodes an enum's variant this way.
fn only_field(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.iter().next().map(|(key, value)| (key.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_use_the_field_names_of_the_json() {
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
        assert_eq!(as_sent("x_y", Some(&json!({ "move": { "xY": 2 } }))), "move.xY");
        assert_eq!(as_sent("to[0].x_y", Some(&json!({ "to": { "move": { "xY": 2 } } }))), "to.move.xY");
        assert_eq!(as_sent("[1]", Some(&json!({ "move": [1, 2] }))), "move[1]");
        assert_eq!(as_sent("x_y", Some(&json!({ "move": { "x": 2 } }))), "x_y");
    }
}
