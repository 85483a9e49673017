//! The identity of a message type.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Which message this is: one byte, as on the classic wire, or a name.
///
/// A byte type has the number `0x000000bb` on the wire. A named type has
/// `0x80000000 | ((h ^ h >> 32) & 0x7fffffff)`, where `h` is the 64-bit FNV-1a hash of its name;
/// named types travel on the native wire only.
///
/// ```
/// use dip::Mtype;
///
/// assert_eq!(Mtype::byte(b'N').to_string(), "'N'");
/// assert_eq!(Mtype::byte(0x1d).to_string(), "0x1d");
/// assert_eq!(Mtype::name("jobs.tail").number(), 0xe6ef_511b);
/// ```
#[derive(Clone, Copy)]
pub struct Mtype {
    number: u32,
    name: Option<&'static str>,
}

const NAMED: u32 = 0x8000_0000;

impl Mtype {
    /// The type known by this byte.
    pub const fn byte(byte: u8) -> Self {
        Self { number: byte as u32, name: None }
    }

    /// The type known by this name: 1 to 120 characters of `a-z`, `0-9`, `.`, `_` and `-`.
    ///
    /// # Panics
    ///
    /// On any other name; in a constant that is a compile error.
    pub const fn name(name: &'static str) -> Self {
        assert!(
            is_name(name),
            "an mtype name is 1 to 120 characters of a-z, 0-9, '.', '_' and '-'"
        );
        Self { number: number_of(name), name: Some(name) }
    }

    /// The type known by a name that is found at run time, as an argument of a program; `None` for a
    /// text that is no name of a type. Only its number is kept: [`as_name`](Self::as_name) is `None`.
    ///
    /// ```
    /// use dip::Mtype;
    ///
    /// let argument = String::from("jobs.tail");
    /// assert_eq!(Mtype::named(&argument), Some(Mtype::name("jobs.tail")));
    /// assert_eq!(Mtype::named("Jobs!"), None);
    /// ```
    pub const fn named(name: &str) -> Option<Self> {
        if is_name(name) { Some(Self::from_number(number_of(name))) } else { None }
    }

    /// The type that this number stands for on the native wire. The name that it was made of is not
    /// in it.
    pub(crate) const fn from_number(number: u32) -> Self {
        Self { number, name: None }
    }

    /// The number that stands for this type on the native wire.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// The byte of this type, or `None` when it has a name.
    pub const fn as_byte(self) -> Option<u8> {
        if self.number < 0x100 { Some(self.number as u8) } else { None }
    }

    /// The name of this type, or `None` when it has a byte, when it was [`named`](Self::named), and when
    /// it came over the wire and this program knows no such type.
    pub const fn as_name(self) -> Option<&'static str> {
        self.name
    }
}

const fn is_name(name: &str) -> bool {
    let name = name.as_bytes();
    if name.is_empty() || name.len() > 120 {
        return false;
    }
    let mut at = 0;
    while at < name.len() {
        if !matches!(name[at], b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-') {
            return false;
        }
        at += 1;
    }
    true
}

const fn number_of(name: &str) -> u32 {
    let hash = fnv1a(name.as_bytes());
    NAMED | ((hash ^ (hash >> 32)) as u32 & !NAMED)
}

const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

impl From<u8> for Mtype {
    fn from(byte: u8) -> Self {
        Self::byte(byte)
    }
}

impl PartialEq for Mtype {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Mtype {}

impl Hash for Mtype {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl PartialOrd for Mtype {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Mtype {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

/// `'N'` for a printable byte, `0x1d` for any other, the name in double quotes for a named type, and
/// its number, `0xe6ef511b`, where the name is not known.
impl fmt::Display for Mtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name, self.as_byte()) {
            (Some(name), _) => write!(f, "\"{name}\""),
            (None, Some(byte)) if byte.is_ascii_graphic() => write!(f, "'{}'", byte as char),
            (None, Some(byte)) => write!(f, "0x{byte:02x}"),
            (None, None) => write!(f, "0x{:08x}", self.number),
        }
    }
}

impl fmt::Debug for Mtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mtype({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_byte_type_is_the_byte() {
        assert_eq!(Mtype::byte(b'N').number(), 0x4e);
        assert_eq!(Mtype::byte(b'N').as_byte(), Some(b'N'));
    }

    #[test]
    fn the_number_of_a_named_type_is_that_of_the_specification() {
        assert_eq!(Mtype::name("jobs.tail").number(), 0xe6ef_511b);
        assert_eq!(Mtype::name("jobs.tail").as_byte(), None);
        assert_eq!(Mtype::name("jobs.tail").to_string(), "\"jobs.tail\"");
    }

    #[test]
    fn a_number_from_the_wire_is_the_type_but_not_its_name() {
        let named = Mtype::from_number(0xe6ef_511b);
        assert_eq!((named, named.as_name()), (Mtype::name("jobs.tail"), None));
        assert_eq!(named.to_string(), "0xe6ef511b");
        assert_eq!(Mtype::from_number(0x4e).to_string(), "'N'");
    }

    #[test]
    fn a_name_found_at_run_time_is_the_same_type() {
        let named = Mtype::named("jobs.tail").unwrap();
        assert_eq!((named, named.as_name()), (Mtype::name("jobs.tail"), None));
        assert_eq!(Mtype::named("Jobs"), None);
    }

    #[test]
    fn names_of_other_characters_are_refused() {
        for name in ["", "Jobs", "a b", "é"] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(!is_name(&"a".repeat(121)));
        assert!(is_name(&"a".repeat(120)));
    }
}
