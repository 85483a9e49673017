//! Sizes and durations as they are written in attributes.

use std::time::Duration;

use syn::{Error, Lit, Result};

/// A length of a body: `65_536`, `"64 KiB"`.
pub(crate) fn length(lit: &Lit) -> Result<u32> {
    let bytes = match lit {
        Lit::Int(int) => int.base10_parse().ok(),
        Lit::Str(text) => quantity(&text.value(), SIZES),
        _ => None,
    };
    let bytes = bytes.ok_or_else(|| {
        Error::new_spanned(
            lit,
            "this is not a length: write a number of bytes, or \"64 KiB\" (B, KiB, MiB, GiB)",
        )
    })?;
    u32::try_from(bytes)
        .map_err(|_| Error::new_spanned(lit, "no message is that long: the wire ends at 4 GiB"))
}

/// A time span: `"2s"`, `"500ms"`.
pub(crate) fn duration(lit: &Lit) -> Result<Duration> {
    let millis = match lit {
        Lit::Str(text) => quantity(&text.value(), TIMES),
        _ => None,
    };
    match millis {
        Some(0) => Err(Error::new_spanned(lit, "no call ends in no time")),
        Some(millis) => Ok(Duration::from_millis(millis)),
        None => Err(Error::new_spanned(
            lit,
            "this is not a time span: write \"2s\" or \"500ms\" (ms, s, min)",
        )),
    }
}

type Unit = (&'static str, u64);

const SIZES: &[Unit] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const TIMES: &[Unit] = &[("ms", 1), ("s", 1000), ("min", 60_000)];

/// A whole number and a unit.
fn quantity(text: &str, units: &[Unit]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_a_whole_number_and_a_unit() {
        assert_eq!(quantity("64 KiB", SIZES), Some(65_536));
        assert_eq!(quantity("500ms", TIMES), Some(500));
        for text in ["", "KiB", "64", "64 KB", "-1 B", "1.5 MiB", "99999999999999 GiB"] {
            assert_eq!(quantity(text, SIZES), None, "{text}");
        }
    }
}
