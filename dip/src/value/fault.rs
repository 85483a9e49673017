//! An error on its way out of nested values, collecting the path of the field it belongs to.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use crate::codec::{DecodeError, EncodeError};

/// How many characters of a peer's content an error may quote.
const QUOTED: usize = 64;

/// How many characters a text made up by someone's serde impl may have.
const WORDED: usize = 256;

/// Boxed, so that the results of deep recursions stay one word wide.
#[derive(Debug)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None`: the class that the direction has for what does not fit.
    class: Option<&'static str>,
    text: String,
    /// Innermost first.
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Field(String),
    Item(usize),
}

impl Fault {
    fn new(text: String) -> Self {
        Self(Box::new(Inner { class: None, text, path: Vec::new() }))
    }

    #[cold]
    pub(crate) fn too_deep(limit: usize) -> Self {
        let mut fault = Self::new(format!("nested deeper than {limit} levels"));
        fault.0.class = Some("RecursionError");
        fault
    }

    /// An error that has its class already, to be given a path.
    #[cfg(feature = "bincode")]
    #[cold]
    pub(crate) fn of(error: &DecodeError) -> Self {
        let mut fault = Self::new(error.text().to_owned());
        fault.0.class = Some(error.class());
        fault
    }

    /// The value under the key `field` is at fault.
    #[cold]
    pub(crate) fn in_field(mut self, field: &str) -> Self {
        self.0.path.push(Step::Field(cut(field, QUOTED)));
        self
    }

    /// The item at `index` is at fault.
    #[cold]
    pub(crate) fn in_item(mut self, index: usize) -> Self {
        self.0.path.push(Step::Item(index));
        self
    }

    #[cold]
    pub(crate) fn into_decode_error(self) -> DecodeError {
        DecodeError::named(self.0.class.unwrap_or("TypeError"), self.to_string())
    }

    #[cold]
    pub(crate) fn into_encode_error(self) -> EncodeError {
        EncodeError::named(self.0.class.unwrap_or("TypeError"), self.to_string())
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Field(field) if path.is_empty() => path.push_str(field),
                Step::Field(field) => {
                    path.push('.');
                    path.push_str(field);
                }
                Step::Item(index) => path.push_str(&format!("[{index}]")),
            }
        }
        // The end of a long path is what tells fields apart.
        match path.chars().count().checked_sub(QUOTED) {
            None | Some(0) => path,
            Some(excess) => format!("…{}", path.chars().skip(excess).collect::<String>()),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.path() {
            "" => f.write_str(&self.0.text),
            path => write!(f, "{path}: {}", self.0.text),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(cut(&text.to_string(), WORDED))
    }
}

impl de::Error for Fault {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(cut(&text.to_string(), WORDED))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Str(_) => "string".to_owned(),
            found => found.to_string(),
        };
        Self::new(format!("invalid type: {found}, expected {expected}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Str(text) => format!("string {:?}", cut(text, QUOTED)),
            found => found.to_string(),
        };
        Self::new(format!("invalid value: {found}, expected {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(unknown("variant", variant, expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(unknown("field", field, expected))
    }
}

fn unknown(what: &str, name: &str, expected: &[&str]) -> String {
    let name = cut(name, QUOTED);
    match expected {
        [] => format!("unknown {what} `{name}`, there are none"),
        expected => format!("unknown {what} `{name}`, expected one of `{}`", expected.join("`, `")),
    }
}

/// The first `max` characters of a text.
pub(crate) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
