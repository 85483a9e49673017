//! The classic wire, byte-identical to deepfos-ipc 1.3.1.
//!
//! ```text
//! request   mtype u8 | length u32 BE | body
//! reply     `ok`, or an error text: no length, no id
//! ```
//!
//! One reply a request, in order. An error text is printed as Python prints an exception,
//! `Class('text')`, in at most 1 KiB.

use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;

/// Bytes in front of a body: the type and the length.
pub(crate) const HEADER: usize = 5;

/// The longest error text, in bytes.
pub(crate) const MAX_REPLY_TEXT: usize = 1024;

/// The reply to a message that was handled.
pub(crate) const ACK: &[u8] = b"ok";

/// The first frame of a client that has an id carries it under this type.
pub(crate) const SET_CONNECTION_ID: u8 = 0x1d;

/// The type and the length of the body behind this header.
pub(crate) fn parse_header(header: [u8; HEADER]) -> (u8, u32) {
    let [mtype, length @ ..] = header;
    (mtype, u32::from_be_bytes(length))
}

/// The header of a body of this length.
pub(crate) fn header(mtype: u8, length: u32) -> [u8; HEADER] {
    let [a, b, c, d] = length.to_be_bytes();
    [mtype, a, b, c, d]
}

/// The reply that tells a peer of an error. It is never `ok`, which has no parentheses.
pub(crate) fn error_text(class: &str, text: &str) -> String {
    /// Quoting makes at most this many bytes of one.
    const EXPANSION: usize = 4;
    let class = cut(class, 128);
    let mut text = cut(text, MAX_REPLY_TEXT);
    loop {
        let reply = format!("{class}({})", Quoted(text));
        if reply.len() <= MAX_REPLY_TEXT {
            return reply;
        }
        let excess = (reply.len() - MAX_REPLY_TEXT).div_ceil(EXPANSION);
        text = cut(text, text.len() - excess);
    }
}

fn cut(text: &str, len: usize) -> &str {
    &text[..text.floor_char_boundary(len)]
}

/// The characters that Python's `repr` escapes, but for control characters and those that are not
/// assigned: the categories `Cf`, `Co`, `Zl`, `Zp` and `Zs` of Unicode 14.0.0 without the space.
const UNPRINTABLE: [RangeInclusive<char>; 27] = [
    '\u{a0}'..='\u{a0}',
    '\u{ad}'..='\u{ad}',
    '\u{600}'..='\u{605}',
    '\u{61c}'..='\u{61c}',
    '\u{6dd}'..='\u{6dd}',
    '\u{70f}'..='\u{70f}',
    '\u{890}'..='\u{891}',
    '\u{8e2}'..='\u{8e2}',
    '\u{1680}'..='\u{1680}',
    '\u{180e}'..='\u{180e}',
    '\u{2000}'..='\u{200f}',
    '\u{2028}'..='\u{202f}',
    '\u{205f}'..='\u{2064}',
    '\u{2066}'..='\u{206f}',
    '\u{3000}'..='\u{3000}',
    '\u{e000}'..='\u{f8ff}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{110bd}'..='\u{110bd}',
    '\u{110cd}'..='\u{110cd}',
    '\u{13430}'..='\u{13438}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0001}'..='\u{e0001}',
    '\u{e0020}'..='\u{e007f}',
    '\u{f0000}'..='\u{ffffd}',
    '\u{100000}'..='\u{10fffd}',
];

fn is_printable(c: char) -> bool {
    !c.is_control() && !UNPRINTABLE.iter().any(|range| range.contains(&c))
}

/// Text as Python's `repr` quotes it: single quotes unless the text holds `'` and no `"`; control
/// characters, format characters and all spaces but the usual one escaped, everything else as it is
/// (Python also escapes what its version of Unicode does not assign).
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains('\'') && !self.0.contains('"') { '"' } else { '\'' };
        f.write_char(quote)?;
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c == quote => write!(f, "\\{c}")?,
                c if is_printable(c) => f.write_char(c)?,
                c => match u32::from(c) {
                    code @ ..0x100 => write!(f, "\\x{code:02x}")?,
                    code @ ..0x1_0000 => write!(f, "\\u{code:04x}")?,
                    code => write!(f, "\\U{code:08x}")?,
                },
            }
        }
        f.write_char(quote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        // `O` "hello": 4f 00000005 68656c6c6f
        assert_eq!(header(b'O', 5), [0x4f, 0, 0, 0, 5]);
        assert_eq!(parse_header([0x4f, 0, 0, 0, 5]), (b'O', 5));
    }

    #[test]
    fn texts_are_quoted_as_python_quotes_them() {
        for (text, quoted) in [
            ("boom", "'boom'"),
            ("it's", "\"it's\""),
            ("both ' and \"", "'both \\' and \"'"),
            ("a\nb\\\0", "'a\\nb\\\\\\x00'"),
            ("错误：值", "'错误：值'"),
            ("\u{7f}\u{a0}\u{ad}é", r"'\x7f\xa0\xadé'"),
            ("\u{2066}\u{2069}\u{2060}\u{2064}", r"'\u2066\u2069\u2060\u2064'"),
            ("\u{3000}\u{2000}\u{200a}\u{202f}\u{205f}", r"'\u3000\u2000\u200a\u202f\u205f'"),
            ("\u{fff9}\u{fffb}\u{feff}\u{e000}", r"'\ufff9\ufffb\ufeff\ue000'"),
            ("\u{e0001}\u{10fffd}\u{1f600}", "'\\U000e0001\\U0010fffd\u{1f600}'"),
        ] {
            assert_eq!(Quoted(text).to_string(), quoted);
        }
    }

    #[test]
    fn a_rejection_fits_into_a_kibibyte() {
        for text in ["x".repeat(5000), "\0".repeat(5000), "数".repeat(5000), "ok".into()] {
            let reply = error_text("ValueError", &text);
            assert!(reply.len() <= MAX_REPLY_TEXT, "{}", reply.len());
            assert!(reply.starts_with("ValueError('") && reply.ends_with("')"));
        }
        assert_eq!(error_text("", ""), "('')");
        assert!(error_text(&"E".repeat(5000), &"x".repeat(5000)).len() <= MAX_REPLY_TEXT);
    }
}
