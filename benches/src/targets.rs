//! What dip is to reach, as ratios within one run.

use driver::Workload::{self, Body1M, Body64K, Connections, Idle, Latency, OneWay, Pipelined};

use crate::figure::Figure::{self, Bandwidth, Cpu, P50, P99, Rate, ServerMemory};
use crate::grid::Grid;
use crate::placement::Placement::{self, Free, Same, Two};
use crate::results::Results;

/// dip's figure, divided by that of the best of `others`; by nothing, where there are none.
struct Target {
    placement: Placement,
    workload: Workload,
    figure: Figure,
    dip: &'static [&'static str],
    others: &'static [&'static str],
    must: f64,
    aim: f64,
}

const DIP: &[&str] = &["dip ct", "dip mt"];
const CALLERS: &[&str] = &["zlink", "tarpc", "ttrpc", "zbus", "capnp-rpc", "tonic"];
/// The package that dip began with.
const SEED: &[&str] = &["deepfos-ipc"];
const CLASSIC: &[&str] = &["dip classic"];

#[rustfmt::skip]
const TARGETS: &[Target] = &[
    Target { placement: Same, workload: Latency, figure: P50, dip: DIP, others: &["tokio"], must: 0.95, aim: 0.80 },
    Target { placement: Same, workload: Latency, figure: P50, dip: &["dip blocking"], others: &["tokio"], must: 0.85, aim: 0.75 },
    Target { placement: Same, workload: Latency, figure: P50, dip: DIP, others: CALLERS, must: 0.70, aim: 0.55 },
    Target { placement: Two, workload: Latency, figure: P50, dip: &["dip spin"], others: &["tokio"], must: 0.25, aim: 0.20 },
    Target { placement: Same, workload: Pipelined, figure: Rate, dip: DIP, others: &["tokio typed"], must: 0.45, aim: 0.60 },
    Target { placement: Same, workload: Pipelined, figure: Rate, dip: DIP, others: &["tarpc"], must: 5.0, aim: 7.0 },
    Target { placement: Same, workload: Pipelined, figure: Rate, dip: DIP, others: &["zeromq"], must: 2.3, aim: 3.0 },
    Target { placement: Same, workload: Pipelined, figure: Rate, dip: DIP, others: &["tonic"], must: 25.0, aim: 35.0 },
    Target { placement: Same, workload: Pipelined, figure: Cpu, dip: DIP, others: &["tarpc"], must: 0.20, aim: 0.15 },
    Target { placement: Same, workload: Connections, figure: Rate, dip: DIP, others: &["tokio typed"], must: 0.50, aim: 0.65 },
    Target { placement: Same, workload: Connections, figure: Rate, dip: DIP, others: &["tarpc"], must: 3.5, aim: 4.5 },
    Target { placement: Same, workload: Connections, figure: Rate, dip: DIP, others: &["zeromq"], must: 2.0, aim: 2.5 },
    Target { placement: Same, workload: Connections, figure: P99, dip: DIP, others: &["tarpc"], must: 0.50, aim: 0.35 },
    Target { placement: Free, workload: Pipelined, figure: Rate, dip: DIP, others: &["tarpc"], must: 2.5, aim: 3.4 },
    Target { placement: Free, workload: Connections, figure: Rate, dip: DIP, others: &["tarpc"], must: 2.5, aim: 3.4 },
    Target { placement: Same, workload: Latency, figure: P50, dip: &["dip mt"], others: &["dip ct"], must: 1.15, aim: 1.08 },
    Target { placement: Same, workload: Pipelined, figure: Rate, dip: &["dip mt"], others: &["dip ct"], must: 0.85, aim: 0.90 },
    Target { placement: Same, workload: Body64K, figure: Bandwidth, dip: DIP, others: &["tokio"], must: 0.92, aim: 0.98 },
    Target { placement: Same, workload: Body1M, figure: Bandwidth, dip: DIP, others: &["tokio"], must: 0.92, aim: 0.98 },
    Target { placement: Same, workload: Body1M, figure: Bandwidth, dip: DIP, others: &["tarpc"], must: 3.5, aim: 4.0 },
    Target { placement: Same, workload: OneWay, figure: Rate, dip: DIP, others: &["tokio typed"], must: 0.60, aim: 0.80 },
    Target { placement: Same, workload: OneWay, figure: Rate, dip: DIP, others: &["zeromq"], must: 4.0, aim: 5.0 },
    Target { placement: Same, workload: OneWay, figure: Rate, dip: DIP, others: &["iceoryx2"], must: 3.0, aim: 3.9 },
    Target { placement: Same, workload: Idle, figure: ServerMemory, dip: DIP, others: &[], must: 8.0, aim: 3.0 },
    Target { placement: Same, workload: Latency, figure: P50, dip: CLASSIC, others: DIP, must: 1.05, aim: 1.0 },
    Target { placement: Same, workload: Latency, figure: P50, dip: DIP, others: SEED, must: 1.0 / 14.0, aim: 1.0 / 20.0 },
    Target { placement: Same, workload: Pipelined, figure: Rate, dip: DIP, others: SEED, must: 150.0, aim: 250.0 },
    Target { placement: Same, workload: Connections, figure: Rate, dip: DIP, others: SEED, must: 60.0, aim: 90.0 },
    Target { placement: Same, workload: Body1M, figure: Bandwidth, dip: DIP, others: SEED, must: 10.0, aim: 13.0 },
    Target { placement: Same, workload: Latency, figure: P50, dip: &["python → dip"], others: &["deepfos-ipc"], must: 1.0, aim: 0.95 },
];

