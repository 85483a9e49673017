//! The versions of crates in `Cargo.lock`.

use std::fs;
use std::path::Path;

use driver::Result;

pub(crate) struct Versions(String);

impl Versions {
    pub(crate) fn locked() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
        Ok(Self(fs::read_to_string(path)?))
    }

    /// `tarpc 0.38.0`. Of several versions, all are named.
    pub(crate) fn of(&self, name: &str) -> String {
        let start = format!("name = \"{name}\"");
        let mut lines = self.0.lines();
        let mut versions = Vec::new();
        while lines.any(|line| line == start) {
            let version = lines.next().and_then(|line| line.strip_prefix("version = "));
            versions.extend(version.map(|version| version.trim_matches('"')));
        }
        format!("{name} {}", versions.join("/"))
    }
}
