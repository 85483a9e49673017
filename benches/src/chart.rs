//! The chart: who is how fast, in two panels.

use std::fmt::Write;

use driver::{Kind, Workload};

use crate::figure::Figure;
use crate::placement::Placement;
use crate::results::Results;

const WIDTH: f64 = 760.0;
const LABEL: f64 = 150.0;
const VALUE: f64 = 80.0;
const ROW: f64 = 22.0;
const BAR: f64 = 14.0;

struct Panel {
    title: &'static str,
    hint: &'static str,
    workload: Workload,
    figure: Figure,
}

const PANELS: &[Panel] = &[
    Panel {
        title: "One call at a time: microseconds for each",
        hint: "shorter is better",
        workload: Workload::Latency,
        figure: Figure::P50,
    },
    Panel {
        title: "64 calls in flight on one connection: calls a second",
        hint: "longer is better",
        workload: Workload::Pipelined,
        figure: Figure::Rate,
    },
];

struct Bar {
    name: String,
    kind: Kind,
    value: f64,
}

/// Both processes on one core, since that is the length of the path. Of each contender the better
/// variant is shown, of the limits those that can be compared: raw tokio for one call, bincode in
/// batches for many.
pub(crate) fn svg(results: &Results) -> String {
    let mut body = String::new();
    let mut y = 8.0;
    for panel in PANELS {
        let bars = bars(results, panel);
        if bars.is_empty() {
            continue;
        }
        y += 18.0;
        let _ = writeln!(
            body,
            r#"<text x="0" y="{y}" class="title">{} <tspan class="hint">{}</tspan></text>"#,
            panel.title, panel.hint
        );
        y += 12.0;
        let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        for bar in &bars {
            draw(&mut body, bar, y, most, &panel.figure.format(bar.value));
            y += ROW;
        }
        y += 8.0;
    }
    y += 14.0;
    let _ = writeln!(
        body,
        r#"<text x="0" y="{y}" class="hint">64 bytes both ways, client and server on one core of {}.</text>"#,
        escape(&results.machine)
    );
    let height = y + 8.0;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13">
<style>
text {{ fill: #3d444d }} .title {{ font-weight: 600 }} .hint {{ fill: #768390; font-weight: 400; font-size: 12px }}
.dip {{ fill: #e8590c }} .peer {{ fill: #8c98a4 }} .limit {{ fill: none; stroke: #8c98a4; stroke-dasharray: 3 2 }}
.strong {{ font-weight: 600 }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #d1d7e0 }} .hint {{ fill: #9198a1 }} }}
</style>
{body}</svg>
"#
    )
}

fn draw(body: &mut String, bar: &Bar, y: f64, most: f64, value: &str) {
    let (class, weight) = match bar.kind {
        Kind::Limit => ("limit", ""),
        Kind::Dip => ("dip", " class=\"strong\""),
        Kind::Peer => ("peer", ""),
    };
    let length = (bar.value / most * (WIDTH - LABEL - VALUE)).max(1.0);
    let (text, end) = (y + 11.5, LABEL - 8.0);
    let _ = writeln!(
        body,
        r#"<text x="{end}" y="{text}" text-anchor="end"{weight}>{}</text><rect x="{LABEL}" y="{y}" width="{length:.1}" height="{BAR}" rx="2" class="{class}"/><text x="{:.1}" y="{text}"{weight}>{value}</text>"#,
        escape(&bar.name),
        LABEL + length + 6.0,
    );
}

/// From the best to the worst.
fn bars(results: &Results, panel: &Panel) -> Vec<Bar> {
    let better = |a: f64, b: f64| if panel.figure.higher_is_better() { a > b } else { a < b };
    let mut bars: Vec<Bar> = Vec::new();
    for row in &results.contenders {
        let value = results.median(&row.name, Placement::Same, panel.workload, panel.figure);
        let Some(value) = value else { continue };
        let name = match (row.kind, &*row.name, panel.workload) {
            (Kind::Limit, "tokio", Workload::Latency) => "raw tokio".to_owned(),
            (Kind::Limit, "tokio typed", Workload::Pipelined) => "limit, with bincode".to_owned(),
            (Kind::Limit, ..) => continue,
            // Nothing comes back there but an acknowledgement.
            (_, name, _) if name.ends_with(" classic") => continue,
            (_, "deepfos-ipc" | "python → dip", _) => continue,
            (_, name, _) => {
                let name = name.strip_suffix(" ct").or(name.strip_suffix(" mt")).unwrap_or(name);
                name.to_owned()
            }
        };
        match bars.iter_mut().find(|bar| bar.name == name) {
            Some(bar) if better(value, bar.value) => bar.value = value,
            Some(_) => {}
            None => bars.push(Bar { name, kind: row.kind, value }),
        }
    }
    bars.sort_by(|a, b| {
        let order = a.value.total_cmp(&b.value);
        if panel.figure.higher_is_better() { order.reverse() } else { order }
    });
    bars
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
