//! [`Pattern`] and [`Matching`]: the paths of dynamic namespaces, which exist only while they have
//! sockets.

use std::fmt;
use std::sync::Arc;

use crate::hooks::catch::catch;
use crate::hooks::nesting::Entered;

/// Decides whether a path belongs to a dynamic namespace.
#[derive(Clone)]
pub(crate) enum Matching {
    Pattern(Pattern),
    Function(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Matching {
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(path),
            // The function may ask for a namespace, for which it is asked in turn.
            Self::Function(matches) => match Entered::nested().map(|_entered| catch(|| matches(path))) {
                Ok(Ok(matches)) => matches,
                Ok(Err(_)) => {
                    tracing::error!("the function of a dynamic namespace panicked");
                    false
                }
                Err(error) => {
                    tracing::error!(%error, "the function of a dynamic namespace asks for namespaces");
                    false
                }
            },
        }
    }
}

impl fmt::Debug for Matching {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => pattern.fmt(formatter),
            Self::Function(_) => formatter.write_str("Function"),
        }
    }
}

/// A path with parameters, such as `/room-{id}`. Each parameter stands for one or more characters,
/// except slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Box<str>>);

impl Pattern {
    /// Returns `None` if the path has no parameters.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            parts.push(before.into());
            (_, rest) = after.split_once('}')?;
        }
        parts.push(rest.into());
        (parts.len() > 1).then_some(Self(parts))
    }

    /// Clients choose the path. It is scanned once per parameter, so the cost stays bounded for
    /// every path.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let [first, parts @ ..] = &self.0[..] else { return false };
        let Some(path) = path.strip_prefix(&**first) else { return false };
        // The positions at which the pattern before the next parameter can end.
        let mut ends = vec![false; path.len() + 1];
        ends[0] = true;
        for part in parts {
            let mut next = vec![false; path.len() + 1];
            let mut is_within = false;
            for (at, character) in path.char_indices() {
                is_within = (is_within || ends[at]) && character != '/';
                let end = at + character.len_utf8();
                if is_within && path[end..].starts_with(&**part) {
                    next[end + part.len()] = true;
                }
            }
            ends = next;
        }
        ends[path.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::of(pattern).expect("a pattern").matches(path)
    }

    #[test]
    fn parameters_match_all_characters_except_slashes() {
        assert!(matches("/room-{id}", "/room-1") && matches("/room-{id}", "/room-é-2"));
        assert!(matches("/{tenant}/chat", "/acme/chat") && matches("/{a}-{b}", "/1-2-3"));
        for path in ["/room-", "/room-1/2", "/room", "/rooms-1", "/ROOM-1", "/x/room-1", ""] {
            assert!(!matches("/room-{id}", path), "{path}");
        }
        assert!(!matches("/{tenant}/chat", "//chat") && !matches("/{tenant}/chat", "/acme/chat/x"));
    }

    #[test]
    fn a_path_without_parameters_is_not_a_pattern() {
        for path in ["/", "/admin", "/x}", "/{x"] {
            assert_eq!(Pattern::of(path), None, "{path}");
        }
    }
}
