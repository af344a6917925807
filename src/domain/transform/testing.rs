//! What the tests of transforms share.

use serde_json::{Value, json};

use super::artifact::{ContentError, Transform};
use super::compiled::{Compiled, compile};

/// A transform from nA to mg/m3 with these fields in place of the common ones.
pub(super) fn transform(fields: Value) -> Transform {
    let mut all = json!({
        "schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
        "quantity": "q", "input_unit": "nA", "output_unit": "mg/m3", "pipeline": [],
        "issued_at": "2026-11-22T10:00:00Z", "expires": "2027-11-22T00:00:00Z",
    });
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    Transform::parse(all.to_string().as_bytes()).unwrap()
}

/// The same, compiled.
pub(super) fn compiled(fields: Value) -> Compiled {
    compile(&transform(fields)).unwrap()
}

/// The same, where it must not compile.
pub(super) fn refused(fields: Value) -> ContentError {
    compile(&transform(fields.clone())).expect_err(&fields.to_string())
}

/// SplitMix64 (Steele et al. 2014) with the Box-Muller transform: the same draws everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A draw from the standard normal distribution.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
