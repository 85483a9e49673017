//! What is measured, in which order, and how long.

use std::time::{Duration, Instant};

use driver::{Result, Workload};

use crate::arguments::Arguments;
use crate::contender::Contender;
use crate::placement::{Cores, Placement};
use crate::results::{Failure, Results, Sample};
use crate::round::{Places, Round};

pub(crate) struct Plan {
    full: bool,
    rounds: usize,
    warm_up: Duration,
    window: Duration,
    cells: Vec<(Placement, Workload)>,
    cores: Cores,
}

impl Plan {
    pub(crate) fn of(arguments: &Arguments) -> Result<Self> {
        let (rounds, warm_up, window) = if arguments.full { (5, 200, 1000) } else { (3, 50, 160) };
        let cores = Cores::allowed()?;
        let mut cells = Vec::new();
        for placement in wanted(Placement::ALL, &arguments.placements) {
            if cores.of(placement).is_none() {
                eprintln!("!!! SKIPPED placement {}: too few cores", placement.title());
                continue;
            }
            for workload in wanted(Workload::ALL, &arguments.workloads) {
                let asked = !arguments.workloads.is_empty();
                if arguments.full || asked || is_quick(placement, workload) {
                    cells.push((placement, workload));
                }
            }
        }
        // Where the processes run makes no difference to memory.
        let idle = |cell: &(Placement, Workload)| cell.1 == Workload::Idle;
        if let Some(first) = cells.iter().find(|cell| idle(cell)).copied() {
            cells.retain(|cell| !idle(cell) || *cell == first);
        }
        Ok(Self {
            full: arguments.full,
            rounds: arguments.rounds.unwrap_or(rounds),
            warm_up: Duration::from_millis(warm_up),
            window: arguments.window.unwrap_or(Duration::from_millis(window)),
            cells,
            cores,
        })
    }

    /// In words.
    pub(crate) fn mode(&self) -> String {
        format!(
            "{} round{} of {} ms after {} ms to warm up",
            self.rounds,
            if self.rounds == 1 { "" } else { "s" },
            self.window.as_millis(),
            self.warm_up.as_millis()
        )
    }

    /// A round goes through all workloads and, in each, through all contenders: those that are
    /// compared run within seconds of each other, and each round begins with another one.
    pub(crate) fn run(&self, contenders: &[Contender], results: &mut Results) -> Result<()> {
        let mut places = Places::new()?;
        let start = Instant::now();
        for round in 0..self.rounds {
            for &(placement, workload) in &self.cells {
                if workload == Workload::Idle && round > 0 && !self.full {
                    continue;
                }
                eprintln!(
                    "{:4} s: round {} of {}, {}, {}: {}",
                    start.elapsed().as_secs(),
                    round + 1,
                    self.rounds,
                    placement.title(),
                    workload.id(),
                    workload.title()
                );
                let can = |contender: &&Contender| contender.can(placement, workload);
                let mut able: Vec<_> = contenders.iter().filter(can).collect();
                if !able.is_empty() {
                    let shift = round % able.len();
                    able.rotate_left(shift);
                }
                for contender in able {
                    self.measure(contender, placement, workload, round, &mut places, results);
                }
            }
        }
        Ok(())
    }

    fn measure(
        &self,
        contender: &Contender,
        placement: Placement,
        workload: Workload,
        round: usize,
        places: &mut Places,
        results: &mut Results,
    ) {
        let Some(cores) = self.cores.of(placement) else { return };
        let Self { warm_up, window, .. } = *self;
        let name = contender.name().to_owned();
        match (Round { workload, cores, warm_up, window }).run(contender, places) {
            Ok((client, server)) => results.samples.push(Sample {
                contender: name,
                placement,
                workload,
                round,
                client,
                server,
            }),
            Err(error) => {
                let failure = Failure {
                    contender: name,
                    placement,
                    workload,
                    round,
                    error: error.to_string(),
                };
                eprintln!("{failure}");
                results.failures.push(failure);
            }
        }
    }
}

/// Off one core, waking a core that is idle is most of what there is to measure: the quick run looks
/// at calls there, and at nothing else.
fn is_quick(placement: Placement, workload: Workload) -> bool {
    placement == Placement::Same
        || matches!(workload, Workload::Latency | Workload::Pipelined | Workload::Connections)
}

fn wanted<T: Copy + PartialEq>(all: &[T], asked: &[T]) -> Vec<T> {
    all.iter().copied().filter(|one| asked.is_empty() || asked.contains(one)).collect()
}
