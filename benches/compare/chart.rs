//! The results as a bar chart: a panel per metric, a bar per server.

use crate::results::{Median, Results, rounded};
use crate::servers::{FLOOR, Server};
use std::fmt::Write;

const WIDTH: usize = 1040;
const PANEL: usize = WIDTH / 2;
const BAR: usize = 20;
const NAMES: usize = 170;
const VALUES: usize = 70;
const TEXT_COLOUR: &str = "#334155";

struct Panel {
    title: String,
    bars: Vec<(&'static Server, Median)>,
}

fn panels(results: &Results) -> Vec<Panel> {
    let panel = |title: String, workload: &str, field: &str, scale: f64| Panel {
        title,
        bars: results
            .servers()
            .filter_map(|server| Some((server, results.median(workload, server.name, field)?.scaled(scale))))
            .collect(),
    };
    let mut panels: Vec<_> = results
        .workloads()
        .map(|workload| panel(format!("{}: CPU, µs", workload.title), workload.key, "cpu_us", 1.0))
        .collect();
    for workload in results.workloads() {
        if let Some(title) = workload.idle {
            panels.push(panel(format!("{title}: memory, KiB"), workload.key, "resident_each", 1.0 / 1024.0));
        }
    }
    panels
}

fn colour(server: &Server) -> &'static str {
    match server {
        Server { own: true, .. } => "#c2410c",
        Server { name: FLOOR, .. } => "#475569",
        _ => "#94a3b8",
    }
}

/// Draws the chart as an SVG document.
pub fn svg(results: &Results) -> String {
    let panels = panels(results);
    let rows = panels.iter().map(|panel| panel.bars.len()).max().unwrap_or_default();
    let panel_height = rows * BAR + 56;
    let height = panels.len().div_ceil(2) * panel_height + 50;
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="28" font-size="16" font-weight="600" fill="#0f172a">What each server spends per message; lower is better</text>
"##
    );
    for (number, panel) in panels.iter().enumerate() {
        draw(&mut out, panel, number % 2 * PANEL + 16, number / 2 * panel_height + 62);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, panel: &Panel, left: usize, top: usize) {
    let most = panel.bars.iter().map(|(_, median)| median.value).fold(f64::MIN_POSITIVE, f64::max);
    let room = (PANEL - NAMES - VALUES - 32) as f64;
    _ = writeln!(out, r##"<text x="{left}" y="{top}" font-weight="600" fill="#0f172a">{}</text>"##, panel.title);
    for (number, (server, median)) in panel.bars.iter().enumerate() {
        let y = top + 10 + number * BAR;
        let (bar_left, width, middle) = (left + NAMES, (median.value.max(0.0) / most * room).max(1.0), y + 13);
        let text_colour = if server.own { colour(server) } else { TEXT_COLOUR };
        _ = writeln!(
            out,
            r##"<text x="{}" y="{middle}" text-anchor="end" fill="{text_colour}">{}</text>
<rect x="{bar_left}" y="{}" width="{width:.1}" height="{}" rx="2" fill="{}"/>
<text x="{:.1}" y="{middle}" fill="{TEXT_COLOUR}">{}</text>"##,
            bar_left - 8,
            server.name,
            y + 3,
            BAR - 6,
            colour(server),
            bar_left as f64 + width + 6.0,
            rounded(median.value),
        );
    }
}
