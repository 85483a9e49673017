//! One way to use a contender.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::contender::{Contender, Result};
use crate::line::Description;
use crate::measure::{self, Job};
use crate::program::{Ready, Talk};
use crate::runtime::{Executor, Runtime};

/// What a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What the system can do without any library.
    Limit,
    /// dip.
    Dip,
    /// What one could take instead.
    Peer,
}

/// One way to use a contender: a row of the table.
#[derive(Clone, Debug)]
pub struct Variant {
    name: &'static str,
    kind: Kind,
    note: &'static str,
    two_cores: bool,
    crates: &'static [&'static str],
    also: Option<String>,
    server: Runtime,
    client: Runtime,
    workloads: &'static [crate::Workload],
    serve: fn(&Executor, &Path, Ready) -> Result<()>,
    measure: fn(&Executor, &Path, Job, &mut Talk) -> Result<()>,
}

impl Variant {
    /// `C`, with both sides on that runtime. The name is unique among all contenders.
    pub fn of<C: Contender>(name: &'static str, runtime: Runtime) -> Self {
        Self {
            name,
            kind: Kind::Peer,
            note: "",
            two_cores: false,
            crates: &[],
            also: None,
            server: runtime,
            client: runtime,
            workloads: C::WORKLOADS,
            serve: |executor, place, ready| {
                let place = place.to_owned();
                executor.one(async move { C::serve(&place, ready).await })
            },
            measure: measure::run::<C>,
        }
    }

    /// The server on another runtime.
    pub fn server(mut self, runtime: Runtime) -> Self {
        self.server = runtime;
        self
    }

    /// What the row is for: a [`Kind::Peer`] unless said otherwise.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The crates whose versions are shown, as `Cargo.lock` has them.
    pub fn crates(mut self, crates: &'static [&'static str]) -> Self {
        self.crates = crates;
        self
    }

    /// What else has a version, such as a library in C: its name and version.
    pub fn also(mut self, version: impl Into<String>) -> Self {
        self.also = Some(version.into());
        self
    }

    /// What a reader must know to read its figures.
    pub fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    /// It keeps a core busy, and is not measured where both sides share one.
    pub fn on_two_cores(mut self) -> Self {
        self.two_cores = true;
        self
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn serve(&self, place: &Path, ready: Ready) -> Result<()> {
        (self.serve)(&Executor::new(self.server)?, place, ready)
    }

    pub(crate) fn measure(&self, place: &Path, job: Job, talk: &mut Talk) -> Result<()> {
        (self.measure)(&Executor::new(self.client)?, place, job, talk)
    }
}

pub(crate) fn describe(variants: &[Variant]) -> Vec<Description> {
    variants
        .iter()
        .map(|variant| Description {
            name: variant.name.to_owned(),
            kind: variant.kind,
            note: variant.note.to_owned(),
            two_cores: variant.two_cores,
            crates: variant.crates.iter().map(|name| (*name).to_owned()).collect(),
            also: variant.also.clone(),
            workloads: variant.workloads.to_vec(),
        })
        .collect()
}
