//! Bins of predictions: [lo, hi), the last one closed.

use serde::{Deserialize, Serialize};

/// How the bounds of bins are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Binning {
    /// All bins are equally wide.
    #[default]
    EqualWidth,
    /// All bins hold as nearly as possible equally many predictions.
    EqualMass,
}

/// A bin of predictions and what was observed in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower bound, which belongs to the bin.
    pub lo: f64,
    /// Upper bound, which belongs to the last bin only.
    pub hi: f64,
    /// Pairs in the bin.
    pub count: usize,
    /// Mean prediction; `None` in an empty bin.
    pub mean_predicted: Option<f64>,
    /// Share of events; `None` in an empty bin.
    pub observed: Option<f64>,
}

/// Most bins: a picture of more says nothing.
pub const MAX_BINS: usize = 10_000;

/// The bounds of bins: strictly increasing, one more than there are bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges(Vec<f64>);

impl Edges {
    /// The bounds of `count` bins over `range`, in which the `values` lie.
    ///
    /// Equal width: lo + (hi - lo) i / count. Equal mass: a cut after value floor((n - 1) i / count) of
    /// the sorted ones, counted from 0, and after all that equal it; the bound is in the middle between
    /// the values on either side. These are the bins (lo, hi] between the quantiles of type 7 (Hyndman,
    /// Fan 1996); where ties make cuts coincide there are fewer. Fails without a bin and with too many.
    pub fn new(values: &[f64], range: [f64; 2], count: usize, binning: Binning) -> Result<Edges, String> {
        if !(1..=MAX_BINS).contains(&count) {
            return Err(format!("expected at least one bin and at most {MAX_BINS}, found {count}"));
        }
        let inner: Vec<f64> = match binning {
            Binning::EqualWidth => {
                (1..count).map(|i| range[0] + (range[1] - range[0]) * (i as f64 / count as f64)).collect()
            }
            Binning::EqualMass => cuts(values, count),
        };
        let mut edges = vec![range[0]];
        edges.extend(inner);
        edges.push(range[1]);
        // widths of nothing: ties, or more bins than there are numbers
        edges.dedup_by(|next, before| *next <= *before);
        if edges.len() < 2 || edges[edges.len() - 1] < range[1] {
            edges.push(range[1]);
        }
        Ok(Edges(edges))
    }

    /// The bounds.
    pub fn bounds(&self) -> &[f64] {
        &self.0
    }

    /// How many bins there are.
    pub fn count(&self) -> usize {
        self.0.len() - 1
    }

    /// The bin of a value; the nearest one beyond the ends.
    pub fn place(&self, value: f64) -> usize {
        self.0[1..self.count()].partition_point(|edge| *edge <= value)
    }

    /// Merges bins with fewer than `least` values with the next ones until there are enough, the last
    /// with the one before; tells how many bounds went.
    pub fn merged(self, values: &[f64], least: usize) -> (Edges, usize) {
        let mut counts = vec![0; self.count()];
        for value in values {
            counts[self.place(*value)] += 1;
        }
        let mut edges = vec![self.0[0]];
        let mut held = 0;
        for (count, high) in counts.into_iter().zip(&self.0[1..]) {
            held += count;
            if held >= least {
                edges.push(*high);
                held = 0;
            }
        }
        let last = self.0[self.count()];
        match edges.len() {
            1 => edges.push(last),
            _ => edges.last_mut().into_iter().for_each(|edge| *edge = last),
        }
        let gone = self.0.len() - edges.len();
        (Edges(edges), gone)
    }

    /// What was predicted and observed in each bin.
    pub fn bins(&self, predicted: &[f64], labels: &[f64]) -> Vec<Bin> {
        let mut sums = vec![(0, 0.0, 0.0); self.count()];
        for (p, label) in predicted.iter().zip(labels) {
            let (count, predictions, events) = &mut sums[self.place(*p)];
            *count += 1;
            *predictions += p;
            *events += label;
        }
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        let bin = |(bounds, (count, predictions, events)): (&[f64], (usize, f64, f64))| Bin {
            lo: bounds[0],
            hi: bounds[1],
            count,
            mean_predicted: mean(predictions, count),
            observed: mean(events, count),
        };
        self.0.windows(2).zip(sums).map(bin).collect()
    }
}

fn cuts(values: &[f64], count: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut cuts = Vec::new();
    for i in 1..count {
        let Some(last) = (sorted.len().max(1) - 1).checked_mul(i).and_then(|at| sorted.get(at / count))
        else {
            break;
        };
        let above = sorted.partition_point(|value| value <= last);
        let Some(next) = sorted.get(above) else { break };
        let middle = last + (next - last) / 2.0;
        cuts.push(if middle > *last { middle } else { *next });
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edges(values: &[f64], count: usize, binning: Binning) -> Edges {
        Edges::new(values, [0.0, 1.0], count, binning).unwrap()
    }

    #[test]
    fn a_bin_holds_its_lower_bound() {
        let it = edges(&[], 10, Binning::EqualWidth);
        assert_eq!(it.bounds(), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]);
        let places = [0.0, 0.1, 0.3, 0.30000000000000004, 0.7, 0.7f64.next_down(), 1.0].map(|p| it.place(p));
        assert_eq!(places, [0, 1, 3, 3, 7, 6, 9]);
        assert_eq!((it.place(-5.0), it.place(7.0)), (0, 9));
    }

    #[test]
    fn equal_mass_keeps_ties_together() {
        assert_eq!(edges(&[0.2, 0.4, 0.6, 0.8], 2, Binning::EqualMass).bounds(), [0.0, 0.5, 1.0]);
        assert_eq!(edges(&[0.3, 0.3, 0.3, 0.8], 4, Binning::EqualMass).bounds(), [0.0, 0.55, 1.0]);
        assert_eq!(edges(&[0.3; 5], 4, Binning::EqualMass).bounds(), [0.0, 1.0]);
        assert_eq!(edges(&[0.3, 0.3f64.next_up()], 2, Binning::EqualMass).place(0.3), 0);
    }

    #[test]
    fn no_bin_and_a_million_are_refused() {
        for count in [0, 10_001, usize::MAX] {
            assert!(Edges::new(&[0.5], [0.0, 1.0], count, Binning::EqualMass).is_err());
        }
    }

    proptest! {
        #[test]
        fn merged_bins_hold_enough_and_all(
            values in proptest::collection::vec(0.0..=1.0f64, 1..50), count in 1..30usize, least in 1..60usize,
        ) {
            for binning in [Binning::EqualWidth, Binning::EqualMass] {
                let (it, gone) = edges(&values, count, binning).merged(&values, least);
                prop_assert!(it.bounds().windows(2).all(|edge| edge[0] < edge[1]));
                prop_assert_eq!((it.bounds()[0], it.bounds()[it.count()]), (0.0, 1.0));
                prop_assert!(gone < count);
                let bins = it.bins(&values, &values);
                prop_assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), values.len());
                prop_assert!(bins.iter().all(|bin| bin.count >= least) || bins.len() == 1);
            }
        }
    }
}
