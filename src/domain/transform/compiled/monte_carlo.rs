//! Uncertainties against draws at random (GUM Supplement 1, JCGM 101:2008), with fixed seeds.

use serde_json::json;

use super::super::testing::compiled;
use super::{Covariate, Input};
use crate::domain::resample::Seeded;

/// Cholesky factor of a 2 by 2 covariance, for drawing.
fn draw(random: &mut Seeded, mean: [f64; 2], covariance: [[f64; 2]; 2]) -> [f64; 2] {
    let l00 = covariance[0][0].sqrt();
    let l10 = covariance[1][0] / l00;
    let l11 = (covariance[1][1] - l10 * l10).sqrt();
    let (p, q) = (random.normal(), random.normal());
    [mean[0] + l00 * p, mean[1] + l10 * p + l11 * q]
}

/// GUM Supplement 1: the same budget by drawing everything at random (fixed seed). The nonlinear
/// terms that first order leaves out are below 1 % here; the sampling error is 0.7 %.
#[test]
fn propagation_agrees_with_a_monte_carlo() {
    let first = [[1.2e-3, -3e-5], [-3e-5, 8e-6]];
    let second = [[4e-4, 1e-4], [1e-4, 9e-4]];
    let it = compiled(json!({
        "pipeline": [
            {"kind": "affine", "offset": -0.42, "gain": 1.034, "covariance": first},
            {"kind": "table", "x": [0, 2, 9], "y": [0, 3, 7]},
            {"kind": "polynomial", "coefficients": [0.3, 0.9, 0.02],
                "covariance": [[4e-4, 1e-4, 0.0], [1e-4, 9e-4, 0.0], [0.0, 0.0, 0.0]]},
        ],
        "uncertainty": {"residual_std": 0.05, "raw_std_at_fit": 0.03, "reference_systematic": 0.02,
            "drift": {"model": "random_walk", "offset": 0.01, "gain": 0.004, "per": "sqrt_day"}},
    }));
    let mut random = Seeded::new(20_261_122);
    for (raw, u_raw, age) in [(4.0, 0.03, 0.0), (5.5, 0.1, 30.0), (3.3, 0.02, 200.0), (7.0, 0.2, 1.0)] {
        let noise = f64::max(0.0, u_raw * u_raw - 9e-4f64).sqrt();
        let mut draws = Vec::new();
        for _ in 0..100_000 {
            let x = raw + noise * random.normal();
            let [a, b] = draw(&mut random, [-0.42, 1.034], first);
            let z = a + b * x;
            let z = if z < 2.0 { 1.5 * z } else { 3.0 + (z - 2.0) * 4.0 / 7.0 };
            let [c0, c1] = draw(&mut random, [0.3, 0.9], second);
            let y = c0 + c1 * z + 0.02 * z * z;
            let gain = 1.0 + 0.004 * f64::sqrt(age) * random.normal();
            let rest =
                0.05 * random.normal() + 0.02 * random.normal() + 0.01 * f64::sqrt(age) * random.normal();
            draws.push(y * gain + rest);
        }
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / (draws.len() - 1) as f64;
        let out = it.apply(&Input { raw, u_raw: Some(u_raw), covariates: &[], age_days: age });
        let ratio = out.u.unwrap() / variance.sqrt();
        assert!((ratio - 1.0).abs() < 0.03, "{raw}: {ratio}");
        assert!((out.value.unwrap() - mean).abs() < 0.05 * variance.sqrt(), "{raw}: {mean}");
    }
}

/// A pipeline of a table of the temperature, a logarithm, and a line in temperature and humidity, as
/// it is written in a text book; the same temperature enters twice.
#[test]
fn covariates_agree_with_a_monte_carlo() {
    let (logarithm, line) = ([[4e-4, -1e-4], [-1e-4, 9e-4]], [[1e-4, 5e-5], [5e-5, 4e-4]]);
    let it = compiled(json!({
        "pipeline": [
            {"kind": "covariate_table", "covariate": "t", "x": [10, 20, 30], "y": [0.9, 1.1, 1.3], "operation": "multiply",
                "u": [0.01, 0.012, 0.02]},
            {"kind": "logarithm", "parameters": [0.3, 1.7], "covariance": logarithm},
            {"kind": "multilinear", "offset": -0.4, "gain": 2.0,
                "terms": [{"covariate": "t", "gain": -0.06}, {"covariate": "h", "gain": 0.02}],
                "covariance": [[1e-4, 5e-5, 0, 0], [5e-5, 4e-4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1e-6]]},
        ],
        "uncertainty": {"residual_std": 0.02},
    }));
    let mut random = Seeded::new(20_261_124);
    for (raw, u_raw, t, u_t, h, u_h) in [
        (50.0, 0.5, 24.0, 0.8, 40.0, 2.0),
        (8.0, 0.05, 13.0, 1.0, 70.0, 0.5),
        (900.0, 9.0, 27.0, 0.1, 20.0, 3.0),
    ] {
        let draws: Vec<f64> = (0..100_000)
            .map(|_| {
                let temperature = t + u_t * random.normal();
                let factors = [
                    0.9 + 0.01 * random.normal(),
                    1.1 + 0.012 * random.normal(),
                    1.3 + 0.02 * random.normal(),
                ];
                let along = |from: usize, t0: f64| {
                    factors[from] + (factors[from + 1] - factors[from]) * (temperature - t0) / 10.0
                };
                let factor = if temperature < 20.0 { along(0, 10.0) } else { along(1, 20.0) };
                let x = (raw + u_raw * random.normal()) * factor;
                let [a, b] = draw(&mut random, [0.3, 1.7], logarithm);
                let [c, g] = draw(&mut random, [-0.4, 2.0], line);
                let humidity = h + u_h * random.normal();
                let k = 0.02 + 1e-3 * random.normal();
                c + g * (a + b * x.ln()) - 0.06 * temperature + k * humidity + 0.02 * random.normal()
            })
            .collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / (draws.len() - 1) as f64;
        let known = |value, u| Some(Covariate { value, u: Some(u) });
        let around = [known(t, u_t), known(h, u_h)];
        let out = it.apply(&Input { raw, u_raw: Some(u_raw), covariates: &around, age_days: 0.0 });
        let ratio = out.u.unwrap() / variance.sqrt();
        assert!((ratio - 1.0).abs() < 0.03, "{raw}: {ratio}");
        assert!((out.value.unwrap() - mean).abs() < 0.03 * variance.sqrt(), "{raw}: {mean}");
    }
}
