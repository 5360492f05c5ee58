//! The results as Markdown tables.

use crate::pair::Measured;
use crate::receivers::Receivers;
use crate::{Pace, Workload, receivers_title};
use std::fmt::Write;

/// The median of a figure, with the minimum and the maximum.
fn cell(measured: &[Measured], pair: &str, workload: Workload, figure: impl Fn(&Measured) -> f64) -> String {
    let of = measured.iter().filter(|measured| measured.pair == pair && measured.workload == workload);
    let mut values: Vec<_> = of.map(figure).collect();
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return "–".into() };
    format!("{} ({}–{})", rounded(values[values.len() / 2]), rounded(*least), rounded(*most))
}

/// Three digits.
fn rounded(value: f64) -> String {
    match value.abs() {
        value if value >= 99.95 => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Whether so many messages are sent that the idle time of A and Redis between them does not count.
fn is_cheap(room: usize) -> bool {
    Receivers::size(room) < 2
}

pub fn markdown(names: &[String], measured: &[Measured], about: &[(String, String)]) -> String {
    let mut out = String::new();
    for (pace, title) in
        [(Pace::Rate, "at a fixed rate"), (Pace::Windows, "as fast as it goes, a window of messages at a time")]
    {
        _ = writeln!(out, "## CPU time, µs: {title}\n");
        let clusters = &names[..names.len() - names.iter().filter(|name| name.ends_with("alone")).count()];
        table(&mut out, "an emit, A", clusters, measured, pace, is_cheap, |measured| measured.from);
        table(&mut out, "a message, B", clusters, measured, pace, is_cheap, |measured| measured.to);
        table(
            &mut out,
            "a delivery, B",
            names,
            measured,
            pace,
            |room| Receivers::size(room) > 0,
            |measured| measured.to / Receivers::size(measured.workload.room) as f64,
        );
        table(&mut out, "a message, Redis", clusters, measured, pace, is_cheap, |measured| measured.redis);
    }
    out.push_str("## Measured with\n\n");
    for (what, value) in about {
        _ = writeln!(out, "- {what}: {value}");
    }
    out
}

fn table(
    out: &mut String,
    title: &str,
    names: &[String],
    measured: &[Measured],
    pace: Pace,
    includes: impl Fn(usize) -> bool,
    figure: impl Fn(&Measured) -> f64,
) {
    _ = writeln!(out, "| {title} | {} |", names.join(" | "));
    _ = writeln!(out, "| --- |{}", " ---: |".repeat(names.len()));
    for workload in Workload::all().filter(|workload| workload.pace == pace && includes(workload.room)) {
        let amount = match pace {
            Pace::Rate => format!("{}/s", workload.rate()),
            Pace::Windows => format!("{} at once", workload.window()),
        };
        _ = write!(out, "| {} B, {}, {amount} |", workload.size, receivers_title(workload.room));
        for pair in names {
            _ = write!(out, " {} |", cell(measured, pair, workload, &figure));
        }
        out.push('\n');
    }
    out.push('\n');
}
