//! Sums over many pairs.

/// Sums that run side by side: the processor adds several at a time, and fewer roundings follow upon one
/// another. They are written out because a compiler that saves space unrolls nothing.
const LANES: usize = 8;

/// sum a_i b_i.
#[inline(never)]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut s = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        s = [
            s[0] + a[0] * b[0],
            s[1] + a[1] * b[1],
            s[2] + a[2] * b[2],
            s[3] + a[3] * b[3],
            s[4] + a[4] * b[4],
            s[5] + a[5] * b[5],
            s[6] + a[6] * b[6],
            s[7] + a[7] * b[7],
        ];
    }
    collect(s) + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// sum a_i.
#[inline(never)]
pub fn sum(a: &[f64]) -> f64 {
    let mut s = [0.0; LANES];
    let (chunks, rest) = a.as_chunks::<LANES>();
    for a in chunks {
        s = [
            s[0] + a[0],
            s[1] + a[1],
            s[2] + a[2],
            s[3] + a[3],
            s[4] + a[4],
            s[5] + a[5],
            s[6] + a[6],
            s[7] + a[7],
        ];
    }
    collect(s) + rest.iter().sum::<f64>()
}

fn collect(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

/// Adds `factor` times `x` to `y`.
#[inline(never)]
pub fn add_multiple(y: &mut [f64], factor: f64, x: &[f64]) {
    let ((y, y_rest), (x, x_rest)) = (y.as_chunks_mut::<4>(), x.as_chunks::<4>());
    for (y, x) in y.iter_mut().zip(x) {
        *y = [y[0] + factor * x[0], y[1] + factor * x[1], y[2] + factor * x[2], y[3] + factor * x[3]];
    }
    y_rest.iter_mut().zip(x_rest).for_each(|(y, x)| *y += factor * x);
}

/// The least and the greatest, of finite numbers; infinities of none.
#[inline(never)]
pub fn extent(a: &[f64]) -> (f64, f64) {
    let less = |a: f64, b: f64| if a < b { a } else { b };
    let more = |a: f64, b: f64| if a > b { a } else { b };
    let (mut low, mut high) = ([f64::INFINITY; 4], [f64::NEG_INFINITY; 4]);
    let (chunks, rest) = a.as_chunks::<4>();
    for a in chunks {
        low = [less(a[0], low[0]), less(a[1], low[1]), less(a[2], low[2]), less(a[3], low[3])];
        high = [more(a[0], high[0]), more(a[1], high[1]), more(a[2], high[2]), more(a[3], high[3])];
    }
    let lows = low.iter().chain(rest);
    let highs = high.iter().chain(rest);
    (
        lows.fold(f64::INFINITY, |low, a| less(*a, low)),
        highs.fold(f64::NEG_INFINITY, |high, a| more(*a, high)),
    )
}

/// sum (a_i - center)^2 and sum (a_i - center) (a_{i-1} - center).
#[inline(never)]
pub fn products(a: &[f64], center: f64) -> (f64, f64) {
    let Some((first, rest)) = a.split_first() else { return (0.0, 0.0) };
    let mut last = first - center;
    let (mut squares, mut lagged) = ([last * last, 0.0, 0.0, 0.0], [0.0; 4]);
    let (chunks, rest) = rest.as_chunks::<4>();
    for a in chunks {
        let d = [a[0] - center, a[1] - center, a[2] - center, a[3] - center];
        squares = [
            squares[0] + d[0] * d[0],
            squares[1] + d[1] * d[1],
            squares[2] + d[2] * d[2],
            squares[3] + d[3] * d[3],
        ];
        lagged = [
            lagged[0] + d[0] * last,
            lagged[1] + d[1] * d[0],
            lagged[2] + d[2] * d[1],
            lagged[3] + d[3] * d[2],
        ];
        last = d[3];
    }
    for a in rest {
        let d = a - center;
        squares[0] += d * d;
        lagged[0] += d * last;
        last = d;
    }
    let collect = |[a, b, c, d]: [f64; 4]| (a + b) + (c + d);
    (collect(squares), collect(lagged))
}

/// sum (a_i - center)^2.
#[inline(never)]
pub fn squares(a: &[f64], center: f64) -> f64 {
    let mut s = [0.0; 4];
    let (chunks, rest) = a.as_chunks::<4>();
    for a in chunks {
        let d = [a[0] - center, a[1] - center, a[2] - center, a[3] - center];
        s = [s[0] + d[0] * d[0], s[1] + d[1] * d[1], s[2] + d[2] * d[2], s[3] + d[3] * d[3]];
    }
    ((s[0] + s[1]) + (s[2] + s[3])) + rest.iter().map(|a| (a - center) * (a - center)).sum::<f64>()
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
            let mut y = vec![1.0; a.len()];
            add_multiple(&mut y, 2.0, &a);
            assert!(y.iter().zip(&a).all(|(y, a)| *y == 1.0 + 2.0 * a));
            assert_eq!(sum(&a), f64::from(count * (count + 1) / 2));
            let lagged: f64 = a.windows(2).map(|a| (a[0] - 2.0) * (a[1] - 2.0)).sum();
            let square: f64 = a.iter().map(|a| (a - 2.0) * (a - 2.0)).sum();
            assert_eq!((products(&a, 2.0), squares(&a, 2.0)), ((square, lagged), square));
            assert_eq!(dot(&a, &a), f64::from(count * (count + 1) * (2 * count + 1) / 6));
        }
    }
}
