//! Text, with the error that Python words for bytes that are none.

use std::str::Utf8Error;

use super::DecodeError;

/// The text in `bytes`.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    str::from_utf8(bytes).map_err(|error| no_text(bytes, error))
}

/// The same as a text of its own: a copy is aligned, so that a short one is checked faster than where
/// it came from.
#[cfg(feature = "bincode")]
#[inline]
pub(crate) fn owned(bytes: &[u8]) -> Result<String, DecodeError> {
    String::from_utf8(bytes.to_owned()).map_err(|error| no_text(bytes, error.utf8_error()))
}

#[cold]
fn no_text(bytes: &[u8], error: Utf8Error) -> DecodeError {
    let start = error.valid_up_to();
    let reason = match error.error_len() {
        None => "unexpected end of data",
        Some(_) if matches!(bytes[start], 0xc2..=0xf4) => "invalid continuation byte",
        Some(_) => "invalid start byte",
    };
    DecodeError::named("UnicodeDecodeError", format!("invalid utf-8 at byte {start}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_one_python_gives() {
        for (bytes, reason) in [
            (&b"\xff"[..], "invalid utf-8 at byte 0: invalid start byte"),
            (b"a\xe4\xb8", "invalid utf-8 at byte 1: unexpected end of data"),
            (b"\xe4\xb8A", "invalid utf-8 at byte 0: invalid continuation byte"),
            (b"\xc0\xaf", "invalid utf-8 at byte 0: invalid start byte"),
            (b"\xed\xa0\x80", "invalid utf-8 at byte 0: invalid continuation byte"),
        ] {
            assert_eq!(text(bytes).unwrap_err().text(), reason);
            #[cfg(feature = "bincode")]
            assert_eq!(owned(bytes), text(bytes).map(str::to_owned));
        }
    }
}
