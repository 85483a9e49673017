//! Floats as Python spells them.

/// The `repr` of a float: the shortest digits that read back as the same number, `1e+16` from
/// there on, `1e-05` below `0.0001`, `nan`, `inf`.
pub(crate) fn repr(float: f64) -> String {
    let size = float.abs();
    if float.is_nan() {
        return "nan".to_owned();
    }
    if size.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(float);
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        return text.to_owned();
    }
    let sign = if float < 0.0 { "-" } else { "" };
    let text = text.trim_start_matches('-');
    // The one exponent beyond Python's range for plain digits that is not yet one here.
    if let Some(digits) = text.strip_prefix("0.0000") {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}e-05");
    }
    match text.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{sign}{digits}e-{exponent:0>2}"),
            None => format!("{sign}{digits}e+{:0>2}", exponent.trim_start_matches('+')),
        },
        None => format!("{sign}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_spelt_as_python_does() {
        for (float, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-1.5e-5, "-1.5e-05"),
            (-1.5e-6, "-1.5e-06"),
            (1.25e-100, "1.25e-100"),
            (886_805_141_760_016.2, "886805141760016.2"),
            (-1e16, "-1e+16"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.25e100, "1.25e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(repr(float), text);
        }
    }
}
