//! Parses `timeout = "5s"` in `#[event("name", timeout = "5s")]`: how long the handler's event may
//! run.

use proc_macro2::{TokenStream, TokenTree};
use syn::LitStr;

use crate::errors::Errors;

const FORM: &str =
    "write a whole number and a unit, `\"500ms\"`, `\"5s\"`, `\"2m\"` or `\"1h\"`, or `\"none\"` for no limit";

pub(crate) struct Timeout {
    /// The whole argument as the user wrote it.
    pub(crate) argument: TokenStream,
    /// `None` for no limit.
    pub(crate) milliseconds: Option<u32>,
}

/// Parses an argument that begins with `timeout`; `None` if it begins otherwise.
pub(crate) fn parse(argument: &TokenStream, errors: &mut Errors) -> Option<Timeout> {
    let mut tokens = argument.clone().into_iter();
    if !matches!(tokens.next(), Some(TokenTree::Ident(word)) if word == "timeout") {
        return None;
    }
    let is_assigned = matches!(tokens.next(), Some(TokenTree::Punct(sign)) if sign.as_char() == '=');
    let written: TokenStream = tokens.collect();
    let milliseconds = match syn::parse2::<LitStr>(written.clone()) {
        Ok(text) if is_assigned => parse_text(&text.value()).unwrap_or_else(|message| {
            errors.push(&text, message, FORM);
            None
        }),
        _ if is_assigned && !written.is_empty() => {
            errors.push(written, "this is not a time", FORM);
            None
        }
        _ => {
            errors.push(argument, "`timeout` needs a time", format_args!("{FORM}: `timeout = \"5s\"`"));
            None
        }
    };
    Some(Timeout { argument: argument.clone(), milliseconds })
}

/// Parses a time to milliseconds. The error is the message for the user.
fn parse_text(text: &str) -> Result<Option<u32>, &'static str> {
    if text == "none" {
        return Ok(None);
    }
    let unit_at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit {
        _ if number.is_empty() => return Err("this is not a time"),
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" => return Err("the time has no unit"),
        _ => return Err("the time has an unknown unit"),
    };
    // The digits can only be too many.
    let milliseconds = number.parse::<u32>().ok().and_then(|number| number.checked_mul(factor));
    match milliseconds {
        Some(0) => Err("no handler can end within no time"),
        Some(milliseconds) => Ok(Some(milliseconds)),
        None => Err("the time is longer than 49 days"),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_text;

    #[test]
    fn times_have_a_number_and_a_unit() {
        let times =
            [("none", None), ("1ms", Some(1)), ("05s", Some(5_000)), ("2m", Some(120_000)), ("1h", Some(3_600_000))];
        for (text, milliseconds) in times {
            assert_eq!(parse_text(text), Ok(milliseconds), "{text}");
        }
        for wrong in
            ["", "s", "5", "5 s", " 5s", "5S", "5d", "-5s", "1.5s", "0s", "1200h", "99999999999s", "off", "None"]
        {
            parse_text(wrong).expect_err(wrong);
        }
    }
}
