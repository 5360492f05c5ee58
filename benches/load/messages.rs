//! The messages: made once, with holes for the client's number and the message's own; sent and checked without building
//! anything.

use crate::frames;
use crate::options::{Flavour, Work};
use std::ops::Range;

const CLIENT: usize = 5;
const NUMBER: usize = 10;
/// Ids of acks are the message's number and this, so that all have ten digits.
const ID: u32 = 1_000_000_000;
/// Stands between the packets of a polling body.
pub const SEPARATOR: u8 = 0x1e;

/// A text with holes: where the digits of the client, of the number and of the ack's id belong.
struct Text {
    bytes: Vec<u8>,
    client: usize,
    number: usize,
    id: Option<usize>,
}

impl Text {
    /// `pattern` has one `C` run, one `N` run and at most one `I` run, each led by `#`.
    fn new(pattern: &str) -> Self {
        let find = |letter: &str, digits: usize| pattern.find(&format!("#{}", letter.repeat(digits - 1)));
        let (client, number, id) = (find("C", CLIENT), find("N", NUMBER), find("I", NUMBER));
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

/// What is sent in one write, and what must come back.
pub struct Messages {
    flavour: Flavour,
    text: Text,
    /// As many messages as are in flight, one after the other; in a POST's body for polling, in frames elsewhere.
    burst: Vec<u8>,
    /// Where the texts begin in it.
    starts: Vec<usize>,
    expected: Text,
}

impl Messages {
    pub fn new(flavour: Flavour, work: Work, payload: usize, window: u32) -> Self {
        let (client, serial, id) = (
            format!("#{}", "C".repeat(CLIENT - 1)),
            format!("#{}", "N".repeat(NUMBER - 1)),
            format!("#{}", "I".repeat(NUMBER - 1)),
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
        let (text, expected) = (Text::new(&sent), Text::new(&expected));
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

    /// So many messages of a client, the first of them with this number.
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
            put(self.text.client, &digits::<CLIENT>(client));
            put(self.text.number, &digits::<NUMBER>(serial));
            if let Some(at) = self.text.id {
                put(at, &digits::<NUMBER>(ID + serial));
            }
        }
        &self.burst[..end]
    }

    /// The number of a message that came from this client, if all of it is as it must be.
    pub fn check(&self, message: &[u8], client: u32) -> Result<u32, String> {
        self.number_in(message, client).ok_or_else(|| {
            let (message, expected) = (String::from_utf8_lossy(message), String::from_utf8_lossy(&self.expected.bytes));
            format!("for client {client} came\n  {message}\nwhere this was expected\n  {expected}")
        })
    }

    fn number_in(&self, message: &[u8], client: u32) -> Option<u32> {
        let Text { ref bytes, client: client_at, number: number_at, id: id_at } = self.expected;
        if message.len() != bytes.len() {
            return None;
        }
        let serial = number(&message[number_at..number_at + NUMBER])?;
        let same = |from: usize, to: usize| message[from..to] == bytes[from..to];
        let is = |at: usize, expected: &[u8]| &message[at..at + expected.len()] == expected;
        let before = match id_at {
            Some(at) => same(0, at) && is(at, &digits::<NUMBER>(ID + serial)) && same(at + NUMBER, client_at),
            None => same(0, client_at),
        };
        let right = before && is(client_at, &digits::<CLIENT>(client)) && same(number_at + NUMBER, bytes.len());
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
