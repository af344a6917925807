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
        // of two digits, so that 0.0996 becomes 0.10, not 0.100
        LastDigit(exponent(&format!("{expanded:.1e}")) - 1)
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
            last => scientific(value, last),
        };
        let zero = text.starts_with('-') && !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
        if zero { text[1..].to_owned() } else { real_minus(&text) }
    }
}

/// A number rounded to a power of ten, with its own power of ten after it.
fn scientific(value: f64, last: i32) -> String {
    let own = exponent(&format!("{value:e}"));
    if value == 0.0 || own < last - 1 || (own < last && value.abs() < 5.0 * 10f64.powi(own)) {
        return "0".to_owned();
    }
    if own < last {
        return format!("{:e}", 10f64.powi(last).copysign(value));
    }
    // a number has no more digits than 17
    let decimals = usize::try_from(own - last).unwrap_or(0).min(16);
    let text = format!("{value:.decimals$e}");
    match text.parse::<f64>() {
        // 9.96 to one decimal is 1.0e1, and that to the same place 1.00e1
        Ok(rounded) if exponent(&text) > own => format!("{rounded:.0$e}", decimals + 1),
        _ => text,
    }
}

/// The power of ten of a number in scientific form; 0 where it has none.
fn exponent(scientific: &str) -> i32 {
    scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0)
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
            (1.234e-13, 5.678_912e-12, ["1.2e\u{2212}13", "5.68e\u{2212}12"]),
            (1.234e-13, -9.999_9e-12, ["1.2e\u{2212}13", "\u{2212}1.000e\u{2212}11"]),
            (1.234e-13, 4e-15, ["1.2e\u{2212}13", "0"]),
            (1.234e-13, -6e-15, ["1.2e\u{2212}13", "\u{2212}1e\u{2212}14"]),
            (9.96e-13, 0.0, ["1.0e\u{2212}12", "0"]),
            (0.35e9, 123_456_789_012.0, ["3.5e8", "1.2346e11"]),
            (99.6e9, -3.2e9, ["1.0e11", "0"]),
            (1.234e-13, 9.996e-12, ["1.2e\u{2212}13", "1.000e\u{2212}11"]),
            (5e-324, 5e-324, ["4.9e\u{2212}324", "4.9e\u{2212}324"]),
            (1e-300, 512.6, ["1.0e\u{2212}300", "5.1260000000000002e2"]),
        ] {
            let last = LastDigit::of(expanded);
            assert_eq!([last.show(expanded), last.show(value)], shown, "{expanded}");
        }
    }
}
