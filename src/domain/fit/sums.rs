//! Sums over many pairs.

/// Sums that run side by side: the processor adds several at a time, and fewer roundings follow
/// upon one another.
const LANES: usize = 8;

/// sum a_i b_i.
#[inline]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for at in 0..LANES {
            lanes[at] += a[at] * b[at];
        }
    }
    collect(lanes) + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// The least and the greatest, of finite numbers; infinities of none.
#[inline]
pub fn extent(a: &[f64]) -> (f64, f64) {
    let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    let mut take = |at: usize, value: f64| {
        low[at] = if value < low[at] { value } else { low[at] };
        high[at] = if value > high[at] { value } else { high[at] };
    };
    let (chunks, rest) = a.as_chunks::<LANES>();
    for chunk in chunks {
        chunk.iter().enumerate().for_each(|(at, value)| take(at, *value));
    }
    rest.iter().for_each(|value| take(0, *value));
    (low.into_iter().fold(f64::INFINITY, f64::min), high.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

/// sum a_i.
#[inline]
pub fn sum(a: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a, rest) = a.as_chunks::<LANES>();
    for a in a {
        for at in 0..LANES {
            lanes[at] += a[at];
        }
    }
    collect(lanes) + rest.iter().sum::<f64>()
}

fn collect(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_leave_nothing_out() {
        for count in [0, 1, 7, 8, 9, 31] {
            let a: Vec<f64> = (1..=count).map(f64::from).collect();
            assert_eq!(
                extent(&a),
                a.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (v.min(l), v.max(h)))
            );
            assert_eq!(sum(&a), f64::from(count * (count + 1) / 2));
            assert_eq!(dot(&a, &a), f64::from(count * (count + 1) * (2 * count + 1) / 6));
        }
    }
}
