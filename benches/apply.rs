//! What it costs to calibrate one reading, uncertainty and domain included.

use std::hint::black_box;

use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::{Compiled, Covariate, Input, compile};
use criterion::{Criterion, criterion_group, criterion_main};

fn make(pipeline: &str) -> Compiled {
    let text = format!(
        r#"{{"schema": 1, "id": "bench", "epoch": 1, "version": 1,
            "target": {{"fleet": "f", "sensors": ["s"]}}, "quantity": "q",
            "input_unit": "[ppb]", "output_unit": "[ppb]", "pipeline": [{pipeline}],
            "domain": {{"input": [0, 1000], "output": [-100, 5000], "covariates": {{"temperature": [-10, 40]}}}},
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

fn apply(c: &mut Criterion) {
    let cases = [
        ("offset", OFFSET.to_owned()),
        ("affine", AFFINE.to_owned()),
        ("cubic", CUBIC.to_owned()),
        ("table of 16", table(16)),
        ("table of 1024", table(1024)),
        ("offset, cubic, table of 16, affine", [OFFSET, CUBIC, &table(16), AFFINE].join(",")),
        ("unit, cubic", [UNIT, CUBIC].join(",")),
    ];
    let readings = readings();
    let mut group = c.benchmark_group("apply");
    for (name, pipeline) in cases {
        let transform = make(&pipeline);
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
