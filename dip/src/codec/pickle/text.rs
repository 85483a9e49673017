//! Numbers and text as protocol 0 and Python 2 spell them.

use std::borrow::Cow;

use crate::codec::{DecodeError, utf8};
use crate::value::Int;

use super::invalid;

/// Decimal digits that Python, too, converts to an integer at most.
const DIGITS: usize = 4300;

/// An integer: an optional sign and decimal digits. Other bases, which no pickler writes, are not
/// read: what `010` means depends on the version of Python.
pub(super) fn int(line: &[u8]) -> Result<Int, DecodeError> {
    let digits = match line {
        [b'-' | b'+', digits @ ..] => digits,
        digits => digits,
    };
    let decimal = match digits {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !decimal {
        return Err(DecodeError::named("ValueError", "could not convert string to int"));
    }
    if digits.len() > DIGITS {
        return Err(DecodeError::named(
            "ValueError",
            format!(
                "Exceeds the limit ({DIGITS} digits) for integer string conversion: value has {} \
                 digits",
                digits.len()
            ),
        ));
    }
    utf8::text(line)?
        .parse()
        .map_err(|_| DecodeError::named("ValueError", "could not convert string to int"))
}

/// An integer with the `L` that Python 2 puts behind long ones.
pub(super) fn long(line: &[u8]) -> Result<Int, DecodeError> {
    int(line.strip_suffix(b"L").unwrap_or(line))
}

/// The index of a memo entry.
pub(super) fn index(line: &[u8]) -> Result<u64, DecodeError> {
    u64::try_from(&int(line)?)
        .map_err(|_| DecodeError::named("ValueError", "the index of a memo entry is out of range"))
}

pub(super) fn float(line: &[u8]) -> Result<f64, DecodeError> {
    let error = |class, text| Err(DecodeError::named(class, text));
    let Some(float) = std::str::from_utf8(line).ok().and_then(|text| text.parse::<f64>().ok())
    else {
        return error("ValueError", "could not convert string to float");
    };
    if float.is_infinite() && line.iter().any(u8::is_ascii_digit) {
        return error("OverflowError", "value too large to convert to float");
    }
    Ok(float)
}

/// A string of Python 2: text where it is ASCII; whatever else it may be is not known.
pub(super) fn ascii(bytes: &[u8]) -> Result<&str, DecodeError> {
    match bytes.iter().position(|byte| !byte.is_ascii()) {
        None => utf8::text(bytes),
        Some(at) => Err(not_ascii(at)),
    }
}

fn not_ascii(at: usize) -> DecodeError {
    DecodeError::named("UnicodeDecodeError", format!("invalid ascii at byte {at}"))
}

/// A quoted string of Python 2, as its `repr` writes it.
pub(super) fn quoted(line: &[u8]) -> Result<String, DecodeError> {
    let ([b'\'', body @ .., b'\''] | [b'"', body @ .., b'"']) = line else {
        return Err(invalid("the STRING opcode argument must be quoted"));
    };
    let escape = |text| Err(DecodeError::named("ValueError", text));
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            push_ascii(&mut text, *first)?;
            continue;
        }
        let [kind, tail @ ..] = rest else {
            return escape("Trailing \\ in string");
        };
        rest = tail;
        let byte = match *kind {
            b'a' => 0x07,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'r' => b'\r',
            byte @ (b'\\' | b'\'' | b'"') => byte,
            b'x' => {
                let Some((digits, tail)) = rest.split_at_checked(2) else {
                    return escape("invalid \\x escape");
                };
                rest = tail;
                match hex(digits).map(u8::try_from) {
                    Some(Ok(byte)) => byte,
                    _ => return escape("invalid \\x escape"),
                }
            }
            digit @ b'0'..=b'7' => {
                let mut byte = digit - b'0';
                for _ in 0..2 {
                    if let [digit @ b'0'..=b'7', tail @ ..] = rest {
                        // Of three digits Python keeps the low eight bits.
                        byte = byte << 3 | (digit - b'0');
                        rest = tail;
                    }
                }
                byte
            }
            other => {
                text.push('\\');
                other
            }
        };
        push_ascii(&mut text, byte)?;
    }
    Ok(text)
}

fn push_ascii(text: &mut String, byte: u8) -> Result<(), DecodeError> {
    if !byte.is_ascii() {
        return Err(not_ascii(text.len()));
    }
    text.push(byte.into());
    Ok(())
}

