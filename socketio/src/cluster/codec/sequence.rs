//! Numbers of messages, at the end of the encoded bytes. Servers on Node.js ignore them.

use crate::cluster::Dialect;

pub(super) const JSON_KEY: &[u8] = br#","seq":"#;

/// Adds the number to an encoded message, which is the end of `body` from `start` on. The dialect
/// decides nothing: the form depends on the first byte.
pub(crate) fn add_sequence(_dialect: Dialect, body: &mut Vec<u8>, start: usize, number: u64) {
    match body.get(start) {
        Some(b'{') => {
            body.pop();
            body.extend_from_slice(JSON_KEY);
            // A number always serializes.
            let _ = serde_json::to_writer(&mut *body, &number);
            body.push(b'}');
        }
        // The array of a broadcast, or a map with room for one more.
        Some(first @ (0x93 | 0x80..=0x8e)) => {
            let key = msgpack_key(*first);
            body[start] += 1;
            body.extend_from_slice(key);
            body.extend_from_slice(&number.to_be_bytes());
        }
        _ => {}
    }
}

/// The number of an encoded message, if it has one. It only reads the end.
pub(crate) fn sequence(_dialect: Dialect, body: &[u8]) -> Option<u64> {
    match body.first()? {
        b'{' => {
            let rest = body.strip_suffix(b"}")?;
            let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            let (rest, number) = rest.split_at(rest.len() - digits);
            rest.ends_with(JSON_KEY).then_some(())?;
            std::str::from_utf8(number).ok()?.parse().ok()
        }
        first @ (0x94 | 0x80..=0x8f) => {
            let (rest, number) = body.split_last_chunk()?;
            let key = msgpack_key(*first);
            rest.ends_with(key).then(|| u64::from_be_bytes(*number))
        }
        _ => None,
    }
}

/// What is in front of the number. In an array it has no key.
fn msgpack_key(first: u8) -> &'static [u8] {
    if first >= 0x90 { b"\xcf" } else { b"\xa3seq\xcf" }
}
