//! Imports go one way: down the list of modules, in the order in which a message passes.

use std::collections::BTreeSet;
use std::path::Path;

/// A module may know those above it.
const MODULES: &[&str] = &[
    "process",
    "buffer",
    "mtype",
    "wire",
    "schema",
    "codec",
    "value",
    "limits",
    "reply",
    "protocol",
    "transport",
    "error",
    "session",
    "link",
    "call",
    "peer",
    "context",
    "handler",
    "builtin",
    "registry",
    "service",
    "dispatch",
    "connection",
    "server",
    "pool",
    "client",
    "blocking",
    "cli",
];

/// What knows more than its place says, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    // JSON and pickle pass through the dynamic value; its errors are those of the codecs.
    ("codec/json", "value"),
    ("codec/pickle", "value"),
    ("codec/bincode", "value"),
    // The schema of a message is made of those of its codecs.
    ("schema/message", "codec"),
    ("schema/message", "protocol"),
    // The elements of a list are messages.
    ("codec/list", "protocol"),
];

/// These are named by no module of the library, or only hand on what others define.
const OUTSIDE: &[&str] = &["lib", "macros", "private", "bin"];

#[test]
fn imports_go_down_the_list() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dip/src");
    let mut wrong = BTreeSet::new();
    visit(&source, &mut |path| {
        let relative = path.strip_prefix(&source).unwrap().with_extension("");
        let name = relative.to_str().unwrap();
        let module = name.split('/').next().unwrap();
        if OUTSIDE.contains(&module) || name.ends_with("tests") || name.contains("/tests/") {
            return;
        }
        let place = place(module).unwrap_or_else(|| panic!("{name} is not in the list"));
        let text = std::fs::read_to_string(path).unwrap();
        // Unit tests come last in a file, and may look at everything.
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for used in code.flat_map(|line| line.split("crate::").skip(1)) {
            let used = used.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap();
            let excepted =
                EXCEPTIONS.iter().any(|(who, whom)| name.starts_with(who) && *whom == used);
            if self::place(used).is_some_and(|other| other > place) && !excepted {
                wrong.insert(format!("{name} knows {used}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_its_codec_names_a_format_crate() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dip/src");
    visit(&source, &mut |path| {
        let name = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let names_bincode = text.contains("use bincode::") && name != "codec.rs";
        assert!(!names_bincode || name.starts_with("codec/bincode"), "{name} names bincode");
        let names_inventory = text.contains("inventory::iter");
        assert!(!names_inventory || name == "registry.rs", "{name} reads the inventory");
    });
}

fn place(module: &str) -> Option<usize> {
    MODULES.iter().position(|other| *other == module)
}

fn visit(folder: &Path, look: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path);
        }
    }
}
