//! The classes and functions that pickles refer to.

use std::borrow::Cow;

use crate::codec::DecodeError;

use super::invalid;

/// The functions that Python's own pickler lets a reader call to make plain data: `bytes` before
/// protocol 3, sets before 4, `bytearray` before 5.
#[derive(Clone, Copy)]
pub(super) enum Builtin {
    Bytearray,
    Bytes,
    Encode,
    Frozenset,
    Set,
}

impl Builtin {
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("_codecs", "encode") => Some(Self::Encode),
            ("builtins" | "__builtin__", name) => match name {
                "bytearray" => Some(Self::Bytearray),
                "bytes" => Some(Self::Bytes),
                "frozenset" => Some(Self::Frozenset),
                "set" => Some(Self::Set),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Bytearray => "builtins.bytearray",
            Self::Bytes => "builtins.bytes",
            Self::Encode => "_codecs.encode",
            Self::Frozenset => "builtins.frozenset",
            Self::Set => "builtins.set",
        }
    }
}

/// Module and name in one, under Python 3's names of the two modules that Python 2 called
/// otherwise and that every old pickle refers to.
pub(super) fn full_name<'a>(module: &str, name: &str) -> Cow<'a, str> {
    let module = match module {
        "__builtin__" => "builtins",
        "copy_reg" => "copyreg",
        module => module,
    };
    Cow::Owned(format!("{module}.{name}"))
}

/// The error of a class or function where only plain data is read.
pub(super) fn refused(class: &str) -> DecodeError {
    let instead = match class {
        "datetime.datetime" | "datetime.date" | "datetime.time" => "its isoformat() text",
        "datetime.timedelta" => "its total_seconds()",
        "decimal.Decimal" | "fractions.Fraction" | "uuid.UUID" => "its str()",
        "builtins.complex" => "its real and imag",
        "collections.OrderedDict" | "collections.defaultdict" | "collections.Counter" => {
            "a dict made of it"
        }
        "collections.deque" => "a list made of it",
        _ if class.starts_with("pathlib.") => "its str()",
        _ if class.starts_with("numpy.") => "its tolist()",
        _ if class.starts_with("pandas.") => "its to_dict()",
        _ => "a dict, list or text",
    };
    invalid(format!(
        "a pickled `{}` is not plain data: send {instead} instead, or allow inert objects with \
         PicklePolicy::inert()",
        quote(class)
    ))
}

/// A name out of a body, for an error: its first 64 characters, none of which controls a terminal.
pub(super) fn quote(name: &str) -> String {
    name.chars().flat_map(char::escape_debug).take(64).collect()
}
