//! The exported file on disk: written, or compared with what it should be.

use similar::TextDiff;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// With this variable set, a check writes the file in the place of failing.
const UPDATE: &str = "SOCKETIO_EXPORT";

/// Writes the file, if it is not what it should be already, and the directories that it is in.
pub(crate) fn export(path: &Path, text: &str) -> io::Result<()> {
    if read(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)
}

/// Fails where the file is not what it should be.
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

/// Whether a variable says yes: whatever it says, but for nothing and `0`.
fn is_on(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0")
}

/// The file, with the ends of its lines as they were written, whatever a version control system has made of them.
fn read(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.replace("\r\n", "\n"))
}

/// The lines that differ, with three around each run of them.
fn difference(known: &str, wanted: &str) -> String {
    let (known, wanted): (Vec<_>, Vec<_>) = (known.lines().collect(), wanted.lines().collect());
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
    fn a_variable_can_say_no() {
        assert!(is_on(Some(OsStr::new("1"))));
        assert!(![None, Some(""), Some("0")].map(|value| value.map(OsStr::new)).into_iter().any(is_on));
    }

    #[test]
    fn a_difference_shows_what_is_around_it() {
        let lines = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join("\n");
        let shown = difference(&lines(&[1, 2, 3, 4, 5, 6, 7, 8]), &lines(&[1, 2, 3, 4, 50, 6, 7, 8, 9]));
        assert_eq!(shown, "…\n  2\n  3\n  4\n- 5\n+ 50\n  6\n  7\n  8\n+ 9\n");
        assert_eq!(difference("a\nb", "b"), "- a\n  b\n");
        assert_eq!(difference("", "a"), "+ a\n");
    }
}
