//! The golden frames of the Python package (`vectors.json`, recorded from deepfos-ipc 1.3.1).

use serde::Deserialize;

/// One recorded frame. Which fields are present depends on the part of the file it stands in.
#[derive(Deserialize)]
pub(crate) struct Vector {
    pub name: String,
    pub mtype: u32,
    #[serde(default)]
    pub value: serde_json::Value,
    /// Where it differs from `value`: what the package reads back.
    pub decoded: Option<serde_json::Value>,
    #[serde(default)]
    pub body_hex: String,
    pub direction: Option<String>,
    #[serde(default)]
    pub encode_exact: bool,
    #[serde(default)]
    pub globals: Vec<String>,
    /// The class of the error.
    pub error: Option<String>,
    /// How Python prints it, where it is raised while encoding.
    pub error_repr: Option<String>,
    pub reply_text: Option<String>,
    #[serde(rename = "match")]
    pub matching: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Vectors {
    pub vectors: Vec<Vector>,
    pub decode_errors: Vec<Vector>,
    pub encode_errors: Vec<Vector>,
    pub pickle_unsafe: Vec<Vector>,
}

pub(crate) fn load() -> Vectors {
    serde_json::from_str(include_str!("../vectors.json")).unwrap()
}

impl Vector {
    pub(crate) fn body(&self) -> Vec<u8> {
        (0..self.body_hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&self.body_hex[at..at + 2], 16).unwrap())
            .collect()
    }
}

#[test]
fn the_file_holds_what_the_kit_recorded() {
    let file = load();
    assert_eq!((file.vectors.len(), file.decode_errors.len()), (544, 173));
    assert_eq!((file.encode_errors.len(), file.pickle_unsafe.len()), (37, 13));
    assert!(file.vectors.iter().all(|vector| vector.body().len() * 2 == vector.body_hex.len()));
}

/// The value that a tagged one of the kit stands for.
pub(crate) fn from_tagged(
    tagged: &serde_json::Value,
) -> Result<dip::Value, dip::cli::tagged::NotTagged> {
    dip::cli::tagged::from_tagged(&tagged.clone().into())
}
