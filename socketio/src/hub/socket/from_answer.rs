//! [`FromAnswer`]: decodes the answer of a client.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ack_future::AckError;
use crate::event::ack::Args;
use crate::event::context::RawArgs;
use crate::event::error::{EventError, PayloadError};
use crate::session::received::ReceivedAnswer;
use crate::wire::any_value::AnyValue;
use crate::wire::binary_json::BinaryJson;
use crate::wire::envelope::ArgumentText;

impl ReceivedAnswer {
    pub(crate) fn decode<T: FromAnswer>(&self) -> Result<T, AckError> {
        let args = match self {
            Self::One(text) => RawArgs::new(ArgumentText::One(text), None),
            Self::Many(text, attachments) => RawArgs::new(ArgumentText::Many(text), attachments.as_ref()),
            Self::Failed(error) => return Err(AckError::Failed(EventError::from_client(error))),
            Self::TooDeep(depth) => return Err(PayloadError::too_deep(*depth).into()),
        };
        match failure(args) {
            Some(error) => Err(AckError::Failed(error)),
            None => Ok(T::from_answer(args)?),
        }
    }
}

/// Returns the error in the arguments of an answer, if they consist of the one object
/// `{"error": {"code": …, "message": …}}`. This crate sends errors to Socket.IO clients in this
/// form. The text must have been scanned.
///
/// Binary data in it becomes base64.
pub(crate) fn failure(args: RawArgs<'_>) -> Option<EventError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Failure {
        error: AnyValue,
    }
    // A struct is also decoded from an array.
    if !args.json().trim_start().starts_with('{') {
        return None;
    }
    let mut json = BinaryJson::new(args.json(), args.attachments());
    let Failure { error } = Failure::deserialize(&mut json).ok()?;
    let Value::Object(error) = error.into_json() else { return None };
    if !json.rest().trim_ascii().is_empty() {
        return None;
    }
    let is_error = ["code", "message"].iter().all(|field| error.get(*field).is_some_and(Value::is_string));
    is_error.then(|| EventError::from_fields(error))
}

/// A type that a client's answer can be decoded as: every type that implements
/// [`DeserializeOwned`], and [`Args`] of up to eight of them.
///
/// | type | accepts |
/// | --- | --- |
/// | `T: DeserializeOwned` | an answer whose first argument decodes as `T`; other arguments are ignored |
/// | `Option<T>` | the same, or `null`, or no arguments |
/// | `()` | no arguments, or `null` |
/// | `Args<(A, B, …)>` | several arguments |
///
/// If the only argument is `{"error": {"code": "…", "message": "…"}}`, the answer is an
/// [error](crate::AckError::Failed) of the client for every type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the answer of a client",
    label = "not decoded from an answer",
    note = "help: derive `serde::Deserialize` for it, without borrowing from what is received; or ask for `()`, `Option<T>`, or \
            `Args<(A, B)>` of such types"
)]
pub trait FromAnswer: Sized {
    /// Decodes an answer from its arguments.
    ///
    /// # Errors
    ///
    /// The arguments do not decode as this type.
    fn from_answer(args: RawArgs<'_>) -> Result<Self, PayloadError>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> FromAnswer for T {
    fn from_answer(args: RawArgs<'_>) -> Result<Self, PayloadError> {
        // A handler that returns `()` answers without arguments. Types that accept `null` accept
        // that too.
        if args.json().is_empty()
            && let Ok(nothing) = serde_json::from_str("null")
        {
            return Ok(nothing);
        }
        args.first()
    }
}

macro_rules! several {
    ($(($($value:ident),*))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($value: DeserializeOwned),*> FromAnswer for Args<($($value,)*)> {
            fn from_answer(args: RawArgs<'_>) -> Result<Self, PayloadError> {
                let mut remaining = args.remaining()?;
                Ok(Self(($(remaining.next::<$value>()?,)*)))
            }
        }
    )*};
}

several! {
    (A) (A, B) (A, B, C) (A, B, C, D)
    (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G) (A, B, C, D, E, F, G, H)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(args: &str) -> Option<EventError> {
        super::failure(RawArgs::new(ArgumentText::Many(args), None))
    }

    #[test]
    fn an_answer_with_an_error_field_is_not_always_an_error() {
        let error =
            failure(r#" { "error": {"message": "not n\u006fw", "code": "busy", "path": "a.b", "data": 3, "x": 4} }"#);
        let error = error.expect("an error");
        assert_eq!((error.code(), error.message(), error.path()), ("busy", "not now", Some("a.b")));
        assert_eq!(error.data(), Some(&3.into()));
        for answer in [
            "",
            "null",
            "3",
            r#""error""#,
            "{}",
            r#"{"error":null}"#,
            r#"{"error":"busy"}"#,
            r#"{"error":{"code":"busy"}}"#,
            r#"{"error":{"code":1,"message":"not now"}}"#,
            r#"{"error":["busy","not now"]}"#,
            r#"[{"code":"busy","message":"not now"}]"#,
            r#"{"error":{"code":"busy","message":"not now"},"more":1}"#,
            r#"{"more":1,"error":{"code":"busy","message":"not now"}}"#,
            r#"{"error":{"code":"busy","message":"not now"}},2"#,
        ] {
            assert!(failure(answer).is_none(), "{answer}");
        }
    }

    #[test]
    fn an_answer_has_zero_one_or_several_arguments() {
        let many = |text: &str| ReceivedAnswer::Many(text.to_owned(), None);
        assert_eq!(many("3, 4").decode::<u8>().expect("the first"), 3);
        assert_eq!(many("3, \"x\"").decode::<Args<(u8, String)>>().expect("both"), Args((3, "x".to_owned())));
        assert_eq!(many("3").decode::<Args<(u8, Option<u8>)>>().expect("one"), Args((3, None)));
        assert_eq!(ReceivedAnswer::One("[3]".to_owned()).decode::<Args<([u8; 1],)>>().expect("one"), Args(([3],)));
        assert_eq!(many("").decode::<Option<u8>>().expect("none"), None);
        assert_eq!(many("null").decode::<Option<u8>>().expect("none"), None);
        many("").decode::<()>().expect("nothing");
        let missing = many("3").decode::<Args<(u8, u8)>>();
        assert!(matches!(missing, Err(AckError::Payload(error)) if error.argument() == Some(1)));
    }
}
