//! What the README shows is what runs. Its code is compiled and run as a test of the library's
//! documentation.

const README: &str = include_str!("../../README.md");

#[test]
fn the_first_program_is_the_quickstart_example() {
    let example = include_str!("../../examples/quickstart.rs");
    let (_, program) = example.split_once("\n\n").unwrap();
    assert!(README.contains(program), "README.md and examples/quickstart.rs differ");
}

#[test]
fn every_example_is_listed() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    for entry in std::fs::read_dir(examples).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(example) = name.strip_suffix(".rs").filter(|name| *name != "lib") {
            assert!(README.contains(&format!("| `{example}` |")), "{example}");
        }
    }
}
