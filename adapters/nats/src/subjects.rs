//! [`Subjects`]: the subjects on which messages are published.

use async_nats::Subject;
use ring::digest::{SHA256, digest};
use socketio::cluster::Topic;
use std::fmt::Write;

/// Longer tokens are replaced by a hash. NATS closes the connection of a client whose command has a
/// subject of more than 4 KB.
const MAX_TOKEN: usize = 512;

/// Makes the subjects of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    /// What all subjects begin with. It has its dot.
    prefix: String,
}

impl Subjects {
    /// The dots of the prefix part its tokens.
    pub(crate) fn new(prefix: &str) -> Self {
        let mut subjects = Self { prefix: String::new() };
        for part in prefix.split('.') {
            push_token(&mut subjects.prefix, part);
            subjects.prefix.push('.');
        }
        subjects
    }

    /// The subject of a topic. `None` for topics that this engine does not have.
    pub(crate) fn subject(&self, topic: Topic<'_>) -> Option<Subject> {
        let mut subject = self.prefix.clone();
        match topic {
            Topic::Main { namespace } => {
                push_token(&mut subject, namespace);
                subject.push_str(".all");
            }
            Topic::Reply { namespace, server } => {
                push_token(&mut subject, namespace);
                subject.push_str(".to.");
                push_token(&mut subject, server);
            }
            _ => return None,
        }
        Some(subject.into())
    }

    /// The subject on which a connection publishes to itself. It can't be that of a topic, since
    /// the paths of namespaces begin with a slash.
    pub(crate) fn echo(&self, id: u64) -> Subject {
        format!("{}echo.{id:016x}", self.prefix).into()
    }
}

/// Appends a name as one token. Letters, digits, `-` and `_` stand for themselves. Other bytes are
/// written as `=` with two digits, and an empty name as `=`. Different names have different tokens.
fn push_token(subject: &mut String, name: &str) {
    let start = subject.len();
    if name.is_empty() {
        subject.push('=');
    }
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => subject.push(byte.into()),
            // Writing to a string does not fail.
            _ => _ = write!(subject, "={byte:02X}"),
        }
        if subject.len() - start > MAX_TOKEN {
            subject.truncate(start);
            subject.push_str("==");
            for byte in digest(&SHA256, name.as_bytes()).as_ref() {
                _ = write!(subject, "{byte:02x}");
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn main(prefix: &str, namespace: &str) -> String {
        Subjects::new(prefix).subject(Topic::Main { namespace }).expect("a subject").to_string()
    }

    #[test]
    fn subjects_are_readable() {
        assert_eq!(main("socket.io", "/"), "socket.io.=2F.all");
        assert_eq!(main("socket.io", "/chat-1_a"), "socket.io.=2Fchat-1_a.all");
        assert_eq!(main("my app", "/"), "my=20app.=2F.all");
        let topic = Topic::Reply { namespace: "/", server: "0123abc" };
        let subjects = Subjects::new("a");
        assert_eq!(subjects.subject(topic).expect("a subject").as_str(), "a.=2F.to.0123abc");
        assert_eq!(subjects.echo(7).as_str(), "a.echo.0000000000000007");
        assert!(subjects.subject(Topic::Requests { namespace: "/" }).is_none());
    }

    #[test]
    fn different_names_have_different_and_valid_subjects() {
        let long = "x".repeat(10_000);
        let names = [
            "",
            ".",
            "..",
            "a.b",
            "a. b",
            "*",
            ">",
            "a.*",
            "a.>",
            " ",
            "\t",
            "\r\n",
            "a\0b",
            "=",
            "=2F",
            "/",
            "=2f",
            "ä",
            "😀",
            "a=",
            "==",
            &long,
            &long[1..],
            &"ä".repeat(200),
            &"ä".repeat(201),
        ];
        let mut subjects = HashSet::new();
        for name in names {
            for subject in [main("p", name), main(name, "/")] {
                assert!(subject.len() < 2_000, "{subject}");
                assert!(Subject::from(subject.as_str()).is_valid(), "{subject}");
                assert!(!subject.contains(['*', '>', ' ', '\r', '\n', '\t', '\0']), "{subject}");
            }
            assert!(subjects.insert(main("p", name)), "{name}");
        }
    }
}
