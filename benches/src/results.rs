//! What was measured.

use std::fmt;

use driver::{Kind, Measurement, Result, Usage, Workload};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::contender::Row;
use crate::figure::Figure;
use crate::package::Skip;
use crate::placement::Placement;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: String,
    pub(crate) mode: String,
    pub(crate) contenders: Vec<Row>,
    pub(crate) skipped: Vec<Skip>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) samples: Vec<Sample>,
}

/// One contender, once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) contender: String,
    pub(crate) placement: Placement,
    pub(crate) workload: Workload,
    pub(crate) round: usize,
    pub(crate) client: Measurement,
    pub(crate) server: Usage,
}

/// One that did not come to its end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) contender: String,
    pub(crate) placement: Placement,
    pub(crate) workload: Workload,
    pub(crate) round: usize,
    pub(crate) error: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { contender, placement, workload, round, error } = self;
        let (placement, workload) = (placement.title(), workload.id());
        write!(f, "!!! FAILED {contender}, {placement}, {workload}, round {}: {error}", round + 1)
    }
}

/// The median of the rounds, and the least and the most of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Results {
    /// One figure of a row.
    pub(crate) fn spread(
        &self,
        contender: &str,
        placement: Placement,
        workload: Workload,
        figure: Figure,
    ) -> Option<Spread> {
        let mut values: Vec<_> = self
            .samples
            .iter()
            .filter(|sample| sample.contender == contender)
            .filter(|sample| sample.placement == placement && sample.workload == workload)
            .filter_map(|sample| figure.of(sample))
            .collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Spread { median, min, max })
    }

    /// The median of one figure.
    pub(crate) fn median(
        &self,
        contender: &str,
        placement: Placement,
        workload: Workload,
        figure: Figure,
    ) -> Option<f64> {
        Some(self.spread(contender, placement, workload, figure)?.median)
    }

    /// Which share of a core that was to be the two processes' others had, in the median: with both
    /// on one core, one of them always has something to do when calls are small.
    pub(crate) fn disturbed(&self) -> f64 {
        let small = [Workload::Latency, Workload::Pipelined, Workload::Connections];
        let mut shares: Vec<_> = self
            .samples
            .iter()
            .filter(|sample| sample.placement == Placement::Same)
            .filter(|sample| small.contains(&sample.workload))
            .map(|sample| {
                let used = sample.client.client.cpu() + sample.server.cpu();
                1.0 - used as f64 / 1e6 / sample.client.seconds
            })
            .collect();
        shares.sort_by(f64::total_cmp);
        shares.get(shares.len() / 2).copied().unwrap_or_default()
    }

    /// Placements with the workloads that were run in them.
    pub(crate) fn cells(&self) -> Vec<(Placement, Vec<Workload>)> {
        let mut cells: Vec<_> =
            self.samples.iter().map(|sample| (sample.placement, sample.workload)).collect();
        cells.sort();
        cells.dedup();
        let of = |placement: &Placement| {
            let here = cells.iter().filter(|cell| cell.0 == *placement);
            (*placement, here.map(|cell| cell.1).collect::<Vec<_>>())
        };
        Placement::ALL.iter().map(of).filter(|(_, workloads)| !workloads.is_empty()).collect()
    }

    /// The rows in the order in which they are shown: limits, dip, and the peers from the fastest
    /// call to the slowest.
    pub(crate) fn rows(&self, placement: Placement) -> Vec<&Row> {
        let mut rows: Vec<_> = self.contenders.iter().collect();
        rows.sort_by(|a, b| {
            let key = |row: &Row| match row.kind {
                Kind::Peer => self
                    .median(&row.name, placement, Workload::Latency, Figure::P50)
                    .unwrap_or(f64::INFINITY),
                Kind::Limit | Kind::Dip => 0.0,
            };
            a.kind.cmp(&b.kind).then(key(a).total_cmp(&key(b)))
        });
        rows
    }

    /// All of it, and the spreads, for programs that read it.
    pub(crate) fn to_json(&self) -> Result<String> {
        let mut spreads = Vec::new();
        for (placement, workloads) in self.cells() {
            for workload in workloads {
                for row in &self.contenders {
                    for figure in Figure::of_workload(workload) {
                        let spread = self.spread(&row.name, placement, workload, *figure);
                        if let Some(spread) = spread {
                            spreads.push(json!({
                                "contender": row.name,
                                "placement": placement,
                                "workload": workload,
                                "figure": figure.title(),
                                "spread": spread,
                            }));
                        }
                    }
                }
            }
        }
        let mut value = serde_json::to_value(self)?;
        value["spreads"] = spreads.into();
        Ok(serde_json::to_string_pretty(&value)?)
    }
}
