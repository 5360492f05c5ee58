//! Formats TypeScript types. `ts-rs` writes each type on one line; long types and those with
//! comments are split into several lines here.
//!
//! The feature `format` of `ts-rs` formats only the files that `ts-rs` itself writes. It would also
//! add 110 packages, including a TypeScript parser, to the 20 of `ts-rs`.

use std::str::CharIndices;

/// The maximum length of a line.
pub(super) const WIDTH: usize = 100;

/// Formats a type on one line.
pub(super) fn inline(ty: &str) -> String {
    let mut out = String::new();
    for piece in pieces(ty) {
        piece.write_inline(&mut out);
    }
    out.trim().to_owned()
}

/// Formats `type Name = …`, with each member of an object on its own line, and each alternative of
/// a long union.
pub(super) fn declaration(declaration: &str) -> String {
    let Some((head, ty)) = declaration.trim().trim_end_matches(';').split_once(" = ") else {
        return declaration.to_owned();
    };
    let alternatives = split(ty, '|');
    if let [single] = &alternatives[..] {
        return format!("{head} = {}", written(single, 0, true));
    }
    let short = format!("{head} = {}", inline(ty));
    if short.len() < WIDTH && !ty.contains("/**") {
        return short;
    }
    let alternatives = alternatives.iter().map(|alternative| format!("\n  | {}", written(alternative, 4, false)));
    format!("{head} ={}", alternatives.collect::<String>())
}

/// Formats a type whose first line begins at `indent`. With `open`, even a short object has each
/// member on its own line.
fn written(ty: &str, indent: usize, open: bool) -> String {
    let mut out = String::new();
    for piece in pieces(ty.trim()) {
        match &piece {
            Piece::Object(members) if !members.is_empty() && (open || !piece_fits(&piece, indent)) => {
                out.push_str("{\n");
                let inner = indent + 2;
                let margin = " ".repeat(inner);
                for Member { docs, text } in members {
                    out.push_str(&tidy_docs(docs, inner));
                    out.push_str(&format!("{margin}{};\n", written(&member(text), inner, false)));
                }
                out.push_str(&" ".repeat(indent));
                out.push('}');
            }
            _ => piece.write_inline(&mut out),
        }
    }
    out.trim().to_owned()
}

fn piece_fits(piece: &Piece, indent: usize) -> bool {
    let mut out = String::new();
    piece.write_inline(&mut out);
    !piece.has_docs() && out.len() + indent < WIDTH - 20
}

/// A part of a type.
enum Piece {
    Text(String),
    Object(Vec<Member>),
}

/// One member of an object.
struct Member {
    docs: String,
    text: String,
}

impl Piece {
    fn write_inline(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Object(members) if members.is_empty() => out.push_str("{}"),
            Self::Object(members) => {
                let members: Vec<_> = members.iter().map(|Member { text, .. }| inline(&member(text))).collect();
                out.push_str(&format!("{{ {} }}", members.join("; ")));
            }
        }
    }

    fn has_docs(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Object(members) => {
                members.iter().any(|member| !member.docs.is_empty() || member.text.contains("/**"))
            }
        }
    }
}

fn pieces(ty: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = ty;
    while let Some(begin) = position(rest, |char, _| char == '{') {
        pieces.push(Piece::Text(rest[..begin].to_owned()));
        rest = &rest[begin + 1..];
        let end = position(rest, |char, depth| char == '}' && depth == 0).unwrap_or(rest.len());
        pieces.push(Piece::Object(members(&rest[..end])));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}

fn members(object: &str) -> Vec<Member> {
    let members = split(object, ',').into_iter().map(str::trim).filter(|member| !member.is_empty());
    let members = members.map(|member| {
        let (docs, text) = member.split_at(if member.starts_with("/**") { comment(member) } else { 0 });
        Member { docs: docs.to_owned(), text: text.trim().to_owned() }
    });
    members.collect()
}

/// Removes the quotes around a member's name if they are not needed.
fn member(text: &str) -> String {
    let unquoted = text.strip_prefix('"').and_then(|text| text.split_once('"'));
    match unquoted {
        Some((name, value)) if is_identifier(name) && value.starts_with([':', '?']) => format!("{name}{value}"),
        _ => text.to_owned(),
    }
}

/// Formats a text as a doc comment.
pub(super) fn docs(text: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let text = text.trim().replace("*/", "*\\/");
    let lines: Vec<_> = text.lines().collect();
    match &lines[..] {
        [] => String::new(),
        [line] => format!("{margin}/** {line} */\n"),
        lines => {
            let lines: String =
                lines.iter().map(|line| format!("{}\n", format!("{margin} * {line}").trim_end())).collect();
            format!("{margin}/**\n{lines}{margin} */\n")
        }
    }
}

/// Formats a doc comment, followed by the note of a `#[deprecated]`.
pub(super) fn docs_with_note(text: &str, deprecated: Option<&str>, indent: usize) -> String {
    match deprecated {
        None => docs(text, indent),
        Some(note) => docs(&format!("{text}\n\n@deprecated {}", note.trim()), indent),
    }
}

/// Formats a doc comment of `ts-rs`, on one line if it fits.
pub(super) fn tidy_docs(comment: &str, indent: usize) -> String {
    docs(&docs_text(comment), indent)
}

/// The text of a doc comment of `ts-rs`.
pub(super) fn docs_text(comment: &str) -> String {
    let lines = comment.trim().trim_start_matches("/**").trim_end_matches("*/").trim().lines();
    let lines: Vec<_> = lines.map(|line| line.trim().trim_start_matches('*')).collect();
    let lines: Vec<_> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}

/// Whether the name needs no quotes.
pub(super) fn is_identifier(name: &str) -> bool {
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '$';
    name.chars().all(is_word) && name.starts_with(|first: char| !first.is_ascii_digit())
}

/// Splits a text at separators outside brackets.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = position(rest, |char, depth| char == separator && depth == 0) {
        parts.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    parts.push(rest);
    parts
}

