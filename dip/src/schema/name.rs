//! Names in the canonical text: of types, fields and variants.

use std::fmt::Write as _;

/// The name of a type as `std::any::type_name` spells it, without paths and lifetimes: they are no
/// part of what travels, and the lifetimes depend on the compiler.
///
/// `Wrapper<str>` of `a::Wrapper<'_, core::str>`.
pub(crate) fn short(name: &str) -> String {
    let mut short = String::new();
    // Where the path begins that is being read, and those around it.
    let (mut start, mut around) = (0, Vec::new());
    let mut rest = name;
    while let Some(char) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("::") {
            short.truncate(start);
            rest = after;
            continue;
        }
        rest = &rest[char.len_utf8()..];
        match char {
            '\'' => {
                let after = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                rest = after.trim_start_matches([',', ' ']);
                continue;
            }
            '<' | '(' | '[' => {
                short.push(char);
                around.push(start);
                start = short.len();
            }
            '>' if short.ends_with('<') => {
                short.pop();
                start = around.pop().unwrap_or(0);
            }
            '>' | ')' | ']' if !short.ends_with('-') => {
                short.push(char);
                start = around.pop().unwrap_or(0);
            }
            _ => {
                short.push(char);
                if matches!(char, ' ' | ',' | ';' | '&' | '*' | '>') {
                    start = short.len();
                }
            }
        }
    }
    short
}

/// Appends a name, in double quotes and with Rust's escapes if it has more than ASCII letters,
/// digits, `_` and `-`.
pub(super) fn write(name: &str, text: &mut String) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(plain) {
        text.push_str(name);
    } else {
        _ = write!(text, "\"{}\"", name.escape_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_loses_its_paths_and_lifetimes() {
        for (name, expected) in [
            ("a::b::Note", "Note"),
            ("dip::builtin::Json<dip::value::Value>", "Json<Value>"),
            ("alloc::vec::Vec<(a::B, [c::D; 4])>", "Vec<(B, [D; 4])>"),
            ("alloc::borrow::Cow<'_, str>", "Cow<str>"),
            ("&'static str", "&str"),
            ("a::Guard<'_>", "Guard"),
            ("a::_::<impl serde::Deserialize for a::B<c::D>>::deserialize::With<a::X>", "With<X>"),
            ("fn(a::B) -> c::D", "fn(B) -> D"),
            ("a::b::{{closure}}::Note", "Note"),
            ("alloc::boxed::Box<dyn a::B + core::marker::Send>", "Box<dyn B + Send>"),
        ] {
            assert_eq!(short(name), expected);
        }
    }

    #[test]
    fn any_name_is_written_so_that_it_can_be_told_from_what_is_around_it() {
        for (name, expected) in [
            ("text", "text"),
            ("x-y_2", "x-y_2"),
            ("", r#""""#),
            ("a, b u8", r#""a, b u8""#),
            ("\"\n", r#""\"\n""#),
            ("größe", r#""gr\u{f6}\u{df}e""#),
        ] {
            let mut text = String::new();
            write(name, &mut text);
            assert_eq!(text, expected);
        }
    }
}
