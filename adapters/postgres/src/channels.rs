//! [`Channels`]: which channel of PostgreSQL a namespace has.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The longest name of a channel, in bytes. PostgreSQL cuts those in `LISTEN`, and refuses those in
/// `pg_notify`.
const MAX_NAME: usize = 63;
/// How many bytes of a digest are in the name of a channel.
const DIGEST: usize = 16;

/// The names of channels, as the adapter for Node.js forms them.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    pub(crate) prefix: String,
}

impl Channels {
    /// The channel of a namespace.
    ///
    /// Where the adapter for Node.js has a name that PostgreSQL does not accept, it ends in a
    /// digest, so that different namespaces have different channels.
    pub(crate) fn channel(&self, namespace: &str) -> String {
        let name = format!("{}#{namespace}", self.prefix);
        if is_valid(&name) {
            return name;
        }
        let digest = Sha256::digest(&name);
        let mut channel: String = name.chars().filter(|character| *character != '\0').collect();
        let mut end = channel.len().min(MAX_NAME - 1 - 2 * DIGEST);
        while !channel.is_char_boundary(end) {
            end -= 1;
        }
        channel.truncate(end);
        channel.push('#');
        for byte in &digest[..DIGEST] {
            // Writing to a string never fails.
            _ = write!(channel, "{byte:02x}");
        }
        channel
    }

    /// Whether servers on Node.js can have this namespace.
    pub(crate) fn is_shared(&self, namespace: &str) -> bool {
        is_valid(&format!("{}#{namespace}", self.prefix))
    }
}

fn is_valid(name: &str) -> bool {
    name.len() <= MAX_NAME && !name.contains('\0')
}

/// The identifier with this name, as SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels() -> Channels {
        Channels { prefix: "socket.io".into() }
    }

    #[test]
    fn channels_are_those_of_node() {
        assert_eq!(channels().channel("/"), "socket.io#/");
        assert_eq!(channels().channel("/a\"b#ü"), "socket.io#/a\"b#ü");
        let longest = format!("/{}", "x".repeat(52));
        assert_eq!(channels().channel(&longest), format!("socket.io#{longest}"));
        assert!(channels().is_shared(&longest) && !channels().is_shared(&format!("{longest}x")));
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn names_that_postgresql_does_not_accept_are_replaced() {
        let names = ["x", "y", "é"].map(|end| channels().channel(&format!("/{}{end}", "é".repeat(40))));
        for name in &names {
            assert!(is_valid(name), "{name}");
            assert!(name.starts_with("socket.io#/éé"), "{name}");
        }
        assert!(names[0] != names[1] && names[1] != names[2]);
        assert_ne!(channels().channel("/a\0"), channels().channel("/a"));
        assert!(is_valid(&channels().channel("/a\0")));
    }
}
