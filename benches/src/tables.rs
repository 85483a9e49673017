//! The tables that are made of the results.

use driver::Workload;

use crate::figure::Figure;
use crate::grid::Grid;
use crate::placement::Placement;
use crate::results::Results;
use crate::targets;

pub(crate) fn text(results: &Results) -> String {
    let mut text = String::new();
    for grid in grids(results) {
        text.push_str(&grid.text());
    }
    text.push_str(&format!("\nOn {}; {}.\n", results.machine, results.mode));
    for line in troubles(results) {
        text.push_str(&format!("{line}\n"));
    }
    text
}

pub(crate) fn markdown(results: &Results) -> String {
    let mut text = format!(
        "Measured on {}: {}; medians, in brackets the least and the most.\n",
        results.machine, results.mode
    );
    for grid in grids(results) {
        text.push_str(&grid.markdown());
    }
    for line in troubles(results) {
        text.push_str(&format!("\n{line}\n"));
    }
    text
}

/// Each workload by itself, then all of a placement at a glance, then who took part.
fn grids(results: &Results) -> Vec<Grid> {
    let mut grids = Vec::new();
    for (placement, workloads) in results.cells() {
        for workload in &workloads {
            grids.push(detail(results, placement, *workload));
        }
    }
    for (placement, workloads) in results.cells() {
        grids.push(overview(results, placement, &workloads));
    }
    grids.extend(targets::grid(results));
    grids.push(legend(results));
    grids
}

fn detail(results: &Results, placement: Placement, workload: Workload) -> Grid {
    let figures = Figure::of_workload(workload);
    let mut head = vec![String::new()];
    head.extend(figures.iter().map(|figure| figure.title().to_owned()));
    let rows = results.rows(placement).into_iter().filter_map(|row| {
        let cells: Vec<_> = figures
            .iter()
            .map(|figure| Some((*figure, results.spread(&row.name, placement, workload, *figure)?)))
            .collect();
        if cells.iter().all(Option::is_none) {
            return None;
        }
        let cell = |cell: Option<(Figure, _)>| {
            cell.map_or("–".into(), |(figure, spread)| figure.format_spread(spread))
        };
        Some(std::iter::once(row.name.clone()).chain(cells.into_iter().map(cell)).collect())
    });
    Grid {
        texts: 1,
        title: format!("{}, {}: {}", placement.title(), workload.id(), workload.title()),
        head,
        rows: rows.collect(),
    }
}

/// The main figure of each workload, and the CPU time of a call where calls are short.
fn overview(results: &Results, placement: Placement, workloads: &[Workload]) -> Grid {
    let columns: Vec<(Workload, Figure)> = workloads
        .iter()
        .flat_map(|workload| {
            let main = Figure::of_workload(*workload).first().copied();
            let cpu =
                matches!(workload, Workload::Latency | Workload::Pipelined).then_some(Figure::Cpu);
            main.into_iter().chain(cpu).map(|figure| (*workload, figure))
        })
        .collect();
    let mut head = vec![String::new()];
    head.extend(columns.iter().map(|(workload, figure)| {
        let unit = match figure {
            Figure::Cpu => "CPU µs",
            Figure::Rate => "/s",
            Figure::ServerMemory => "KiB",
            _ => figure.title(),
        };
        format!("{} {unit}", workload.id())
    }));
    let rows = results.rows(placement).into_iter().map(|row| {
        let cell = |(workload, figure): &(Workload, Figure)| {
            let median = results.median(&row.name, placement, *workload, *figure);
            median.map_or("–".into(), |median| figure.format(median))
        };
        std::iter::once(row.name.clone()).chain(columns.iter().map(cell)).collect()
    });
    Grid { texts: 1, title: format!("{}, medians", placement.title()), head, rows: rows.collect() }
}

fn legend(results: &Results) -> Grid {
    let rows = results
        .contenders
        .iter()
        .map(|row| vec![row.name.clone(), row.versions.join(", "), row.note.clone()]);
    Grid {
        title: "Who they are".into(),
        texts: 3,
        head: ["", "versions", "note"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

fn troubles(results: &Results) -> Vec<String> {
    let mut lines: Vec<_> = results.failures.iter().map(ToString::to_string).collect();
    lines.extend(results.skipped.iter().map(ToString::to_string));
    let busy = results.disturbed();
    if busy > 0.05 {
        lines.push(format!(
            "!!! Other programs had {:.0} % of the core: the figures of time are too high.",
            100.0 * busy
        ));
    }
    lines
}
