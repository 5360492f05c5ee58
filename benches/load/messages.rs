//! The messages: templates that are encoded once. Only the client's number and the serial number
//! are filled in. Received messages are compared in place.

use crate::frames;
use crate::options::{Flavour, Work};
use std::ops::Range;

const CLIENT_DIGITS: usize = 5;
const SERIAL_DIGITS: usize = 10;
/// Ack ids are serial numbers plus this, so that all have ten digits.
const FIRST_ACK_ID: u32 = 1_000_000_000;
/// Separates the packets of a polling body.
pub const SEPARATOR: u8 = 0x1e;

/// A template, with the offsets of the client number, the serial number and the ack id.
struct Template {
    bytes: Vec<u8>,
    client: usize,
    number: usize,
    id: Option<usize>,
}

impl Template {
    /// `pattern` has one run of `C`, one of `N` and at most one of `I`. Each starts with `#`.
    fn new(pattern: &str) -> Self {
        let find = |letter: &str, digits: usize| pattern.find(&format!("#{}", letter.repeat(digits - 1)));
        let (client, number, id) = (find("C", CLIENT_DIGITS), find("N", SERIAL_DIGITS), find("I", SERIAL_DIGITS));
        Self {
            bytes: pattern.as_bytes().to_vec(),
            client: client.unwrap_or_default(),
            number: number.unwrap_or_default(),
            id,
        }
    }
}

fn digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { sum.checked_mul(10)?.checked_add(u32::from(digit)) }
    })
}

/// The messages that are sent in one write, and the expected ones.
pub struct Messages {
    flavour: Flavour,
    text: Template,
    /// A whole window of messages: as a POST body for polling, as frames otherwise.
    burst: Vec<u8>,
    /// The offsets of the texts in `burst`.
    starts: Vec<usize>,
    expected: Template,
}

impl Messages {
    pub fn new(flavour: Flavour, work: Work, payload: usize, window: u32) -> Self {
        let (client, serial, id) = (
            format!("#{}", "C".repeat(CLIENT_DIGITS - 1)),
            format!("#{}", "N".repeat(SERIAL_DIGITS - 1)),
            format!("#{}", "I".repeat(SERIAL_DIGITS - 1)),
        );
        let text: String = ('a'..='z').cycle().take(payload).collect();
        let data = format!(r#"{{"t":"{client}{serial}","user":"user-1","room":1,"text":"{text}"}}"#);
        let event = match work {
            Work::Broadcast => "broadcast",
            Work::Room => "room",
            _ => "echo",
        };
        let (sent, expected) = match (flavour, work) {
            (Flavour::Plain, Work::Ack) => {
                (format!(r#"{{"event":"ack","id":{id},"data":{data}}}"#), format!(r#"{{"id":{id},"data":{data}}}"#))
            }
            (Flavour::Plain, _) => {
                let message = format!(r#"{{"event":"{event}","data":{data}}}"#);
                (message.clone(), message)
            }
            (_, Work::Ack) => (format!(r#"42{id}["ack",{data}]"#), format!("43{id}[{data}]")),
            (..) => {
                let message = format!(r#"42["{event}",{data}]"#);
                (message.clone(), message)
            }
        };
        let (text, expected) = (Template::new(&sent), Template::new(&expected));
        let (mut burst, mut starts) = (Vec::new(), Vec::new());
        for message in 0..window {
            if flavour == Flavour::Polling {
                if message > 0 {
                    burst.push(SEPARATOR);
                }
                starts.push(burst.len());
                burst.extend_from_slice(&text.bytes);
            } else {
                starts.push(frames::append(&mut burst, frames::TEXT, &text.bytes));
            }
        }
        Self { flavour, text, burst, starts, expected }
    }

    /// Encodes the messages of a client with these serial numbers.
    pub fn burst(&mut self, client: u32, serials: Range<u32>) -> &[u8] {
        let masked = self.flavour != Flavour::Polling;
        let mut end = 0;
        for (&start, serial) in self.starts.iter().zip(serials) {
            end = start + self.text.bytes.len();
            let text = &mut self.burst[start..start + self.text.bytes.len()];
            let mut put = |at: usize, digits: &[u8]| {
                for (at, digit) in (at..).zip(digits) {
                    text[at] = if masked { digit ^ frames::MASK[at % 4] } else { *digit };
                }
            };
            put(self.text.client, &digits::<CLIENT_DIGITS>(client));
            put(self.text.number, &digits::<SERIAL_DIGITS>(serial));
            if let Some(at) = self.text.id {
                put(at, &digits::<SERIAL_DIGITS>(FIRST_ACK_ID + serial));
            }
        }
        &self.burst[..end]
    }

    /// Checks a message that was sent by this client, and returns its serial number.
    pub fn check(&self, message: &[u8], client: u32) -> Result<u32, String> {
        self.number_in(message, client).ok_or_else(|| {
            let (message, expected) = (String::from_utf8_lossy(message), String::from_utf8_lossy(&self.expected.bytes));
            format!("client {client} received\n  {message}\nexpected\n  {expected}")
        })
    }

    fn number_in(&self, message: &[u8], client: u32) -> Option<u32> {
        let Template { ref bytes, client: client_at, number: number_at, id: id_at } = self.expected;
        if message.len() != bytes.len() {
            return None;
        }
        let serial = number(&message[number_at..number_at + SERIAL_DIGITS])?;
        let same = |from: usize, to: usize| message[from..to] == bytes[from..to];
        let is = |at: usize, expected: &[u8]| &message[at..at + expected.len()] == expected;
        let before = match id_at {
            Some(at) => {
                same(0, at)
                    && is(at, &digits::<SERIAL_DIGITS>(FIRST_ACK_ID + serial))
                    && same(at + SERIAL_DIGITS, client_at)
            }
            None => same(0, client_at),
        };
        let right =
            before && is(client_at, &digits::<CLIENT_DIGITS>(client)) && same(number_at + SERIAL_DIGITS, bytes.len());
        right.then_some(serial)
    }
}

/// The packets of a polling body.
pub fn packets(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let body = rest?;
        match memchr::memchr(SEPARATOR, body) {
            Some(at) => {
                rest = Some(&body[at + 1..]);
                Some(&body[..at])
            }
            None => rest.take(),
        }
    })
}
