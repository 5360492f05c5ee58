//! [`TraceContext`]: the trace that a client takes part in, as the W3C Recommendation *Trace
//! Context* writes it.

use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::envelope;

/// The length of a `traceparent` of version 00, in bytes.
const LENGTH: usize = 55;
/// The bit of the flags that says that the trace is recorded.
const SAMPLED: u8 = 1;

/// A W3C trace context: the span of a client under which the server's spans belong.
///
/// It is read from a `traceparent`, and written as one of version 00. Everything that the W3C
/// Recommendation calls invalid does not parse: another length, upper-case digits, ids of zeros,
/// the version `ff`. Of the flags only *sampled* is kept.
///
/// ```
/// use socketio::TraceContext;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context: TraceContext = text.parse()?;
/// assert!(context.is_sampled());
/// assert_eq!(context.span_id(), [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
/// assert_eq!(context.to_string(), text);
/// # Ok::<(), socketio::InvalidTraceContext>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    is_sampled: bool,
}

/// A text that is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a trace context")]
pub struct InvalidTraceContext;

impl TraceContext {
    /// Creates a context, or returns `None` if an id consists of zeros.
    ///
    /// ```
    /// use socketio::TraceContext;
    ///
    /// let context = TraceContext::new([1; 16], [2; 8], false).expect("ids that are not zero");
    /// assert_eq!(context.to_string(), "00-01010101010101010101010101010101-0202020202020202-00");
    /// assert_eq!(TraceContext::new([1; 16], [0; 8], true), None);
    /// ```
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], is_sampled: bool) -> Option<Self> {
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(Self { trace_id, span_id, is_sampled })
    }

    /// The id of the trace.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The id of the span that is the parent of the receiver's span.
    pub fn span_id(&self) -> [u8; 8] {
        self.span_id
    }

    /// Whether the sender may have recorded the trace.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// Reads the value of a header.
    pub(crate) fn of_header(value: &[u8]) -> Option<Self> {
        parse(value)
    }

    /// Reads the `traceparent` of a JSON object, such as the auth payload of a Socket.IO client.
    pub(crate) fn of_json(object: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow)]
            traceparent: Cow<'a, str>,
        }
        // Most clients send none.
        if !object.contains("\"traceparent\"") {
            return None;
        }
        let Object { traceparent } = serde_json::from_str(object).ok()?;
        parse(traceparent.as_bytes())
    }

    /// Reads the `meta` of a plain client's envelope.
    pub(crate) fn of_envelope(text: &str) -> Option<Self> {
        if !text.contains("\"traceparent\"") {
            return None;
        }
        Self::of_json(envelope::meta(text)?)
    }

    /// Appends it as a JSON object.
    #[cfg_attr(not(feature = "opentelemetry-traces"), allow(dead_code, reason = "only that feature sends contexts"))]
    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"traceparent\":\"");
        out.extend_from_slice(self.to_string().as_bytes());
        out.extend_from_slice(b"\"}");
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.as_bytes()).ok_or(InvalidTraceContext)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, span_id) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        write!(formatter, "00-{trace_id:032x}-{span_id:016x}-{:02x}", u8::from(self.is_sampled))
    }
}

fn parse(text: &[u8]) -> Option<TraceContext> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let [version] = hex(&known[..2])?;
    // Later versions may append fields.
    let may_follow = version != 0 && rest.first() == Some(&b'-');
    if version == 0xff || !(rest.is_empty() || may_follow) {
        return None;
    }
    if [known[2], known[35], known[52]] != *b"---" {
        return None;
    }
    let [flags] = hex(&known[53..])?;
    TraceContext::new(hex(&known[3..35])?, hex(&known[36..52])?, flags & SAMPLED != 0)
}

