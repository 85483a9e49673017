//! The packages of the contenders: every folder in `contenders/`.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use driver::Result;
use serde::{Deserialize, Serialize};

/// One contender that is not measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Skip {
    name: String,
    why: String,
    remedy: Option<String>,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "!!! SKIPPED {}: {}", self.name, self.why)?;
        match &self.remedy {
            Some(remedy) => write!(f, ". Install it: {remedy}"),
            None => Ok(()),
        }
    }
}

/// A package, as `cargo metadata` tells of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    name: String,
    manifest_path: PathBuf,
    #[serde(default)]
    metadata: Option<BTreeMap<String, Metadata>>,
}

/// `[package.metadata.bench]`.
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    /// How its rows begin, where that is not the package's name without `bench-`.
    names: Option<Vec<String>>,
    /// The programs that it needs to build or to run.
    #[serde(default)]
    needs: Vec<Need>,
}

#[derive(Debug, Deserialize)]
struct Need {
    /// A program on the `PATH`, or a file: a path is one below `benches/` unless it is absolute.
    program: PathBuf,
    /// The command that installs it.
    install: String,
}

impl Package {
    /// All of them.
    pub(crate) fn all() -> Result<Vec<Self>> {
        #[derive(Deserialize)]
        struct Workspace {
            packages: Vec<Package>,
        }
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
            .arg(manifest())
            .stderr(Stdio::inherit())
            .output()?;
        let workspace: Workspace = serde_json::from_slice(&output.stdout)?;
        let is_contender =
            |package: &Package| package.manifest_path.iter().any(|part| part == "contenders");
        Ok(workspace.packages.into_iter().filter(is_contender).collect())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether rows are wanted whose names begin so.
    pub(crate) fn is_any_of(&self, only: &[String]) -> bool {
        let own = [self.name.trim_start_matches("bench-").to_owned()];
        let names = self.bench().and_then(|bench| bench.names.as_deref()).unwrap_or(&own);
        only.is_empty()
            || only.iter().any(|wanted| {
                names.iter().any(|name| wanted.split_whitespace().next() == Some(name))
            })
    }

    /// Builds it; the path of its program.
    pub(crate) fn build(&self) -> Result<PathBuf, Skip> {
        let skip = |why: String, remedy| Skip { name: self.name.clone(), why, remedy };
        for need in self.bench().map(|bench| &*bench.needs).unwrap_or_default() {
            if !is_there(&need.program) {
                let why = format!("there is no {}", need.program.display());
                return Err(skip(why, Some(need.install.clone())));
            }
        }
        eprintln!("building {}", self.name);
        self.compile().map_err(|error| skip(error.to_string(), None))
    }

    fn compile(&self) -> Result<PathBuf> {
        #[derive(Deserialize)]
        struct Message {
            executable: Option<PathBuf>,
        }
        let output = cargo()
            .args(["build", "--release", "--quiet", "--message-format=json-render-diagnostics"])
            .args(["-p", &self.name, "--manifest-path"])
            .arg(manifest())
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err("it does not build; see above".into());
        }
        let mut program = None;
        for line in String::from_utf8(output.stdout)?.lines() {
            let message: Message = serde_json::from_str(line)?;
            program = message.executable.or(program);
        }
        program.ok_or_else(|| "it has no program".into())
    }

    fn bench(&self) -> Option<&Metadata> {
        self.metadata.as_ref()?.get("bench")
    }
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

fn manifest() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
}

fn is_there(program: &Path) -> bool {
    if program.components().nth(1).is_some() {
        return Path::new(env!("CARGO_MANIFEST_DIR")).join(program).exists();
    }
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|directory| directory.join(program).is_file())
}
