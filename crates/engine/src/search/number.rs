/// A number as JSON writes it (RFC 8259, section 6), of which no digit is lost: 0.`whole` `fraction` × 10^`point`, the first
/// and the last digit of the two not 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    point: i64,
}

impl<'a> Number<'a> {
    /// The number that `text` is; `None` where it is none, or its exponent is beyond 64 bits.
    pub(super) fn read(text: &'a str) -> Option<Number<'a>> {
        let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, fraction)) if !are_digits(fraction) => return None,
            split => split.unwrap_or((mantissa, "")),
        };
        if !are_digits(whole) || whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let number = if whole.is_empty() {
            let digits = fraction.trim_start_matches('0');
            let point = exponent.checked_sub(i64::try_from(fraction.len() - digits.len()).ok()?)?;
            Number { is_negative, whole: "", fraction: digits, point }
        } else {
            let point = exponent.checked_add(i64::try_from(whole.len()).ok()?)?;
            let whole = if fraction.is_empty() { whole.trim_end_matches('0') } else { whole };
            Number { is_negative, whole, fraction, point }
        };
        // There is one zero, however it is written.
        let is_zero = number.whole.is_empty() && number.fraction.is_empty();
        Some(if is_zero { Number { is_negative: false, point: 0, ..number } } else { number })
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        let digits = |number: &Self| number.whole.len() + number.fraction.len();
        self.is_negative == other.is_negative
            && self.point == other.point
            && digits(self) == digits(other)
            && self.whole.bytes().chain(self.fraction.bytes()).eq(other.whole.bytes().chain(other.fraction.bytes()))
    }
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn exponent(text: &str) -> Option<i64> {
    // `parse` takes a sign and digits, as JSON does.
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_same_value_is_equal() {
        for same in [
            &["10", "10.0", "1e1", "1E+1", "100e-1", "0.1e2", "10.00e0"][..],
            &["0", "-0", "0.0", "0e7", "-0.000E-3"],
            &["-1.5", "-15e-1", "-0.0015e3"],
            &["9007199254740993", "9007199254740993.0", "9.007199254740993e15"],
            &["18446744073709551617", "1.8446744073709551617e19"],
            &["1e400", "10e399"],
            &["0.001", "1e-3", "0.0010"],
            &["101", "1.01e2"],
        ] {
            for (one, other) in same.iter().flat_map(|one| same.iter().map(move |other| (one, other))) {
                assert!(Number::read(one).is_some(), "{one}");
                assert_eq!(Number::read(one), Number::read(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_differs_in_a_digit_is_not() {
        for (one, other) in [
            ("10", "-10"),
            ("10", "100"),
            ("10", "1"),
            ("1.1", "11"),
            ("0.1", "0.10000000000000001"),
            ("9007199254740993", "9007199254740992"),
            ("18446744073709551616", "18446744073709551617"),
            ("1e400", "1e401"),
            ("0", "1e-400"),
            ("101", "11"),
        ] {
            assert_ne!(Number::read(one), Number::read(other), "{one} {other}");
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_none() {
        for text in [
            "", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1e1.5", "0x10", "1_0", " 1", "1 ", "--1", "1e--1",
            "NaN", "Infinity", "1.5.1", "1,0", "١",
        ] {
            assert!(Number::read(text).is_none(), "{text}");
        }
        assert!(Number::read("1e9223372036854775807").is_none(), "its point is beyond 64 bits");
        assert!(Number::read("0.1e9223372036854775807").is_some());
        assert!(Number::read("1e9223372036854775808").is_none());
    }
}
