//! A reference value as it is typed: `4.98 mg/m3`.

use super::fault::Fault;

/// The longest text that is looked at, in characters.
const LONGEST: usize = 60;

/// The number and, if there is one, the unit behind it.
///
/// # Errors
/// A decimal comma, which is never guessed at, and what is no finite number.
pub fn number_and_unit(text: &str) -> Result<(f64, Option<&str>), Fault> {
    let shown = || text.chars().take(LONGEST).collect::<String>();
    let text_given = text.trim();
    let (number, unit) = match text_given.split_once(char::is_whitespace) {
        Some((number, unit)) => (number, Some(unit.trim())),
        None => (text_given, None),
    };
    if number.contains(',') {
        return Err(Fault::Comma(shown()));
    }
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((value, unit.filter(|unit| !unit.is_empty()))),
        _ => Err(Fault::NotANumber(shown())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_units_are_told_apart() {
        assert_eq!(number_and_unit(" 4.98  mg/m3 "), Ok((4.98, Some("mg/m3"))));
        assert_eq!(number_and_unit("-1e-3"), Ok((-1e-3, None)));
        assert_eq!(number_and_unit("0 Cel"), Ok((0.0, Some("Cel"))));
    }

    #[test]
    fn commas_are_never_guessed_at() {
        for text in ["4,98 mg/m3", "1,000", "4,98"] {
            let message = number_and_unit(text).unwrap_err().to_string();
            assert!(message.contains("write the number with a point"), "{message}");
        }
        for text in ["", "mg/m3", "nan mg/m3", "inf", "4.98mg/m3", "4..9 mg/m3"] {
            assert_eq!(number_and_unit(text), Err(Fault::NotANumber(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_does_harm(text in ".{0,80}") {
            let _ = number_and_unit(&text);
        }

        #[test]
        fn what_is_written_is_read(value in -1e9..1e9f64) {
            let text = format!("{value} Cel");
            prop_assert_eq!(number_and_unit(&text), Ok((value, Some("Cel"))));
        }
    }
}
