//! The versions of crates in `Cargo.lock`.

use std::fs;
use std::path::Path;

use driver::Result;

/// The text of the file.
pub(crate) struct Versions(String);

impl Versions {
    pub(crate) fn locked() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
        Ok(Self(fs::read_to_string(path)?))
    }

    /// A crate as `package` uses it: `tarpc 0.38.0`.
    pub(crate) fn of(&self, package: &str, name: &str) -> String {
        // A dependency says its version where the file has several of that name.
        let version = self
            .blocks(package)
            .flat_map(str::lines)
            .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","))
            .find_map(|dependency| dependency.strip_prefix(name)?.strip_prefix(' '))
            .or_else(|| self.blocks(name).find_map(version));
        format!("{name} {}", version.unwrap_or("?"))
    }

    fn blocks(&self, name: &str) -> impl Iterator<Item = &str> {
        let line = format!("name = \"{name}\"");
        self.0.split("[[package]]").filter(move |block| block.lines().any(|l| l == line))
    }
}

fn version(block: &str) -> Option<&str> {
    block.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_is_there_twice_is_the_one_that_the_package_names() {
        let locked = Versions(
            r#"
[[package]]
name = "bench-x"
version = "0.0.0"
dependencies = [
 "bincode 2.0.1",
 "tokio",
]

[[package]]
name = "bincode"
version = "1.3.3"

[[package]]
name = "bincode"
version = "2.0.1"

[[package]]
name = "tokio"
version = "1.54.1"
"#
            .into(),
        );
        assert_eq!(locked.of("bench-x", "bincode"), "bincode 2.0.1");
        assert_eq!(locked.of("bench-x", "tokio"), "tokio 1.54.1");
        assert_eq!(locked.of("bench-x", "missing"), "missing ?");
    }
}
