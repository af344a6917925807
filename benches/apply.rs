//! What it costs to calibrate one reading, uncertainty and domain included.

use std::hint::black_box;

use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::{Compiled, Covariate, Input, compile};
use criterion::{Criterion, criterion_group, criterion_main};

/// The units that the kinds insist on.
const UNITS: [(&str, &str, &str); 3] =
    [("steinhart_hart", "Ohm", "K"), ("callendar_van_dusen", "Ohm", "Cel"), ("nernst", "mV", "[pH]")];

fn make(pipeline: &str) -> Compiled {
    let units = UNITS.into_iter().find(|(kind, ..)| pipeline.contains(kind));
    let (_, input, output) = units.unwrap_or(("", "[ppb]", "[ppb]"));
    let text = format!(
        r#"{{"schema": 1, "id": "bench", "epoch": 1, "version": 1,
            "target": {{"fleet": "f", "sensors": ["s"]}}, "quantity": "q",
            "input_unit": "{input}", "output_unit": "{output}", "pipeline": [{pipeline}],
            "domain": {{"input": [-1000, 1000], "output": [-10000, 10000], "covariates": {{"temperature": [-10, 40]}}}},
            "uncertainty": {{"residual_std": 0.08, "raw_std_at_fit": 0.4, "reference_systematic": 0.02,
                "drift": {{"model": "random_walk", "offset": 0.01, "gain": 0.002, "per": "sqrt_day"}}}},
            "issued_at": "2026-11-22T10:00:00Z", "expires": "2027-11-22T00:00:00Z"}}"#
    );
    let transform = Transform::parse(text.as_bytes()).expect("the bench's transform parses");
    compile(&transform).expect("the bench's transform compiles")
}

const OFFSET: &str = r#"{"kind": "offset", "offset": 1.5, "covariance": [[0.01]]}"#;
const AFFINE: &str =
    r#"{"kind": "affine", "offset": -0.42, "gain": 1.034, "covariance": [[1.2e-4, -3e-6], [-3e-6, 8e-7]]}"#;
const CUBIC: &str = r#"{"kind": "polynomial", "coefficients": [0.4, 0.98, 1e-5, -2e-9],
    "covariance": [[1e-2, 0, 0, 0], [0, 1e-5, 0, 0], [0, 0, 1e-11, 0], [0, 0, 0, 1e-17]]}"#;
const UNIT: &str = r#"{"kind": "unit", "from": "[ppb]", "to": "ug/m3", "molar_mass": 28.01,
    "temperature": 20, "pressure": 101.325}"#;

fn table(points: usize) -> String {
    let x: Vec<f64> = (0..points).map(|i| i as f64 * 1000.0 / (points - 1) as f64).collect();
    let y: Vec<f64> = x.iter().map(|x| x * 1.02 + (x / 100.0).sin()).collect();
    format!(r#"{{"kind": "table", "x": {x:?}, "y": {y:?}}}"#)
}

/// Readings in no order that a branch predictor could learn.
fn readings() -> Vec<f64> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 * 1000.0 / (1u64 << 24) as f64
    };
    (0..4096).map(|_| next()).collect()
}

