//! Order statistics of the slopes between all pairs of points, without making all of them.
//!
//! A slope lies below s if and only if the two points change their order when they are sorted by
//! y - s x instead of by x. So the slopes between two bounds are the inversions between two orders,
//! which merge sort counts, samples and lists. Bounds from a seeded sample close in on the wanted
//! rank until few slopes are left, which are listed (after Matousek 1991, Inf. Process. Lett. 39,
//! 183; Cole et al. 1989). O(n log n) time expected, O(n) memory; exact for any seed.

use std::cmp::Ordering;

use super::line::power_of_two;
use crate::domain::resample::Seeded;

/// Slopes that are listed rather than narrowed down further.
const FEW: u64 = 1 << 16;

/// Slopes drawn to choose bounds by.
const SAMPLE: usize = 4096;

/// Rounds that may pass without leaving out a quarter of the slopes: never seen, but rounding could
/// bring them about.
const PATIENCE: u32 = 8;

/// Bounds beyond this are of no use: y - s x would overflow.
const STEEPEST: f64 = 1e290;

/// Of the draws; the result does not depend on it.
const SEED: u64 = 1968;

/// Points, sorted by x and then by y, brought near 1 by powers of two.
#[derive(Debug, Clone, PartialEq)]
pub struct Slopes {
    points: Vec<(f64, f64)>,
    /// What a slope between `points` has to be multiplied by.
    unit: f64,
    count: u64,
}

/// An order of the points, as places in `Slopes::points`, and how many slopes lie below it.
#[derive(Debug, Clone, PartialEq)]
struct Cut {
    order: Vec<u32>,
    below: u64,
    /// The slope that made it; none at the ends.
    slope: Option<f64>,
}

/// On which side of a slope the pairs of points that have exactly this slope are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

