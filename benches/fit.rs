//! What a fit of 10,000 pairs costs, by method.
//!
//! With `CALIBD_BENCH_DATA=DIR` the pairs are written there first, so that others can fit the same:
//! `benches/peers/run` does, and prints the ratios.

use std::fmt::Write as _;
use std::hint::black_box;

use calibd::domain::fit::method::{Method, Options, fit};
use calibd::domain::fit::{Column, Pairs};
use calibd::domain::resample::Seeded;
use criterion::{Criterion, criterion_group, criterion_main};

const PAIRS: usize = 10_000;
/// The sensor and its covariates.
const COLUMNS: usize = 6;

type Curve = fn(f64) -> f64;

/// The curves that the references follow, apart from noise: one name a family.
const CURVES: [(&str, Curve); 6] = [
    ("line", |x| 2.0 + 0.8 * x),
    ("cubic", |x| 1.0 + 0.5 * x + 0.02 * x * x - 0.0004 * x * x * x),
    ("exponential", |x| 3.0 + 1.5 * (0.08 * x).exp()),
    ("saturation", |x| 90.0 * -(-0.06 * x).exp_m1()),
    ("power", |x| 0.7 * x.powf(1.4)),
    ("logistic", |x| 80.0 / (1.0 + (4.0 - 0.2 * x).exp())),
];

/// Columns of one length, by name.
struct Data {
    columns: Vec<(String, Vec<f64>)>,
}

impl Data {
    fn measurement() -> Data {
        let mut random = Seeded::new(20_261_122);
        let mut columns: Vec<(String, Vec<f64>)> = (1..=COLUMNS)
            .map(|at| (format!("x{at}"), (0..PAIRS).map(|_| 0.5 + 49.5 * random.uniform()).collect()))
            .collect();
        for (name, curve) in CURVES {
            let y = columns[0].1.iter().map(|x| curve(*x) + 0.5 * random.normal()).collect();
            columns.push((name.to_owned(), y));
        }
        let rational = columns[0].1.iter().map(|x| (5.0 + 2.0 * x) / (1.0 + 0.05 * x));
        columns.push(("rational".to_owned(), rational.map(|y| y + 0.2 * random.normal()).collect()));
        let sum = |at: usize| 3.0 + columns[..COLUMNS].iter().map(|(_, x)| 0.3 * x[at]).sum::<f64>();
        columns.push(("sum".to_owned(), (0..PAIRS).map(|at| sum(at) + random.normal()).collect()));
        for u in ["ux", "uy"] {
            columns.push((u.to_owned(), (0..PAIRS).map(|_| 0.3 + 0.4 * random.uniform()).collect()));
        }
        Data { columns }
    }

    fn probability() -> Data {
        let mut random = Seeded::new(7);
        let score: Vec<f64> = (0..PAIRS).map(|_| 2.5 * random.normal()).collect();
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let label = score.iter().map(|z| f64::from(u8::from(random.uniform() < sigmoid(0.6 * z - 0.4))));
        let label = label.collect();
        let probability = score.iter().map(|z| sigmoid(*z)).collect();
        let named = [("score", score), ("probability", probability), ("label", label)];
        Data { columns: named.map(|(name, values)| (name.to_owned(), values)).into() }
    }

    fn column(&self, name: &str) -> Column {
        let found =
            self.columns.iter().find(|(other, _)| other == name).expect("the bench names its columns");
        Column::new(name, found.1.clone())
    }

    fn pairs(&self, x: &[&str], y: &str) -> Pairs {
        let x = x.iter().map(|name| self.column(name)).collect();
        Pairs::new(x, self.column(y)).expect("the bench's pairs are sound")
    }

    fn csv(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut text = names.join(",") + "\n";
        for at in 0..PAIRS {
            let row: Vec<String> = self.columns.iter().map(|(_, values)| values[at].to_string()).collect();
            let _ = writeln!(text, "{}", row.join(","));
        }
        text
    }
}

fn cases(values: &Data, scores: &Data) -> Vec<(&'static str, Pairs)> {
    let curve = |y: &str| values.pairs(&["x1"], y);
    let sure = "the bench's uncertainties are sound";
    let york = curve("line").with_ux(values.column("ux")).and_then(|it| it.with_uy(values.column("uy")));
    vec![
        ("offset", curve("line")),
        ("affine", curve("line")),
        ("polynomial:3", curve("cubic")),
        ("multilinear", values.pairs(&["x1", "x2", "x3", "x4", "x5", "x6"], "sum")),
        ("deming", curve("line")),
        ("york", york.expect(sure)),
        ("theil-sen", curve("line")),
        ("huber", curve("line")),
        ("piecewise:8", curve("cubic")),
        ("isotonic", curve("line")),
        ("rational:1/1", curve("rational")),
        ("exponential", curve("exponential")),
        ("saturation", curve("saturation")),
        ("power", curve("power")),
        ("logistic", curve("logistic")),
        ("platt", scores.pairs(&["score"], "label")),
        ("temperature", scores.pairs(&["score"], "label")),
        ("beta", scores.pairs(&["probability"], "label")),
        ("histogram:15", scores.pairs(&["probability"], "label")),
        ("venn-abers", scores.pairs(&["score"], "label")),
    ]
}

fn fits(c: &mut Criterion) {
    let (values, scores) = (Data::measurement(), Data::probability());
    if let Some(folder) = std::env::var_os("CALIBD_BENCH_DATA") {
        let folder = std::path::Path::new(&folder);
        std::fs::create_dir_all(folder).expect("the folder for the bench's data can be made");
        for (name, data) in [("measurement.csv", &values), ("probability.csv", &scores)] {
            std::fs::write(folder.join(name), data.csv()).expect("the bench's data can be written");
        }
    }
    let mut group = c.benchmark_group("fit");
    group.sample_size(10);
    let options = Options::default();
    for (name, pairs) in cases(&values, &scores) {
        let method = Method::parse(name).expect("the bench names methods that exist");
        fit(method, &pairs, &options).expect(name);
        group.bench_function(name, |b| b.iter(|| fit(method, black_box(&pairs), &options)));
    }
    group.finish();
}

criterion_group!(benches, fits);
criterion_main!(benches);
