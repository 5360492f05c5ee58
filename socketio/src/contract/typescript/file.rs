//! Writes the exported file, or compares it with the expected text.

use similar::TextDiff;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// If this environment variable is set, a check writes the file instead of failing.
const UPDATE: &str = "SOCKETIO_EXPORT";

/// Writes the file and creates missing directories. A file with this text stays untouched.
pub(crate) fn export(path: &Path, text: &str) -> io::Result<()> {
    if read(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)
}

/// Panics if the file does not have this text.
#[track_caller]
pub(crate) fn assert_exported(path: &Path, text: &str) {
    if is_on(std::env::var_os(UPDATE).as_deref()) {
        let written = export(path, text);
        return written.unwrap_or_else(|error| panic!("{} can't be written: {error}", path.display()));
    }
    let help = format!("help: set the variable `{UPDATE}=1` and run this again to write it");
    match read(path) {
        Ok(known) if known == text => {}
        Ok(known) => {
            panic!("{} is not what the contract says\n\n{}\n{help}", path.display(), difference(&known, text));
        }
        Err(error) => panic!("{} can't be read: {error}\n\n{help}", path.display()),
    }
}

/// Whether a variable is set to anything but an empty string or `0`.
fn is_on(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0")
}

/// Reads the file with `\n` line ends, which version control systems may convert.
fn read(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.replace("\r\n", "\n"))
}

/// The lines that differ, each group with three lines around it.
fn difference(known: &str, wanted: &str) -> String {
    let ends_with_break = known.ends_with('\n');
    let (known, wanted): (Vec<_>, Vec<_>) = (known.lines().collect(), wanted.lines().collect());
    if known == wanted {
        return match ends_with_break {
            true => "the file ends with a line break, the contract does not\n".to_owned(),
            false => "the line break at the end of the file is missing\n".to_owned(),
        };
    }
    let difference = TextDiff::from_slices(&known, &wanted);
    let mut out = String::new();
    let mut shown = 0;
    for group in difference.grouped_ops(3) {
        for operation in group {
            if operation.old_range().start > shown {
                out.push_str("…\n");
            }
            shown = operation.old_range().end;
            for change in difference.iter_changes(&operation) {
                out.push_str(&format!("{} {}\n", change.tag(), change.value()));
            }
        }
    }
    if shown < known.len() {
        out.push_str("…\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_empty_values_disable_a_variable() {
        assert!(is_on(Some(OsStr::new("1"))));
        assert!(![None, Some(""), Some("0")].map(|value| value.map(OsStr::new)).into_iter().any(is_on));
    }

    #[test]
    fn a_difference_shows_the_lines_around_it() {
        let lines = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join("\n");
        let shown = difference(&lines(&[1, 2, 3, 4, 5, 6, 7, 8]), &lines(&[1, 2, 3, 4, 50, 6, 7, 8, 9]));
        assert_eq!(shown, "…\n  2\n  3\n  4\n- 5\n+ 50\n  6\n  7\n  8\n+ 9\n");
        assert_eq!(difference("a\nb", "b"), "- a\n  b\n");
        assert_eq!(difference("", "a"), "+ a\n");
        assert_eq!(difference("a", "a\n"), "the line break at the end of the file is missing\n");
        assert_eq!(difference("a\n", "a"), "the file ends with a line break, the contract does not\n");
    }
}