/// Reads lower-case hexadecimal digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn is_valid(text: &str) -> bool {
        text.parse::<TraceContext>().is_ok()
    }

    #[test]
    fn what_the_recommendation_allows_is_read() {
        for text in [
            VALID,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            "00-00000000000000000000000000000001-0000000000000001-00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        ] {
            assert!(is_valid(text), "{text}");
        }
        let flags = |text: &str| text.parse::<TraceContext>().expect("valid").is_sampled();
        assert!(flags("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"));
        assert!(!flags("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02"));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "00",
            "00-",
            // Another length, for the version 00.
            &VALID[..54],
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-001",
            "000-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            // Digits in upper case, and no digits.
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.1",
            // Zeros.
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            // The version that never will be.
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            // Other separators, and white space.
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e473600f067aa0ba902b7--01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ] {
            assert!(!is_valid(text), "{text}");
        }
        assert!(!is_valid(&"0".repeat(1_000_000)));
        assert!(!is_valid(&format!("{VALID}{}", "-0".repeat(1_000_000))));
    }

    #[test]
    fn auth_payloads_and_envelopes_carry_it() {
        let expected = VALID.parse().ok();
        assert_eq!(TraceContext::of_json(&json!({ "token": 1, "traceparent": VALID }).to_string()), expected);
        assert_eq!(TraceContext::of_json(r#"{"traceparent":"00\u002d4bf9"}"#), None);
        for auth in [r#"{"traceparent":1}"#, r#"["traceparent"]"#, r#""traceparent""#, r#"{"a":{"traceparent":"x"}}"#] {
            assert_eq!(TraceContext::of_json(auth), None, "{auth}");
        }
        let envelope = |meta| json!({ "event": "a", "meta": meta }).to_string();
        assert_eq!(TraceContext::of_envelope(&envelope(json!({ "traceparent": VALID, "more": [1] }))), expected);
        for meta in [json!(null), json!(VALID), json!([VALID]), json!({ "traceparent": [VALID] })] {
            assert_eq!(TraceContext::of_envelope(&envelope(meta)), None);
        }
        // Data is no context, and neither is a packet.
        for text in [
            json!({ "event": "a", "data": { "traceparent": VALID } }).to_string(),
            json!({ "event": "a", "traceparent": VALID }).to_string(),
            format!(r#"2["a",{{"meta":{{"traceparent":"{VALID}"}}}}]"#),
            format!(r#"{{"event":"a","meta":{{"traceparent":"{VALID}"}}"#),
        ] {
            assert_eq!(TraceContext::of_envelope(&text), None, "{text}");
        }
        // The last of two counts.
        let twice = format!(r#"{{"meta":{{"traceparent":"{VALID}"}},"event":"a","m\u0065ta":{{}}}}"#);
        assert_eq!(TraceContext::of_envelope(&twice), None);
        let deep = format!(r#"{{"event":"a","meta":{{"traceparent":{}"#, "[".repeat(100_000));
        assert_eq!(TraceContext::of_envelope(&deep), None);
    }

    /// The rules of the Recommendation, in other words than those of `parse`.
    fn follows_the_rules(text: &str) -> bool {
        let fields: Vec<_> = text.splitn(5, '-').collect();
        let is_hex =
            |text: &str, length| text.len() == length && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
        let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
        fields.len() >= 4
            && is_hex(fields[0], 2)
            && fields[0] != "ff"
            && is_id(fields[1], 32)
            && is_id(fields[2], 16)
            && is_hex(fields[3], 2)
            && (fields.len() == 4 || fields[0] != "00")
    }

    proptest! {
        #[test]
        fn contexts_are_read_back(trace_id in any::<[u8; 16]>(), span_id in any::<[u8; 8]>(), sampled in any::<bool>()) {
            if let Some(context) = TraceContext::new(trace_id, span_id, sampled) {
                let text = context.to_string();
                prop_assert_eq!(text.parse(), Ok(context));
                prop_assert_eq!(TraceContext::of_header(text.as_bytes()), Some(context));
                let mut json = Vec::new();
                context.write(&mut json);
                let json = String::from_utf8(json).expect("JSON is UTF-8");
                prop_assert_eq!(TraceContext::of_json(&json), Some(context));
            }
        }

        #[test]
        fn texts_that_are_nearly_valid(
            text in "(00|01|ff|[0-9a-fA-F]{2})-([0-9a-f]{32}|0{32}|[0-9a-fA-F]{30,33})-([0-9a-f]{16}|0{16}|[0-9a-fA-F]{15,17})-[0-9a-fA-F]{2}(-.{0,3})?"
        ) {
            prop_assert_eq!(is_valid(&text), follows_the_rules(&text), "{}", text);
        }

        #[test]
        fn valid_texts_with_one_other_byte(at in 0..LENGTH, byte in any::<u8>()) {
            let mut text = VALID.as_bytes().to_vec();
            text[at] = byte;
            let is_read = TraceContext::of_header(&text).is_some();
            prop_assert_eq!(is_read, std::str::from_utf8(&text).is_ok_and(follows_the_rules));
        }

        #[test]
        fn reading_never_panics(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let _ = TraceContext::of_header(&bytes);
            prop_assert_eq!(is_valid(&text), follows_the_rules(&text));
            let _ = TraceContext::of_envelope(&text);
            let _ = TraceContext::of_json(&text);
        }
    }
}
