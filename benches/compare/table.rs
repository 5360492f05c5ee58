//! The results as Markdown.

use crate::results::{IDLE, Results, rounded};
use std::fmt::Write;

const KIBIBYTE: f64 = 1024.0;

fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "–".into(), |value| value.to_string())
}

/// All tables.
pub fn markdown(results: &Results, about: &[(String, String)]) -> String {
    let mut out = String::new();
    processor_time(&mut out, results);
    ratios(&mut out, results);
    details(&mut out, results);
    out.push_str("### Measured with\n\n");
    for (what, value) in about {
        _ = writeln!(out, "- {what}: {value}");
    }
    out
}

fn header(out: &mut String, title: &str, results: &Results, last: &str) {
    _ = write!(out, "### {title}\n\n| |");
    for work in results.works() {
        _ = write!(out, " {} |", work.title);
    }
    _ = writeln!(out, "{last}");
    _ = writeln!(out, "| --- |{}", " ---: |".repeat(results.works().count() + usize::from(!last.is_empty())));
}

fn idle_only(results: &Results, last: &'static str) -> &'static str {
    if results.works().any(|work| work.key == IDLE) { last } else { "" }
}

fn processor_time(out: &mut String, results: &Results) {
    let title = "The server's CPU time, µs per message: median (least–most)";
    let last = idle_only(results, " idle connection, KiB resident |");
    header(out, title, results, last);
    for contestant in results.contestants() {
        _ = write!(out, "| {} |", contestant.name);
        for work in results.works() {
            _ = write!(out, " {} |", cell(results.median(work.key, contestant.name, "cpu_us")));
        }
        if !last.is_empty() {
            let resident = results.median(IDLE, contestant.name, "resident_each");
            _ = write!(out, " {} |", cell(resident.map(|median| median.scaled(1.0 / KIBIBYTE))));
        }
        out.push('\n');
    }
    out.push('\n');
}

fn ratios(out: &mut String, results: &Results) {
    let title = "Times the floor's / times socketioxide's over the same transport";
    let last = idle_only(results, " idle connection, resident |");
    header(out, title, results, last);
    let pair = |(floor, peer): (Option<f64>, Option<f64>)| {
        format!("{} / {}", cell(floor.map(rounded)), cell(peer.map(rounded)))
    };
    for contestant in results.contestants() {
        _ = write!(out, "| {} |", contestant.name);
        for work in results.works() {
            _ = write!(out, " {} |", pair(results.ratios(work.key, contestant, "cpu_us")));
        }
        if !last.is_empty() {
            _ = write!(out, " {} |", pair(results.ratios(IDLE, contestant, "resident_each")));
        }
        out.push('\n');
    }
    out.push('\n');
}

fn details(out: &mut String, results: &Results) {
    for work in results.works() {
        _ = writeln!(
            out,
            "### {}\n\n| | per second | p50, µs | p99, µs | p99.9, µs | system calls per message | resident after, MiB | overtaken | load generator's CPU |",
            work.title
        );
        _ = writeln!(out, "| --- |{}", " ---: |".repeat(8));
        for contestant in results.contestants() {
            let median = |field| results.median(work.key, contestant.name, field).map(|median| median.value);
            let overtaken = median("overtaken").zip(median("messages")).map(|(overtaken, all)| 100.0 * overtaken / all);
            _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                contestant.name,
                cell(median("per_second").map(|rate| format!("{rate:.0}"))),
                cell(median("p50_us").map(rounded)),
                cell(median("p99_us").map(rounded)),
                cell(median("p999_us").map(rounded)),
                cell(results.calls(work.key, contestant.name).map(rounded)),
                cell(median("resident_after").map(|bytes| rounded(bytes / KIBIBYTE / KIBIBYTE))),
                cell(overtaken.map(|share| format!("{share:.0} %"))),
                cell(median("load_cpu").map(|share| format!("{:.0} %", 100.0 * share))),
            );
        }
        out.push('\n');
    }
}