/// Finds the first wanted character outside comments and strings. `is_wanted` takes the character
/// and the number of brackets around it.
fn position(text: &str, is_wanted: impl Fn(char, usize) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    let mut chars = text.char_indices();
    let mut before = ' ';
    while let Some((at, char)) = chars.next() {
        if text[at..].starts_with("/*") {
            let end = at + comment(&text[at..]);
            while chars.as_str().len() > text.len() - end {
                chars.next();
            }
            continue;
        }
        if is_wanted(char, depth) {
            return Some(at);
        }
        match char {
            '"' | '\'' | '`' => skip_string(&mut chars, char),
            '{' | '[' | '(' | '<' => depth += 1,
            '>' if before == '=' => {}
            '}' | ']' | ')' | '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = char;
    }
    None
}

/// The length of the comment at the beginning of a text. `ts-rs` copies comments unchanged, so
/// there may be a `*/` inside one, but ends them on a line of their own.
fn comment(text: &str) -> usize {
    let end = if text.starts_with("/**\n") { "\n */" } else { "*/" };
    text.find(end).map_or(text.len(), |at| at + end.len())
}

/// Skips the rest of a string that ends with `quote`. A template may contain types, and these may
/// contain strings.
fn skip_string(chars: &mut CharIndices<'_>, quote: char) {
    let mut before = ' ';
    while let Some((_, char)) = chars.next() {
        match char {
            _ if char == quote => return,
            '\\' => drop(chars.next()),
            '{' if quote == '`' && before == '$' => skip_braces(chars),
            _ => {}
        }
        before = char;
    }
}

/// Skips the rest of a pair of braces.
fn skip_braces(chars: &mut CharIndices<'_>) {
    let mut depth = 0;
    while let Some((_, char)) = chars.next() {
        match char {
            '"' | '\'' | '`' => skip_string(chars, char),
            '{' => depth += 1,
            '}' if depth == 0 => return,
            '}' => depth -= 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_on_separate_lines() {
        let ts = "type User = { \n/**\n * The name, of it.\n */\nname: string, age: number, map: { [key in string]: Array<Kind> }, };";
        assert_eq!(
            declaration(ts),
            "type User = {\n  /** The name, of it. */\n  name: string;\n  age: number;\n  map: { [key in string]: Array<Kind> };\n}"
        );
    }

    #[test]
    fn short_unions_stay_on_one_line() {
        assert_eq!(
            declaration("type Kind = \"A\" | { \"B\": number } | { \"C-1\": { x: number, } };"),
            "type Kind = \"A\" | { B: number } | { \"C-1\": { x: number } }"
        );
        let long =
            format!("type Kind = {} | {{ \"B\": {{ \n/**\n * doc\n */\nx: number, }} }};", "\"A\" | ".repeat(20) + "0");
        let written = declaration(&long);
        assert!(written.starts_with("type Kind =\n  | \"A\"\n  | \"A\""), "{written}");
        assert!(
            written.ends_with("  | {\n      B: {\n        /** doc */\n        x: number;\n      };\n    }"),
            "{written}"
        );
    }

    #[test]
    fn brackets_in_strings_and_arrows_are_ignored() {
        assert_eq!(
            declaration("type T = { \"}\": \"{,\", f: Record<A, B>, };"),
            "type T = {\n  \"}\": \"{,\";\n  f: Record<A, B>;\n}"
        );
        assert_eq!(declaration("type T<A> = Array<A>;"), "type T<A> = Array<A>");
        assert_eq!(declaration("type E = Record<symbol, never>"), "type E = Record<symbol, never>");
    }

    #[test]
    fn strings_of_all_kinds_are_kept() {
        let ts = "type T = { a: 'it\\'s, {' | `|},`, b: `${'}' | `{${N}`}, }` | \"\\\"}\", };";
        assert_eq!(
            declaration(ts),
            "type T = {\n  a: 'it\\'s, {' | `|},`;\n  b: `${'}' | `{${N}`}, }` | \"\\\"}\";\n}"
        );
    }

    #[test]
    fn comments_end_only_at_their_own_end() {
        assert_eq!(
            declaration("type T = { \n/**\n * Matches src/*/mod.rs, **/*.rs.\n */\nglob: string, };"),
            "type T = {\n  /** Matches src/*\\/mod.rs, **\\/*.rs. */\n  glob: string;\n}"
        );
        assert_eq!(declaration("type T = { a: /* , */ string, };"), "type T = {\n  a: /* , */ string;\n}");
        assert_eq!(docs("a */ b", 0), "/** a *\\/ b */\n");
        assert_eq!(docs("One.\n\nTwo.", 2), "  /**\n   * One.\n   *\n   * Two.\n   */\n");
    }

    #[test]
    fn comments_keep_their_text() {
        assert_eq!(tidy_docs("/**\n * One.\n */\n", 0), "/** One. */\n");
        assert_eq!(tidy_docs("/**\n * One.\n *\n * - two\n */", 2), "  /**\n   * One.\n   *\n   * - two\n   */\n");
        assert_eq!(tidy_docs("", 0), "");
    }
}