impl Slopes {
    /// Of the points (x, y), which are finite and fewer than 2^32.
    pub fn new(x: &[f64], y: &[f64]) -> Slopes {
        let (x_unit, y_unit) = (unit_of(x), unit_of(y));
        // adding 0 turns -0 into 0
        let mut points: Vec<_> = x.iter().zip(y).map(|(x, y)| (x / x_unit + 0.0, y / y_unit + 0.0)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let tied: u64 = points.chunk_by(|a, b| a.0 == b.0).map(|tie| choose_two(tie.len())).sum();
        let count = choose_two(points.len()) - tied;
        Slopes { points, unit: y_unit / x_unit, count }
    }

    /// How many there are: pairs of points of different x.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The slope of this rank, counted from 0 and below `count`.
    pub fn rank(&self, rank: u64) -> f64 {
        let (mut low, mut high) = self.ends();
        let mut draws = Seeded::new(SEED);
        let mut stalled = 0;
        while high.below - low.below > FEW && stalled <= PATIENCE {
            let count = high.below - low.below;
            // where ties hold the bounds apart, one bound divides them
            let margin = if stalled == 0 { 2.0 * (SAMPLE as f64).sqrt() } else { 0.0 };
            let bounds = self.bounds(&low, &high, rank, margin, &mut draws);
            (low, high) = self.narrow(low, high, bounds, rank);
            if let (Some(slope), true) = (low.slope, low.slope == high.slope) {
                return slope * self.unit;
            }
            stalled = if high.below - low.below > count - count / 4 { stalled + 1 } else { 0 };
        }
        self.listed(&low, &high, rank) * self.unit
    }

    /// The orders below and above all slopes.
    fn ends(&self) -> (Cut, Cut) {
        let low: Vec<u32> = (0..self.points.len() as u32).collect();
        let mut high = low.clone();
        high.sort_by(|a, b| self.falling_x(*a, *b));
        let cut = |order, below| Cut { order, below, slope: None };
        (cut(low, 0), cut(high, self.count))
    }

    /// The highest x first, equal ones as they are.
    fn falling_x(&self, a: u32, b: u32) -> Ordering {
        self.points[b as usize].0.total_cmp(&self.points[a as usize].0).then(a.cmp(&b))
    }

    /// Two slopes between which the wanted one lies, most likely.
    fn bounds(&self, low: &Cut, high: &Cut, rank: u64, margin: f64, draws: &mut Seeded) -> [Option<f64>; 2] {
        let count = high.below - low.below;
        let sample = self.sample(low, high, draws);
        let place = (rank - low.below) as f64 / count as f64 * sample.len() as f64;
        let at = |place: f64| -> Option<f64> {
            let within = place >= 0.0 && place < sample.len() as f64;
            within.then(|| sample[place as usize].clamp(-STEEPEST, STEEPEST))
        };
        [at((place - margin).floor()), at((place + margin).floor())]
    }

    /// The cuts nearest to the slope of rank `rank` among those given and those at `bounds`.
    fn narrow(&self, mut low: Cut, mut high: Cut, bounds: [Option<f64>; 2], rank: u64) -> (Cut, Cut) {
        for (bound, side) in bounds.into_iter().zip([Side::Below, Side::Above]) {
            let Some(slope) = bound else { continue };
            let order = self.order(slope, side);
            let below = low.below + inversions(&low.order, &order);
            let cut = Cut { order, below, slope: Some(slope) };
            if below <= rank {
                low = cut;
            } else if below < high.below || side == Side::Above && below == high.below {
                high = cut;
            }
        }
        (low, high)
    }

    /// The points by y - s x.
    fn order(&self, slope: f64, side: Side) -> Vec<u32> {
        let residual = |(at, point): (usize, &(f64, f64))| (residual(*point, slope), at as u32);
        let mut keyed: Vec<((f64, f64), u32)> = self.points.iter().enumerate().map(residual).collect();
        keyed.sort_unstable_by(|(a, i), (b, j)| {
            let tie = || match side {
                Side::Below => i.cmp(j),
                Side::Above => self.falling_x(*i, *j),
            };
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then_with(tie)
        });
        keyed.into_iter().map(|(_, place)| place).collect()
    }

    /// Slopes drawn from those between two cuts, sorted.
    fn sample(&self, low: &Cut, high: &Cut, draws: &mut Seeded) -> Vec<f64> {
        let count = (high.below - low.below) as usize;
        let mut wanted: Vec<usize> = (0..SAMPLE).map(|_| draws.below(count)).collect();
        wanted.sort_unstable();
        let mut wanted = wanted.into_iter().peekable();
        let (mut seen, mut slopes) = (0, Vec::with_capacity(SAMPLE));
        visit_inversions(&low.order, &high.order, &mut |first, second| {
            while let Some(at) = wanted.next_if(|at| *at < seen + first.len()) {
                slopes.extend(self.slope(low.order[first[at - seen] as usize], low.order[second as usize]));
            }
            seen += first.len();
        });
        slopes.sort_unstable_by(f64::total_cmp);
        slopes
    }

    /// The slope of rank `rank` between two cuts that have few slopes between them.
    fn listed(&self, low: &Cut, high: &Cut, rank: u64) -> f64 {
        let mut slopes = Vec::with_capacity((high.below - low.below).min(2 * FEW) as usize);
        visit_inversions(&low.order, &high.order, &mut |first, second| {
            let other = low.order[second as usize];
            slopes.extend(first.iter().filter_map(|at| self.slope(low.order[*at as usize], other)));
        });
        if slopes.is_empty() {
            return f64::NAN;
        }
        let place = ((rank - low.below) as usize).min(slopes.len() - 1);
        *slopes.select_nth_unstable_by(place, f64::total_cmp).1
    }

    /// `None` for equal x.
    fn slope(&self, a: u32, b: u32) -> Option<f64> {
        let (a, b) = (self.points[a as usize], self.points[b as usize]);
        (a.0 != b.0).then(|| (b.1 - a.1) / (b.0 - a.0))
    }
}

fn unit_of(values: &[f64]) -> f64 {
    power_of_two(values.iter().fold(0.0, |most, value| value.abs().max(most)))
}

fn choose_two(count: usize) -> u64 {
    let count = count as u64;
    count * count.saturating_sub(1) / 2
}

/// y - s x as a sum of two doubles: to 106 bits, so that the order of close points is right.
fn residual((x, y): (f64, f64), slope: f64) -> (f64, f64) {
    let (product, rest) = product(slope, x);
    let sum = y - product;
    let back = sum - y;
    let lost = (y - (sum - back)) - (product + back);
    let low = lost - rest;
    let high = sum + low;
    (high + 0.0, low - (high - sum) + 0.0)
}

/// a b exactly, as a sum of two doubles (Dekker 1971).
fn product(a: f64, b: f64) -> (f64, f64) {
    let halves = |value: f64| {
        let large = value * 134_217_729.0;
        let high = large - (large - value);
        (high, value - high)
    };
    let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
    let product = a * b;
    (product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low)
}

/// How many pairs of points stand in one order in `low` and in the other in `high`.
fn inversions(low: &[u32], high: &[u32]) -> u64 {
    let mut count = 0;
    visit_inversions(low, high, &mut |first, _| count += first.len() as u64);
    count
}

/// Visits these pairs: each of the first with the second, as places in `low`.
fn visit_inversions(low: &[u32], high: &[u32], visit: &mut impl FnMut(&[u32], u32)) {
    let mut places = vec![0; low.len()];
    for (at, point) in low.iter().enumerate() {
        places[*point as usize] = at as u32;
    }
    let mut sequence: Vec<u32> = high.iter().map(|point| places[*point as usize]).collect();
    // the list of places has done its work
    merge_sort(&mut sequence, &mut places, visit);
}

/// Sorts; visits, before a number moves ahead of larger ones, these and the number.
fn merge_sort(numbers: &mut [u32], scratch: &mut [u32], visit: &mut impl FnMut(&[u32], u32)) {
    if numbers.len() < 2 {
        return;
    }
    let (left, right) = numbers.split_at_mut(numbers.len() / 2);
    let (left_scratch, right_scratch) = scratch.split_at_mut(left.len());
    merge_sort(left, left_scratch, visit);
    merge_sort(right, right_scratch, visit);
    let (mut i, mut j) = (0, 0);
    for place in scratch.iter_mut() {
        if j == right.len() || i < left.len() && left[i] < right[j] {
            *place = left[i];
            i += 1;
        } else {
            if i < left.len() {
                visit(&left[i..], right[j]);
            }
            *place = right[j];
            j += 1;
        }
    }
    numbers.copy_from_slice(scratch);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(x: &[f64], y: &[f64]) -> Vec<f64> {
        let pairs = (0..x.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let mut slopes: Vec<f64> =
            pairs.filter(|(i, j)| x[*i] != x[*j]).map(|(i, j)| (y[i] - y[j]) / (x[i] - x[j])).collect();
        slopes.sort_by(f64::total_cmp);
        slopes
    }

    #[track_caller]
    fn agrees(x: &[f64], y: &[f64]) {
        let (it, slopes) = (Slopes::new(x, y), all(x, y));
        let count = slopes.len();
        assert_eq!(it.count(), count as u64);
        for rank in [0, 1, count / 40, count / 2, count / 2 + 1, count - count / 40, count - 1] {
            let (found, expected) = (it.rank(rank as u64), slopes[rank]);
            assert!(
                (found - expected).abs() <= 8.0 * f64::EPSILON * expected.abs(),
                "{rank}: {found:e} {expected:e}"
            );
        }
    }

    fn scattered(n: usize, step: f64, offset: f64) -> (Vec<f64>, Vec<f64>) {
        let mut draws = Seeded::new(5);
        let round = |value: f64| if step > 0.0 { (value / step).round() * step } else { value };
        let x: Vec<f64> = (0..n).map(|_| offset + round(10.0 * draws.uniform())).collect();
        let y = x.iter().map(|x| round(1.5 * (x - offset) + draws.normal())).collect();
        (x, y)
    }

    #[test]
    fn many_slopes_are_narrowed_to_the_right_one() {
        for (step, offset) in [(0.0, 0.0), (0.1, 0.0), (1.0, 0.0), (0.0, 1e9), (0.1, -1e6), (5.0, 0.0)] {
            let (x, y) = scattered(1200, step, offset);
            agrees(&x, &y);
        }
    }

    #[test]
    fn points_on_few_lines_end() {
        // two slopes only, and one
        let x: Vec<f64> = (0..800).map(f64::from).collect();
        let steps: Vec<f64> = x.iter().map(|x| 0.1 * x).collect();
        agrees(&x, &steps);
        let two: Vec<f64> = (0..800).map(|i| f64::from(i % 2)).collect();
        agrees(&two, &steps);
        agrees(&x, &two);
        agrees(&x, &vec![0.0; 800]);
    }

    #[test]
    fn close_neighbours_with_wild_slopes_do_not_disturb() {
        let (mut x, mut y) = scattered(900, 0.0, 3.0);
        for at in 0..300 {
            x[at] = x[at + 300] + 1e-15 * at as f64;
            y[at + 600] *= 1e12;
        }
        agrees(&x, &y);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
        #[test]
        fn any_numbers_agree(
            points in proptest::collection::vec((-3i32..60, -1e3..1e3f64, -20i32..20), 400..500),
        ) {
            let x: Vec<f64> = points.iter().map(|(x, _, _)| f64::from(*x)).collect();
            let y: Vec<f64> = points.iter().map(|(_, y, power)| y * f64::from(*power).exp2()).collect();
            agrees(&x, &y);
            agrees(&y, &x);
        }
    }
}