/// Text in Python's raw-unicode-escape: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
pub(super) fn raw_unicode(line: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    if line.is_ascii() && !line.contains(&b'\\') {
        return utf8::text(line).map(Cow::Borrowed);
    }
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let [first, tail @ ..] = rest {
        let (digits, tail) = match rest {
            [b'\\', b'u', tail @ ..] => (4, tail),
            [b'\\', b'U', tail @ ..] => (8, tail),
            // Two backslashes are two, and the second one escapes nothing.
            [b'\\', b'\\', tail @ ..] => {
                text.push_str("\\\\");
                rest = tail;
                continue;
            }
            _ => {
                text.push((*first).into());
                rest = tail;
                continue;
            }
        };
        let at = line.len() - rest.len();
        let escape = |text: &str| {
            DecodeError::named(
                "UnicodeDecodeError",
                format!("invalid rawunicodeescape at byte {at}: {text}"),
            )
        };
        let (digits, tail) =
            tail.split_at_checked(digits).ok_or_else(|| escape("truncated escape"))?;
        let code = hex(digits).ok_or_else(|| escape("truncated escape"))?;
        text.push(char::from_u32(code).ok_or_else(|| escape("no character has this code"))?);
        rest = tail;
    }
    Ok(Cow::Owned(text))
}

/// The number that up to eight hexadecimal digits stand for.
fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, &digit| {
        char::from(digit).to_digit(16).map(|digit| number << 4 | digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_decimal_with_a_sign() {
        assert_eq!(int(b"-12").unwrap(), Int::from(-12));
        assert_eq!(int(b"0").unwrap(), Int::from(0));
        assert_eq!(
            long(b"12345678901234567890L").unwrap(),
            Int::from(12_345_678_901_234_567_890_u64)
        );
        for line in [&b""[..], b"-", b"abc", b"0x10", b"010", b" 1", b"1_0", b"--1", b"\xff"] {
            assert_eq!(int(line).unwrap_err().class(), "ValueError", "{line:?}");
        }
    }

    #[test]
    fn integers_have_4300_digits_at_most() {
        assert!(int(&[b'9'; 4300]).is_ok());
        assert_eq!(int(&[b'9'; 4301]).unwrap_err().class(), "ValueError");
    }

    #[test]
    fn floats_are_what_repr_writes() {
        assert_eq!(float(b"1.5").unwrap().to_bits(), 1.5f64.to_bits());
        assert_eq!(float(b"-0.0").unwrap().to_bits(), (-0.0f64).to_bits());
        assert!(float(b"nan").unwrap().is_nan());
        assert_eq!(float(b"-inf").unwrap(), f64::NEG_INFINITY);
        assert_eq!(float(b"xyz").unwrap_err().class(), "ValueError");
        assert_eq!(float(b"1e400").unwrap_err().class(), "OverflowError");
    }

    #[test]
    fn quoted_strings_are_unescaped_and_must_be_ascii() {
        assert_eq!(quoted(br#"'a\x41\n\\\'\101\0q\q'"#).unwrap(), "aA\n\\'A\0q\\q");
        assert_eq!(quoted(br#""it's""#).unwrap(), "it's");
        for (line, class) in [
            (&b"abc"[..], "UnpicklingError"),
            (b"'", "UnpicklingError"),
            (b"'abc\"", "UnpicklingError"),
            (b"'\\'", "ValueError"),
            (b"'\\x4'", "ValueError"),
            (b"'\\xzz'", "ValueError"),
            (b"'\\xff'", "UnicodeDecodeError"),
            (b"'\\377'", "UnicodeDecodeError"),
            (b"'\xff'", "UnicodeDecodeError"),
        ] {
            assert_eq!(quoted(line).unwrap_err().class(), class, "{line:?}");
        }
    }

    #[test]
    fn raw_unicode_is_latin1_with_escapes() {
        assert_eq!(raw_unicode(b"plain").unwrap(), "plain");
        assert_eq!(
            raw_unicode(b"\xe9\\u4f60\\U0001f600\\n\\\\u0041\\").unwrap(),
            "é你😀\\n\\\\u0041\\"
        );
        for line in [&b"\\ud800"[..], b"\\u12", b"\\u12g4", b"\\U00110000", b"\\Uffffffff"] {
            assert_eq!(raw_unicode(line).unwrap_err().class(), "UnicodeDecodeError", "{line:?}");
        }
    }
}
