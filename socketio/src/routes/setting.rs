//! Checks of route settings. Routes are configured after the hub is built, so an invalid setting
//! can't be a build error. It panics at the caller's line, as an invalid path does in axum.

use crate::hub::build_error::BuildProblem;

/// Panics with a message that names the setting, the value and the accepted form.
#[track_caller]
pub(super) fn invalid_setting(setting: &'static str, value: &str, accepted: &str) -> ! {
    panic!("{}", BuildProblem::setting(setting, value, accepted))
}

/// Whether the name is a token of [RFC 7230, section 3.2.6]. The names of cookies and subprotocols
/// must be tokens.
///
/// [RFC 7230, section 3.2.6]: https://www.rfc-editor.org/rfc/rfc7230#section-3.2.6
pub(super) fn is_token(name: &str) -> bool {
    let is_token_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token_char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_token_accepts_exactly_the_characters_of_rfc_7230() {
        for name in ["io", "chat.v1", "a!#$%&'*+-.^_`|~9"] {
            assert!(is_token(name), "{name}");
        }
        for name in ["", "a b", "a,b", "a;b", "a=b", "a/b", "a\"", "a\n", "(a)", "\u{e9}"] {
            assert!(!is_token(name), "{name}");
        }
    }
}
