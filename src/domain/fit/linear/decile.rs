//! How far a fit is off where the reference is highest.

/// Fewest pairs of which a tenth says something.
const ENOUGH: usize = 30;
/// Values that are looked at to guess where the highest tenth begins.
const SAMPLE: usize = 256;

/// Says so, if there are enough pairs.
pub(super) fn note(y: &[f64], residuals: &[f64]) -> Option<String> {
    let bias = bias(y, residuals)?;
    Some(format!(
        "top-decile bias: where the reference is in its highest tenth, the fit is off by {} on average",
        plain(bias)
    ))
}

/// With its sign and three digits; with an exponent only if it is tiny.
fn plain(value: f64) -> String {
    let rounded = format!("{value:+.2e}");
    match rounded.parse::<f64>() {
        Ok(value) if value.abs() >= 1e-5 => format!("{value:+}"),
        _ => rounded,
    }
}

/// The mean of fitted - y over the pairs whose y is in the highest tenth; `None` of few pairs.
fn bias(y: &[f64], residuals: &[f64]) -> Option<f64> {
    if y.len() < ENOUGH {
        return None;
    }
    let from = greatest(y, y.len() / 10);
    let (mut sum, mut count) = (0.0, 0.0);
    for (y, residual) in y.iter().zip(residuals) {
        let counted = f64::from(u8::from(*y >= from));
        sum -= counted * residual;
        count += counted;
    }
    Some(sum / count)
}

/// The `rank`-th greatest value, from 1.
///
/// A sample brackets it, so that only the few values inside the bracket are sorted; if it doesn't,
/// all are.
fn greatest(values: &[f64], rank: usize) -> f64 {
    let (low, high) = bracket(values, rank as f64 / values.len() as f64);
    let mut inside = Vec::with_capacity(values.len() / 4);
    let mut above = 0;
    for value in values {
        above += usize::from(*value > high);
        if *value >= low && *value <= high {
            inside.push(*value);
        }
    }
    let (mut candidates, rank) = match rank.checked_sub(above) {
        Some(rank @ 1..) if rank <= inside.len() => (inside, rank),
        _ => (values.to_vec(), rank),
    };
    let place = candidates.len() - rank;
    *candidates.select_nth_unstable_by(place, f64::total_cmp).1
}

/// Two values of a sample, three standard errors of its share above and below.
fn bracket(values: &[f64], share: f64) -> (f64, f64) {
    let mut sample: Vec<f64> = values.iter().step_by(values.len().div_ceil(SAMPLE)).copied().collect();
    sample.sort_unstable_by(f64::total_cmp);
    let count = sample.len() as f64;
    let margin = 3.0 * (share * (1.0 - share) * count).sqrt();
    let at = |above: f64| sample[((count - above).max(0.0) as usize).min(sample.len() - 1)];
    (at(share * count + margin), at(share * count - margin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_highest_tenth_is_judged_apart() {
        let y: Vec<f64> = (0..100).map(f64::from).collect();
        let residuals: Vec<f64> = y.iter().map(|y| if *y >= 90.0 { 2.0 } else { -0.5 }).collect();
        assert_eq!(bias(&y, &residuals), Some(-2.0));
        assert_eq!(bias(&y[..20], &residuals[..20]), None);
        assert_eq!([-0.62334, 1234.5, 2.3e-9].map(plain), ["-0.623", "+1230", "+2.30e-9"]);
        assert_eq!(bias(&[1.0; 40], &[-0.25; 40]), Some(0.25));
    }

    proptest! {
        #[test]
        fn the_rank_is_that_of_a_sorted_list(
            values in proptest::collection::vec(prop_oneof![-9.0..9.0f64, Just(1.0)], 30..1500),
            sorted in any::<bool>(),
        ) {
            let mut ordered = values.clone();
            ordered.sort_unstable_by(|a, b| b.total_cmp(a));
            let rank = values.len() / 10;
            prop_assert_eq!(greatest(if sorted { &ordered } else { &values }, rank), ordered[rank - 1]);
        }
    }
}
