//! A contender that was built: one row of the tables.

use std::path::{Path, PathBuf};
use std::process::Command;

use driver::{Description, Kind, Result, Workload};
use serde::{Deserialize, Serialize};

use crate::package::{Package, Skip};
use crate::placement::Placement;
use crate::versions::Versions;

pub(crate) struct Contender {
    program: PathBuf,
    variant: Description,
    versions: Vec<String>,
}

/// What the results say of a contender.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) versions: Vec<String>,
    pub(crate) note: String,
}

impl Contender {
    pub(crate) fn name(&self) -> &str {
        &self.variant.name
    }

    pub(crate) fn can(&self, placement: Placement, workload: Workload) -> bool {
        let shares = self.variant.two_cores && placement == Placement::Same;
        !shares && self.variant.workloads.contains(&workload)
    }

    pub(crate) fn row(&self) -> Row {
        Row {
            name: self.variant.name.clone(),
            kind: self.variant.kind,
            versions: self.versions.clone(),
            note: self.variant.note.clone(),
        }
    }

    /// Its program as `server` or `client`.
    pub(crate) fn command(&self, role: &str, place: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args([role, &self.variant.name]).arg(place);
        command
    }
}

/// Builds the contenders that are wanted: all, when `only` is empty.
pub(crate) fn build(only: &[String]) -> Result<(Vec<Contender>, Vec<Skip>)> {
    let (mut contenders, mut skipped) = (Vec::new(), Vec::new());
    let locked = Versions::locked()?;
    for package in Package::all()?.into_iter().filter(|package| package.is_any_of(only)) {
        let program = match package.build() {
            Ok(program) => program,
            Err(skip) => {
                eprintln!("{skip}");
                skipped.push(skip);
                continue;
            }
        };
        let output = Command::new(&program).arg("describe").output()?;
        let variants: Vec<Description> = serde_json::from_slice(&output.stdout)?;
        contenders.extend(variants.into_iter().map(|variant| {
            let crates = variant.crates.iter().map(|name| locked.of(package.name(), name));
            let versions = crates.chain(variant.also.clone()).collect();
            Contender { program: program.clone(), variant, versions }
        }));
    }
    contenders.retain(|contender| is_wanted(contender.name(), only));
    contenders.sort_by_key(|contender| contender.variant.kind);
    if contenders.is_empty() {
        return Err("there is nobody to measure".into());
    }
    Ok((contenders, skipped))
}

/// By its whole name, or by words with which it begins.
fn is_wanted(name: &str, only: &[String]) -> bool {
    only.is_empty()
        || only.iter().any(|wanted| {
            name.strip_prefix(&**wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
}
