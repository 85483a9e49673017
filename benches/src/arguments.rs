//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use driver::{Result, Workload};
use lexopt::prelude::*;

use crate::placement::Placement;

pub(crate) const HELP: &str = "\
dip beside its peers. Builds each contender, runs server and client in processes of their own, prints
tables, writes JSON.

  cargo run --release -- [--quick | --full] [OPTIONS]

  --quick                 about 5 minutes, once all is built; also without saying so
  --full                  long windows, more rounds, every workload in every placement
  --only NAMES            these contenders: dip,tarpc or 'dip ct',std
  --workload NAMES        these workloads: w1,w2,w3,w4,w5,w6,w7 (w4 is w4-64k,w4-1m)
  --placement NAMES       these placements: same,two,free
  --rounds NUMBER         how often each is measured
  --window MILLISECONDS   how long each time
  --json PATH             where the results go: target/results.json unless said otherwise
  --markdown PATH         writes the tables as markdown
  --svg PATH              draws the chart
  --from PATH             shows results that were measured before";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) full: bool,
    pub(crate) only: Vec<String>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) placements: Vec<Placement>,
    pub(crate) rounds: Option<usize>,
    pub(crate) window: Option<Duration>,
    pub(crate) json: PathBuf,
    pub(crate) markdown: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) from: Option<PathBuf>,
}

impl Arguments {
    /// `None` when help was asked for.
    pub(crate) fn read() -> Result<Option<Self>> {
        let mut arguments = Self {
            full: false,
            only: Vec::new(),
            workloads: Vec::new(),
            placements: Vec::new(),
            rounds: None,
            window: None,
            json: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/results.json")),
            markdown: None,
            svg: None,
            from: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("quick") => arguments.full = false,
                Long("full") => arguments.full = true,
                Long("only") => arguments.only.extend(list(parser.value()?)?),
                Long("workload") => {
                    for name in list(parser.value()?)? {
                        arguments.workloads.extend(workloads(&name)?);
                    }
                }
                Long("placement") => {
                    for name in list(parser.value()?)? {
                        arguments.placements.push(name.parse()?);
                    }
                }
                Long("rounds") => arguments.rounds = Some(parser.value()?.parse()?),
                Long("window") => {
                    arguments.window = Some(Duration::from_millis(parser.value()?.parse()?));
                }
                Long("json") => arguments.json = parser.value()?.into(),
                Long("markdown") => arguments.markdown = Some(parser.value()?.into()),
                Long("svg") => arguments.svg = Some(parser.value()?.into()),
                Long("from") => arguments.from = Some(parser.value()?.into()),
                Short('h') | Long("help") => return Ok(None),
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(Some(arguments))
    }
}

fn list(value: std::ffi::OsString) -> Result<Vec<String>> {
    Ok(value.string()?.split(',').map(|name| name.trim().to_owned()).collect())
}

fn workloads(name: &str) -> Result<Vec<Workload>> {
    if name == "w4" {
        return Ok(vec![Workload::Body64K, Workload::Body1M]);
    }
    Ok(vec![Workload::from_id(name).ok_or_else(|| format!("no workload is called {name}"))?])
}
