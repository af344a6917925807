//! Numbers as documents show them.

/// A number with so many significant digits, without the zeros at its end.
pub fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let exponent = value.abs().log10().floor() as i32;
    if !(-5..15).contains(&exponent) {
        let text = format!("{value:.*e}", digits.saturating_sub(1));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", without_zeros(mantissa));
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
    without_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// The place of the last digit that an uncertainty is stated to: two significant digits (GUM 7.2.6), as a power of
/// ten. Rounded to the nearest, which takes off at most a twentieth (EA-4/02, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastDigit(i32);

impl LastDigit {
    /// Of an expanded uncertainty above 0.
    pub fn of(expanded: f64) -> LastDigit {
        let power = |value: f64| value.log10().floor() as i32;
        let last = power(expanded) - 1;
        // 0.0996 becomes 0.10, not 0.100
        let rounded = (expanded / 10f64.powi(last)).round();
        LastDigit(if rounded >= 100.0 { last + 1 } else { last })
    }

    /// One digit more, for what adds up.
    pub fn finer(self) -> LastDigit {
        LastDigit(self.0 - 1)
    }

    /// A number rounded to there, with a real minus.
    pub fn show(self, value: f64) -> String {
        let text = match self.0 {
            -12..=0 => format!("{value:.*}", usize::try_from(-self.0).unwrap_or(0)),
            1..=6 => {
                let step = 10f64.powi(self.0);
                format!("{:.0}", (value / step).round() * step)
            }
            _ => significant(value, 6),
        };
        let zero = text.starts_with('-') && !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
        if zero { text[1..].to_owned() } else { real_minus(&text) }
    }
}

/// Minus signs as readers know them.
pub fn real_minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_their_digits() {
        for (value, digits, text) in [
            (-0.262323073774029, 12, "-0.262323073774"),
            (1.00211681802045, 5, "1.0021"),
            (0.000429796848, 3, "0.00043"),
            (1.5e-9, 3, "1.5e-9"),
            (123456.0, 3, "123456"),
            (1.0, 9, "1"),
            (2.5e20, 4, "2.5e20"),
            (0.0, 4, "0"),
        ] {
            assert_eq!(significant(value, digits), text);
        }
    }

    #[test]
    fn errors_are_stated_to_the_digits_of_their_uncertainty() {
        for (expanded, value, shown) in [
            (0.008_06, 0.171, ["0.0081", "0.1710"]),
            (0.0996, -1.234, ["0.10", "\u{2212}1.23"]),
            (0.01, 5.0, ["0.010", "5.000"]),
            (0.35, -0.001, ["0.35", "0.00"]),
            (12.4, 512.6, ["12", "513"]),
            (1234.0, 56_789.0, ["1200", "56800"]),
        ] {
            let last = LastDigit::of(expanded);
            assert_eq!([last.show(expanded), last.show(value)], shown, "{expanded}");
        }
    }
}
