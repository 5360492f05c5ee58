//! [`EmitAuth`]: who may emit over HTTP; and [`BearerTokens`], the usual one.

use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

/// The shortest token, in characters.
const MIN_TOKEN: usize = 16;

/// Decides who may emit over HTTP. See [`Hub::emit_routes`](crate::Hub::emit_routes).
///
/// ```
/// use http::request::Parts;
/// use socketio::{EmitAuth, EmitDenied};
/// use std::future::Future;
/// use std::pin::Pin;
///
/// /// A proxy has verified the client's certificate, and sets its name. It must remove the header
/// /// from requests that have it already.
/// #[derive(Debug)]
/// struct Certificates;
///
/// impl EmitAuth for Certificates {
///     fn authenticate<'a>(
///         &'a self,
///         request: &'a Parts,
///     ) -> Pin<Box<dyn Future<Output = Result<String, EmitDenied>> + Send + 'a>> {
///         let name = request.headers.get("x-client-name").and_then(|name| name.to_str().ok());
///         Box::pin(async move {
///             match name {
///                 None => Err(EmitDenied::Unauthorized),
///                 Some("billing" | "news") => Ok(name.unwrap_or_default().to_owned()),
///                 Some(_) => Err(EmitDenied::Forbidden),
///             }
///         })
///     }
/// }
/// ```
pub trait EmitAuth: fmt::Debug + Send + Sync + 'static {
    /// Authenticates a request by its head. Returns the name of the caller, to which idempotency
    /// keys belong, and which is logged.
    ///
    /// # Errors
    ///
    /// The caller is not known, or may not emit.
    fn authenticate<'a>(
        &'a self,
        request: &'a Parts,
    ) -> Pin<Box<dyn Future<Output = Result<String, EmitDenied>> + Send + 'a>>;

    /// The [security scheme] of the OpenAPI document. Default: bearer tokens.
    ///
    /// [security scheme]: https://spec.openapis.org/oas/v3.1.1.html#security-scheme-object
    fn security_scheme(&self) -> Value {
        json!({ "type": "http", "scheme": "bearer" })
    }
}

/// The error of an [`EmitAuth`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitDenied {
    /// The request has no credentials, or wrong ones. It is answered with 401.
    #[error("the request has no valid credentials")]
    Unauthorized,
    /// The caller may not emit. It is answered with 403.
    #[error("the caller may not emit")]
    Forbidden,
    /// It can't be found out now. It is answered with 503.
    #[error("the caller can't be authenticated now")]
    Unavailable,
}

/// Callers have one of these tokens, in the header `Authorization: Bearer …`.
///
/// To replace a token, accept both until all callers have the new one. All tokens stand for the
/// same caller, so that a request that is repeated with the new token keeps its idempotency key.
/// The time that a comparison takes does not depend on how much of a token is right.
///
/// ```
/// use socketio::BearerTokens;
///
/// let tokens = BearerTokens::new(["6e1c5a2b9f0d4e7f8a31", "a token for the next time"]);
/// assert!(tokens.is_err()); // a space
/// let tokens = BearerTokens::new(["6e1c5a2b9f0d4e7f8a31", "c47d0b8e2a95f6136f2d"])?;
/// # Ok::<(), socketio::InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct BearerTokens(Arc<[[u8; 32]]>);

/// The error of [`BearerTokens::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// There is no token, so that nobody could emit.
    #[error("there is no token")]
    None,
    /// A token has fewer than 16 characters. It may be empty because a variable is not set.
    #[error("the token {index} has {length} characters, and needs at least {MIN_TOKEN}")]
    TooShort {
        /// Its position, from 0.
        index: usize,
        /// Its length.
        length: usize,
    },
    /// A token has characters that the header can't have. It may have letters, digits and
    /// `-._~+/`, and `=` at its end.
    #[error("the token {index} has characters other than letters, digits and `-._~+/`, and `=` at its end")]
    Characters {
        /// Its position, from 0.
        index: usize,
    },
}

