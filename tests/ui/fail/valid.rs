use garde::Validate;
use serde::Deserialize;
use socketio::{Socket, Valid, event, events};

#[derive(Deserialize, Validate)]
struct Rules {
    #[garde(range(max = 3))]
    value: u8,
}

#[derive(Deserialize)]
struct NoRules {
    text: String,
}

#[derive(Validate)]
struct NotDecoded {
    #[garde(ascii)]
    text: String,
}

#[event("no rules")]
fn no_rules(rules: Valid<NoRules>) -> usize {
    rules.text.len()
}

#[event("not decoded")]
fn not_decoded(rules: Valid<NotDecoded>) -> usize {
    rules.text.len()
}

#[event(connect)]
fn joined(_socket: &Socket, _rules: Valid<Rules>) {}

#[event("required after optional")]
fn required_after_optional(_first: Option<Valid<Rules>>, second: Valid<Rules>) -> u8 {
    second.value
}

#[event]
fn no_name(_rules: Valid<Rules>) {}

fn main() {
    events![no_rules, not_decoded, joined, required_after_optional, no_name];
}
