//! Measurements of a process by the operating system: memory, system calls.

use crate::client::BoxError;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

/// Resident memory in bytes. `statm` is cheaper to read, but inexact on machines with several
/// cores.
pub fn resident(process: &str) -> Result<u64, BoxError> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("unknown format of smaps_rollup")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// `strace`, attached to all threads of a process.
pub struct Strace {
    child: Child,
    summary: PathBuf,
    /// Kept open: strace would end if its standard error were closed.
    _messages: BufReader<ChildStderr>,
}

impl Strace {
    pub fn attach(pid: u32) -> Result<Self, BoxError> {
        let summary = std::env::temp_dir().join(format!("socketio-load-{}", std::process::id()));
        let mut child = Command::new("strace")
            .args(["-c", "-f", "-U", "calls,name", "-o"])
            .arg(&summary)
            .args(["-p", &pid.to_string()])
            .stderr(Stdio::piped())
            .spawn()?;
        let mut said = String::new();
        let mut messages = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        messages.read_line(&mut said)?;
        if !said.contains("attached") {
            messages.read_to_string(&mut said)?;
            child.wait()?;
            return Err(said.into());
        }
        Ok(Self { child, summary, _messages: messages })
    }

    /// Stops strace, and returns the number of calls of each kind, most frequent first.
    pub fn detach(mut self) -> Result<Vec<(String, u64)>, BoxError> {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        let summary = fs::read_to_string(&self.summary)?;
        fs::remove_file(&self.summary)?;
        let mut calls: Vec<_> = summary
            .lines()
            .filter_map(|line| {
                let (count, name) = line.trim().split_once(' ')?;
                Some((name.trim().to_owned(), count.parse().ok()?))
            })
            .filter(|(name, _)| name != "total")
            .collect();
        calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok(calls)
    }
}