impl BearerTokens {
    /// Accepts these tokens.
    ///
    /// # Errors
    ///
    /// There is none, or one is shorter than 16 characters or has characters that the header can't
    /// have.
    pub fn new<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Result<Self, InvalidToken> {
        let tokens = tokens.into_iter().enumerate().map(|(index, token)| {
            let token = token.as_ref();
            if token.len() < MIN_TOKEN {
                return Err(InvalidToken::TooShort { index, length: token.len() });
            }
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            match token.trim_end_matches('=').bytes().all(allowed) {
                true => Ok(digest(token.as_bytes())),
                false => Err(InvalidToken::Characters { index }),
            }
        });
        let tokens: Arc<[_]> = tokens.collect::<Result<_, _>>()?;
        if tokens.is_empty() { Err(InvalidToken::None) } else { Ok(Self(tokens)) }
    }

    /// Whether the request has one of the tokens.
    fn admits(&self, request: &Parts) -> bool {
        let mut values = request.headers.get_all(AUTHORIZATION).into_iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, token)) = value.as_bytes().split_at_checked(7) else { return false };
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            return false;
        }
        // Digests have one length, and tell nothing about how similar two tokens are.
        let given = digest(token.trim_ascii());
        self.0.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&given)).into()
    }
}

impl EmitAuth for BearerTokens {
    fn authenticate<'a>(
        &'a self,
        request: &'a Parts,
    ) -> Pin<Box<dyn Future<Output = Result<String, EmitDenied>> + Send + 'a>> {
        let caller = if self.admits(request) { Ok("bearer".to_owned()) } else { Err(EmitDenied::Unauthorized) };
        Box::pin(ready(caller))
    }
}

impl fmt::Debug for BearerTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BearerTokens").field("tokens", &self.0.len()).finish()
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    const ONE: &str = "6e1c5a2b9f0d4e7f8a31";
    const OTHER: &str = "c47d0b8e+2a95f/6136==";

    fn admits(tokens: &BearerTokens, values: &[&str]) -> bool {
        let request = values.iter().fold(Request::get("/"), |request, value| request.header(AUTHORIZATION, *value));
        tokens.admits(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn each_token_is_accepted_and_nothing_else() {
        let tokens = BearerTokens::new([ONE, OTHER]).expect("tokens");
        for value in [format!("Bearer {ONE}"), format!("bearer  {OTHER}"), format!("BEARER {ONE} ")] {
            assert!(admits(&tokens, &[&value]), "{value}");
        }
        let near = format!("Bearer {}", &ONE[..ONE.len() - 1]);
        let both = format!("Bearer {ONE}, {OTHER}");
        for value in ["", "Bearer", "Bearer ", ONE, &near, &both, &format!("Basic {ONE}"), &format!("Bearer{ONE}")] {
            assert!(!admits(&tokens, &[value]), "{value}");
        }
        let value = format!("Bearer {ONE}");
        assert!(!admits(&tokens, &[&value, &value]));
        assert!(!admits(&tokens, &[]));
        assert!(!format!("{tokens:?}").contains("6e1c"));
    }

    #[test]
    fn tokens_that_protect_nothing_are_refused() {
        assert_eq!(BearerTokens::new([""; 0]).err(), Some(InvalidToken::None));
        assert_eq!(BearerTokens::new([ONE, ""]).err(), Some(InvalidToken::TooShort { index: 1, length: 0 }));
        assert_eq!(BearerTokens::new(["short"]).err(), Some(InvalidToken::TooShort { index: 0, length: 5 }));
        for wrong in ["a token with spaces", "a=token-with=equals", "ein-Schlüssel-mit-Ü"] {
            assert_eq!(BearerTokens::new([wrong]).err(), Some(InvalidToken::Characters { index: 0 }), "{wrong}");
        }
    }
}
