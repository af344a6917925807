//! What the tests of these fits share: the golden data and pairs made on the spot.

use serde_json::Value;

use super::super::pairs::{Column, Pairs};

const SETS: [(&str, &str, &str, &str); 2] = [
    (
        "breast_cancer_gnb",
        include_str!("../../../../tests/data/probcal/breast_cancer_gnb.cal.csv"),
        include_str!("../../../../tests/data/probcal/breast_cancer_gnb.test.csv"),
        include_str!("../../../../tests/data/probcal/breast_cancer_gnb.golden.json"),
    ),
    (
        "synth_tree_ties",
        include_str!("../../../../tests/data/probcal/synth_tree_ties.cal.csv"),
        include_str!("../../../../tests/data/probcal/synth_tree_ties.test.csv"),
        include_str!("../../../../tests/data/probcal/synth_tree_ties.golden.json"),
    ),
];

/// Rows of score, probability and label.
pub(in crate::domain) struct Rows {
    pub score: Vec<f64>,
    pub prob: Vec<f64>,
    pub label: Vec<f64>,
}

impl Rows {
    fn read(text: &str) -> Rows {
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
            .collect();
        let column = |at: usize| rows.iter().map(|row| row[at]).collect();
        Rows { score: column(0), prob: column(1), label: column(2) }
    }
}

/// A set with what other libraries and exact solutions give for it.
pub(in crate::domain) struct Set {
    pub name: &'static str,
    pub cal: Rows,
    pub test: Rows,
    pub golden: Value,
}

/// The golden sets.
pub(in crate::domain) fn sets() -> Vec<Set> {
    let read = |(name, cal, test, golden): (&'static str, &str, &str, &str)| Set {
        name,
        cal: Rows::read(cal),
        test: Rows::read(test),
        golden: serde_json::from_str(golden).unwrap(),
    };
    SETS.into_iter().map(read).collect()
}

/// The numbers of a list; NaN for null.
pub(in crate::domain) fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|it| it.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Pairs of a score and a label.
pub(in crate::domain) fn pairs(x: &[f64], y: &[f64]) -> Pairs {
    Pairs::new(vec![Column::new("score", x.to_vec())], Column::new("label", y.to_vec())).unwrap()
}

/// The same with weights.
pub(in crate::domain) fn weighted(x: &[f64], y: &[f64], weights: &[f64]) -> Pairs {
    pairs(x, y).with_weights(Column::new("weight", weights.to_vec())).unwrap()
}

/// The largest difference of two lists of one length, which NaN makes infinite.
pub(in crate::domain) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |most, it| {
        if it <= most {
            most
        } else if it.is_nan() {
            f64::INFINITY
        } else {
            it
        }
    })
}
