//! Integers of any size.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::BigInt;

/// An integer of any size, as Python has them.
///
/// ```
/// use dip::value::Int;
///
/// let big: Int = "1180591620717411303424".parse().unwrap();
/// assert_eq!(big.to_string(), "1180591620717411303424");
/// assert!(i64::try_from(&big).is_err());
/// assert_eq!(i64::try_from(&Int::from(7)), Ok(7));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Int(Repr);

/// What fits is always `Small`, so that equal integers have one representation.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    Big(Box<BigInt>),
}

/// An [`Int`] does not fit the type asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange(());

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the integer does not fit the type")
    }
}

impl std::error::Error for OutOfRange {}

/// A text that is no [`Int`] in decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnInt(());

impl fmt::Display for NotAnInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is no integer in decimal digits")
    }
}

impl std::error::Error for NotAnInt {}

impl Int {
    /// The value as an `i64`, when it fits.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(small) => Some(*small),
            Repr::Big(_) => None,
        }
    }

    /// How many bits the absolute value has.
    pub(crate) fn bits(&self) -> u64 {
        match &self.0 {
            Repr::Small(small) => u64::from(64 - small.unsigned_abs().leading_zeros()),
            Repr::Big(big) => big.bits(),
        }
    }

    /// The closest float, unless the integer is beyond all finite ones.
    pub(crate) fn to_f64(&self) -> Option<f64> {
        // Not to spell out what cannot be a float anyhow.
        if self.bits() > 1024 {
            return None;
        }
        self.to_string().parse().ok().filter(|float: &f64| float.is_finite())
    }

    /// From digits of the base 2 to 36, with an optional sign.
    #[cfg(feature = "cli")]
    pub(crate) fn from_str_radix(digits: &str, radix: u32) -> Option<Self> {
        BigInt::parse_bytes(digits.as_bytes(), radix).map(Self::from_big)
    }

    /// From two's complement, least significant byte first, as pickles hold it; no byte is 0.
    pub fn from_signed_bytes_le(bytes: &[u8]) -> Self {
        Self::from_big(BigInt::from_signed_bytes_le(bytes))
    }

    /// Two's complement, least significant byte first, as short as possible; at least one byte.
    pub fn to_signed_bytes_le(&self) -> Vec<u8> {
        self.to_big().to_signed_bytes_le()
    }

    /// The value as the type of the `num-bigint` crate that does the arithmetic.
    fn to_big(&self) -> BigInt {
        match &self.0 {
            Repr::Small(small) => BigInt::from(*small),
            Repr::Big(big) => BigInt::clone(big),
        }
    }
}

impl Default for Int {
    fn default() -> Self {
        Self(Repr::Small(0))
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small(one), Repr::Small(two)) => one.cmp(two),
            _ => self.to_big().cmp(&other.to_big()),
        }
    }
}

// No `From`: that would make the other crate part of the public API.
impl Int {
    fn from_big(big: BigInt) -> Self {
        Self(match i64::try_from(&big) {
            Ok(small) => Repr::Small(small),
            Err(_) => Repr::Big(Box::new(big)),
        })
    }
}

macro_rules! conversions {
    ($($t:ty),*) => {$(
        impl From<$t> for Int {
            fn from(value: $t) -> Self {
                match i64::try_from(value) {
                    Ok(small) => Self(Repr::Small(small)),
                    Err(_) => Self::from_big(BigInt::from(value)),
                }
            }
        }

        /// Fails when the integer does not fit.
        impl TryFrom<&Int> for $t {
            type Error = OutOfRange;

            fn try_from(int: &Int) -> Result<Self, OutOfRange> {
                match &int.0 {
                    Repr::Small(small) => Self::try_from(*small).map_err(|_| OutOfRange(())),
                    Repr::Big(big) => Self::try_from(&**big).map_err(|_| OutOfRange(())),
                }
            }
        }
    )*};
}

conversions!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, usize, isize);

/// Decimal digits, with an optional sign.
impl std::str::FromStr for Int {
    type Err = NotAnInt;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::from_big).map_err(|_| NotAnInt(()))
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(small) => small.fmt(f),
            Repr::Big(big) => big.fmt(f),
        }
    }
}

/// Sign and digits; `0x` in front with `#`.
impl fmt::LowerHex for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.to_big(), f)
    }
}

impl fmt::Debug for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
