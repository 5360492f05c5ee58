//! The exported file on disk: written, or compared with what it should be.

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
    if std::env::var_os(UPDATE).is_some() {
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

/// The file, with the ends of its lines as they were written, whatever a version control system has made of them.
fn read(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.replace("\r\n", "\n"))
}

/// The lines that differ, with three around each run of them.
fn difference(known: &str, wanted: &str) -> String {
    let (known, wanted): (Vec<_>, Vec<_>) = (known.lines().collect(), wanted.lines().collect());
    let lines = compared(&known, &wanted);
    let is_near =
        |at: usize| lines[at.saturating_sub(3)..(at + 4).min(lines.len())].iter().any(|(sign, _)| *sign != ' ');
    let mut out = String::new();
    let mut is_gap = false;
    for (at, (sign, line)) in lines.iter().enumerate() {
        if is_near(at) {
            out.push_str(&format!("{sign} {line}\n"));
        } else if !is_gap {
            out.push_str("…\n");
        }
        is_gap = !is_near(at);
    }
    out
}

/// The lines of both, as a longest common sequence (` `) and what is only in the first (`-`) or the second (`+`).
fn compared<'a>(known: &[&'a str], wanted: &[&'a str]) -> Vec<(char, &'a str)> {
    let width = wanted.len() + 1;
    // How long the longest common sequence of the rests is.
    let mut longest = vec![0_u32; (known.len() + 1) * width];
    for (left, known) in known.iter().enumerate().rev() {
        for (right, wanted) in wanted.iter().enumerate().rev() {
            let at = left * width + right;
            longest[at] = match known == wanted {
                true => longest[at + width + 1] + 1,
                false => longest[at + 1].max(longest[at + width]),
            };
        }
    }
    let (mut left, mut right) = (0, 0);
    let mut lines = Vec::new();
    while left < known.len() || right < wanted.len() {
        let at = left * width + right;
        if left < known.len() && right < wanted.len() && known[left] == wanted[right] {
            lines.push((' ', known[left]));
            (left, right) = (left + 1, right + 1);
        } else if right == wanted.len() || (left < known.len() && longest[at + width] >= longest[at + 1]) {
            lines.push(('-', known[left]));
            left += 1;
        } else {
            lines.push(('+', wanted[right]));
            right += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_around_it() {
        let lines = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join("\n");
        let shown = difference(&lines(&[1, 2, 3, 4, 5, 6, 7, 8]), &lines(&[1, 2, 3, 4, 50, 6, 7, 8, 9]));
        assert_eq!(shown, "…\n  2\n  3\n  4\n- 5\n+ 50\n  6\n  7\n  8\n+ 9\n");
        assert_eq!(difference("a\nb", "b"), "- a\n  b\n");
        assert_eq!(difference("", "a"), "+ a\n");
    }
}