/// A pipeline and the range of its readings.
type Case = (&'static str, String, [f64; 2]);

const WHOLE: [f64; 2] = [0.0, 1000.0];

/// Every kind of stage by itself, with the uncertainty of its parameters.
fn kinds() -> Vec<Case> {
    let points = |count: usize| {
        let x: Vec<f64> = (0..count).map(|i| i as f64 * 1000.0 / (count - 1) as f64).collect();
        let share: Vec<f64> = x.iter().map(|x| 0.05 + x / 1200.0).collect();
        (x, share)
    };
    let (x, share) = points(64);
    let higher: Vec<f64> = share.iter().map(|share| share + 0.02).collect();
    let counts = vec![40.0; 64];
    let two = "[[1e-4, 0], [0, 1e-8]]";
    let three = "[[1e-4, 0, 0], [0, 1e-8, 0], [0, 0, 1e-10]]";
    let platinum = r#"{"kind": "callendar_van_dusen", "r0": 100, "a": 3.9083e-3, "b": -5.775e-7, "c": -4.183e-12,
        "covariance": [[1e-6, 0, 0, 0], [0, 1e-14, 0, 0], [0, 0, 1e-20, 0], [0, 0, 0, 1e-28]]}"#;
    let rest = x[1..].iter().map(|x| format!("{x:?}")).collect::<Vec<_>>().join(",");
    vec![
        ("offset", OFFSET.to_owned(), WHOLE),
        ("affine", AFFINE.to_owned(), WHOLE),
        ("cubic", CUBIC.to_owned(), WHOLE),
        (
            "cubic, centred",
            CUBIC.replacen('{', r#"{"center": 500, "scale": 512,"#, 1).replace("-2e-9", "0.5"),
            WHOLE,
        ),
        ("table of 16", table(16), WHOLE),
        ("table of 1024", table(1024), WHOLE),
        ("pchip of 16", table(16).replace("table", "pchip"), WHOLE),
        ("pchip of 1024", table(1024).replace("table", "pchip"), WHOLE),
        (
            "multilinear",
            format!(
                r#"{{"kind": "multilinear", "offset": 1, "gain": 1.1, "covariance": {three},
                    "terms": [{{"covariate": "temperature", "gain": 0.2}}]}}"#
            ),
            WHOLE,
        ),
        (
            "covariate_polynomial",
            format!(
                r#"{{"kind": "covariate_polynomial", "covariate": "temperature", "reference": 20,
                    "coefficients": [0, 0.1, 0.002], "covariance": {three}, "operation": "add"}}"#
            ),
            WHOLE,
        ),
        (
            "covariate_table",
            r#"{"kind": "covariate_table", "covariate": "temperature", "x": [-10, 0, 10, 20, 30, 40],
                "y": [0.9, 0.95, 1, 1.02, 1.03, 1.1], "u": [0.01, 0.01, 0.01, 0.01, 0.01, 0.01],
                "operation": "multiply"}"#
                .to_owned(),
            WHOLE,
        ),
        (
            "rational 1/1",
            format!(
                r#"{{"kind": "rational", "numerator": [1, 2], "denominator": [0.001], "covariance": {three}}}"#
            ),
            WHOLE,
        ),
        (
            "exponential",
            format!(r#"{{"kind": "exponential", "parameters": [1, 2, 0.002], "covariance": {three}}}"#),
            WHOLE,
        ),
        (
            "saturation",
            format!(r#"{{"kind": "saturation", "parameters": [500, 0.002], "covariance": {two}}}"#),
            WHOLE,
        ),
        (
            "power",
            format!(r#"{{"kind": "power", "parameters": [1.5, 0.9], "covariance": {two}}}"#),
            [1.0, 1000.0],
        ),
        (
            "logistic",
            format!(r#"{{"kind": "logistic", "parameters": [500, 4, 0.01], "covariance": {three}}}"#),
            WHOLE,
        ),
        (
            "logarithm",
            format!(r#"{{"kind": "logarithm", "parameters": [1, 20], "covariance": {two}}}"#),
            [1.0, 1000.0],
        ),
        (
            "steinhart_hart",
            r#"{"kind": "steinhart_hart", "coefficients": [1.129e-3, 2.341e-4, 8.775e-8],
                "covariance": [[1e-12, 0, 0], [0, 1e-14, 0], [0, 0, 1e-20]]}"#
                .to_owned(),
            [100.0, 1000.0],
        ),
        ("callendar_van_dusen above 0 Cel", platinum.to_owned(), [100.0, 300.0]),
        ("callendar_van_dusen below 0 Cel", platinum.to_owned(), [20.0, 100.0]),
        (
            "nernst",
            format!(
                r#"{{"kind": "nernst", "potential": 400, "charge": 1, "covariate": "temperature",
                    "output": "negative_log10", "covariance": {two}}}"#
            ),
            [0.0, 400.0],
        ),
        ("platt", format!(r#"{{"kind": "platt", "a": -1.2, "b": 0.1, "covariance": {two}}}"#), [-5.0, 5.0]),
        (
            "temperature",
            r#"{"kind": "temperature", "temperature": 1.6, "variance": 0.01}"#.to_owned(),
            [-5.0, 5.0],
        ),
        (
            "beta",
            format!(r#"{{"kind": "beta", "a": 0.8, "b": 1.1, "c": 0.1, "covariance": {three}}}"#),
            [0.001, 0.999],
        ),
        (
            "isotonic of 64",
            format!(r#"{{"kind": "isotonic", "x": {x:?}, "y": {share:?}, "counts": {counts:?}}}"#),
            WHOLE,
        ),
        (
            "histogram of 64",
            format!(
                r#"{{"kind": "histogram", "edges": [0, {rest}, 1020], "values": {share:?}, "counts": {counts:?}}}"#
            ),
            WHOLE,
        ),
        (
            "venn_abers of 64",
            format!(r#"{{"kind": "venn_abers", "x": {x:?}, "p0": {share:?}, "p1": {higher:?}}}"#),
            WHOLE,
        ),
        ("venn_abers of 4096", venn_abers(4096), WHOLE),
    ]
}

/// As many steps as a fit of some 10,000 pairs may have.
fn venn_abers(steps: usize) -> String {
    let x: Vec<f64> = (0..steps).map(|i| i as f64 * 1000.0 / steps as f64).collect();
    let p0: Vec<f64> = x.iter().map(|x| 0.05 + x / 1200.0).collect();
    let p1: Vec<f64> = p0.iter().map(|p| p + 0.02).collect();
    format!(r#"{{"kind": "venn_abers", "x": {x:?}, "p0": {p0:?}, "p1": {p1:?}}}"#)
}

fn chains() -> Vec<Case> {
    vec![
        ("offset, cubic, table of 16, affine", [OFFSET, CUBIC, &table(16), AFFINE].join(","), WHOLE),
        ("unit, cubic", [UNIT, CUBIC].join(","), WHOLE),
    ]
}

fn apply(c: &mut Criterion) {
    let mut group = c.benchmark_group("apply");
    for (name, pipeline, [low, high]) in kinds().into_iter().chain(chains()) {
        let transform = make(&pipeline);
        let readings: Vec<f64> = readings().iter().map(|x| low + x / 1000.0 * (high - low)).collect();
        let mut places = readings.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| {
                let raw = *places.next().unwrap_or(&0.0);
                let covariates = [Some(Covariate { value: 20.0, u: Some(0.5) })];
                let input = Input { raw, u_raw: Some(0.5), covariates: &covariates, age_days: 12.5 };
                transform.apply(black_box(&input))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, apply);
criterion_main!(benches);
