//! The results as a picture: a panel for each figure, a bar for each server.

use crate::results::{Median, Results, rounded};
use crate::servers::{Contestant, FLOOR};
use std::fmt::Write;

const WIDTH: usize = 1040;
const PANEL: usize = WIDTH / 2;
const BAR: usize = 20;
const NAMES: usize = 170;
const VALUES: usize = 70;
const INK: &str = "#334155";

struct Panel {
    title: String,
    bars: Vec<(&'static Contestant, Median)>,
}

fn panels(results: &Results) -> Vec<Panel> {
    let panel = |title: String, work: &str, field: &str, scale: f64| Panel {
        title,
        bars: results
            .contestants()
            .filter_map(|contestant| Some((contestant, results.median(work, contestant.name, field)?.scaled(scale))))
            .collect(),
    };
    let mut panels: Vec<_> =
        results.works().map(|work| panel(format!("{}: CPU, µs", work.title), work.key, "cpu_us", 1.0)).collect();
    for work in results.works() {
        if let Some(title) = work.idle {
            panels.push(panel(format!("{title}: memory, KiB"), work.key, "resident_each", 1.0 / 1024.0));
        }
    }
    panels
}

fn colour(contestant: &Contestant) -> &'static str {
    match contestant {
        Contestant { own: true, .. } => "#c2410c",
        Contestant { name: FLOOR, .. } => "#475569",
        _ => "#94a3b8",
    }
}

/// An SVG document.
pub fn svg(results: &Results) -> String {
    let panels = panels(results);
    let rows = panels.iter().map(|panel| panel.bars.len()).max().unwrap_or_default();
    let panel_height = rows * BAR + 56;
    let height = panels.len().div_ceil(2) * panel_height + 50;
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="28" font-size="16" font-weight="600" fill="#0f172a">What each server spends per message; shorter is better</text>
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
    for (number, (contestant, median)) in panel.bars.iter().enumerate() {
        let y = top + 10 + number * BAR;
        let (bar_left, width, middle) = (left + NAMES, (median.value.max(0.0) / most * room).max(1.0), y + 13);
        let ink = if contestant.own { colour(contestant) } else { INK };
        _ = writeln!(
            out,
            r##"<text x="{}" y="{middle}" text-anchor="end" fill="{ink}">{}</text>
<rect x="{bar_left}" y="{}" width="{width:.1}" height="{}" rx="2" fill="{}"/>
<text x="{:.1}" y="{middle}" fill="{INK}">{}</text>"##,
            bar_left - 8,
            contestant.name,
            y + 3,
            BAR - 6,
            colour(contestant),
            bar_left as f64 + width + 6.0,
            rounded(median.value),
        );
    }
}