/// Those of which both sides were measured.
pub(crate) fn grid(results: &Results) -> Option<Grid> {
    let rows: Vec<_> = TARGETS.iter().filter_map(|target| target.row(results)).collect();
    (!rows.is_empty()).then(|| Grid {
        title: "What dip is to reach".into(),
        texts: 1,
        head: ["", "is", "must", "aim", ""].map(str::to_owned).to_vec(),
        rows,
    })
}

impl Target {
    fn row(&self, results: &Results) -> Option<Vec<String>> {
        let ours = self.best(results, self.dip)?;
        let ratio =
            if self.others.is_empty() { ours } else { ours / self.best(results, self.others)? };
        let (sign, keeps): (_, fn(f64, f64) -> bool) = if self.figure.higher_is_better() {
            ("≥", |is, bound| is >= bound)
        } else {
            ("≤", |is, bound| is <= bound)
        };
        let verdict = match (keeps(ratio, self.must), keeps(ratio, self.aim)) {
            (_, true) => "aim",
            (true, false) => "must",
            (false, false) => "missed",
        };
        let mut what = format!(
            "{} {}, {}: {}",
            self.workload.id(),
            self.figure.title(),
            self.placement.title(),
            self.dip.join(" / ")
        );
        if !self.others.is_empty() {
            what.push_str(&format!(", of {}", self.others.join(", ")));
        }
        let number = |value: f64| format!("{value:.2}");
        let [must, aim] = [self.must, self.aim].map(|bound| format!("{sign} {}", number(bound)));
        Some(vec![what, number(ratio), must, aim, verdict.to_owned()])
    }

    /// Of the rows that are called so, or so and something more where no row is called just so.
    fn best(&self, results: &Results, names: &[&str]) -> Option<f64> {
        let all = || results.contenders.iter().map(|row| &*row.name);
        let is_of = |row: &str, name: &str| {
            let exact = all().any(|other| other == name);
            row == name
                || !exact && row.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '))
        };
        all()
            .filter(|row| names.iter().any(|name| is_of(row, name)))
            .filter_map(|row| results.median(row, self.placement, self.workload, self.figure))
            .reduce(if self.figure.higher_is_better() { f64::max } else { f64::min })
    }
}
