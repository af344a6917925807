//! Numbers on the command line, at the prompt and in files of points.

/// Reads a finite number with a decimal point. JSON has no other numbers: what is not finite would go on as nothing.
///
/// # Errors
/// A comma, which is never guessed at, and what is no finite number.
pub fn finite(text: &str) -> Result<f64, String> {
    if text.contains(',') {
        return Err("write the number with a point, like 4.98".to_owned());
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("expected a finite number, like 4.98".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::finite;
    use crate::ctl::command;

    #[test]
    fn only_finite_numbers_with_a_point_are_read() {
        assert_eq!((finite("4.98"), finite("-1e-3"), finite("0")), (Ok(4.98), Ok(-1e-3), Ok(0.0)));
        for text in ["NaN", "inf", "-infinity", "1e999", "", "4.98mg", "1 000"] {
            assert!(finite(text).unwrap_err().contains("a finite number"), "{text}");
        }
        for text in ["4,98", "1,000", ","] {
            assert!(finite(text).unwrap_err().contains("with a point"), "{text}");
        }
    }

    #[test]
    fn no_argument_takes_what_is_no_number() {
        for line in [
            "standard add s --unit mg/m3 --value",
            "standard add s --unit mg/m3 --u",
            "reference add co-1",
            "reference add co-1 4 mg/m3 --u",
            "reference add co-1 4 mg/m3 --k 2 --U",
            "reference add co-1 4 mg/m3 --U 1 --k",
            "reference import co-1 a.csv --u",
            "apply a.csv --transform t.json --age-days",
            "plot a.csv --kind drift -o a.svg --limit",
            "detect a.csv --x v --detector cusum --k",
            "detect a.csv --x v --detector cusum --h",
            "detect a.csv --x v --detector ewma --lambda",
            "detect a.csv --x v --detector ewma --limit",
            "detect a.csv --x v --detector adwin --delta",
            "detect a.csv --x v --detector page-hinkley --threshold",
            "detect a.csv --x v --detector page-hinkley --alpha",
            "detect a.csv --x v --detector ks --p",
            "evaluate a.csv --kind measurement --k",
            "evaluate a.csv --kind measurement --mpe",
            "evaluate a.csv --kind measurement --mpe-relative",
            "evaluate a.csv --kind probability --threshold",
            "evaluate a.csv --kind probability --cost-fn 1 --threshold 1 --cost-fp",
            "evaluate a.csv --kind probability --cost-fp 1 --threshold 1 --cost-fn",
            "fit a.csv --method affine --variance-ratio",
            "fit a.csv --method affine --start",
        ] {
            for number in ["NaN", "inf"] {
                let words = ["calibctl"].into_iter().chain(line.split(' ')).chain([number]);
                let fault = command().try_get_matches_from(words).unwrap_err().to_string();
                assert!(fault.contains("a finite number"), "{line} {number}: {fault}");
            }
        }
    }
}
