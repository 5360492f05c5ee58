//! The results as Markdown tables.

use crate::results::{Results, Workload, rounded};
use std::fmt::Write;

const KIBIBYTE: f64 = 1024.0;

fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "–".into(), |value| value.to_string())
}

/// Writes all tables.
pub fn markdown(results: &Results, about: &[(String, String)]) -> String {
    let mut out = String::new();
    processor_time(&mut out, results);
    ratios(&mut out, results);
    details(&mut out, results);
    if !results.failures.is_empty() {
        out.push_str("### Failed\n\n");
        for failure in &results.failures {
            _ = writeln!(out, "- {failure}");
        }
        out.push('\n');
    }
    out.push_str("### Measured with\n\n");
    for (what, value) in about {
        _ = writeln!(out, "- {what}: {value}");
    }
    out
}

/// A column: the CPU time of a workload, or the memory of its idle connections.
struct Column {
    title: &'static str,
    workload: &'static Workload,
    field: &'static str,
    scale: f64,
}

fn columns(results: &Results) -> impl Iterator<Item = Column> {
    let busy =
        results.workloads().map(|workload| Column { title: workload.title, workload, field: "cpu_us", scale: 1.0 });
    let idle = results.workloads().filter_map(|workload| {
        Some(Column { title: workload.idle?, workload, field: "resident_each", scale: 1.0 / KIBIBYTE })
    });
    busy.chain(idle)
}

fn header(out: &mut String, title: &str, results: &Results) {
    _ = write!(out, "### {title}\n\n| |");
    for column in columns(results) {
        _ = write!(out, " {} |", column.title);
    }
    _ = writeln!(out, "\n| --- |{}", " ---: |".repeat(columns(results).count()));
}

fn processor_time(out: &mut String, results: &Results) {
    header(out, "The server's CPU time, µs per message, and memory, KiB: median (least–most)", results);
    for server in results.servers() {
        _ = write!(out, "| {} |", server.name);
        for Column { workload, field, scale, .. } in columns(results) {
            let median = results.median(workload.key, server.name, field);
            _ = write!(out, " {} |", cell(median.map(|median| median.scaled(scale))));
        }
        out.push('\n');
    }
    out.push('\n');
}

fn ratios(out: &mut String, results: &Results) {
    header(out, "Times the floor's / times socketioxide's over the same transport", results);
    for server in results.servers() {
        _ = write!(out, "| {} |", server.name);
        for Column { workload, field, .. } in columns(results) {
            let (floor, peer) = results.ratios(workload.key, server, field);
            _ = write!(out, " {} / {} |", cell(floor.map(rounded)), cell(peer.map(rounded)));
        }
        out.push('\n');
    }
    out.push('\n');
}

fn details(out: &mut String, results: &Results) {
    for workload in results.workloads() {
        _ = writeln!(
            out,
            "### {}\n\n| | per second | p50, µs | p99, µs | p99.9, µs | system calls per message | resident after, MiB | overtaking | load generator's CPU |",
            workload.title
        );
        _ = writeln!(out, "| --- |{}", " ---: |".repeat(8));
        for server in results.servers() {
            let median = |field| results.median(workload.key, server.name, field).map(|median| median.value);
            let overtaking =
                median("overtaking").zip(median("messages")).map(|(overtaking, all)| 100.0 * overtaking / all);
            _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                server.name,
                cell(median("per_second").map(|rate| format!("{rate:.0}"))),
                cell(median("p50_us").map(rounded)),
                cell(median("p99_us").map(rounded)),
                cell(median("p999_us").map(rounded)),
                cell(results.calls(workload.key, server.name).map(rounded)),
                cell(median("resident_after").map(|bytes| rounded(bytes / KIBIBYTE / KIBIBYTE))),
                cell(overtaking.map(|share| format!("{share:.0} %"))),
                cell(median("load_cpu").map(|share| format!("{:.0} %", 100.0 * share))),
            );
        }
        out.push('\n');
    }
}
