//! Residuals of values that depend on the one before them.

use serde::{Deserialize, Serialize};

use super::{BaselineError, taken};

/// So many sums of the baseline's values are kept to try a CUSUM on.
const BLOCKS: usize = 128;
/// Autoregressions are taken to be no stronger: a walk has no level to come back to.
const STRONGEST: f64 = 0.98;

/// What the values of a baseline say about their level and their dependence, gathered value by value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learner {
    needed: usize,
    n: usize,
    /// The first value; what follows is kept as the distance from it.
    origin: f64,
    sum: f64,
    squares: f64,
    /// Products of values that follow each other.
    lagged: f64,
    last: f64,
    /// Sums of the values in each block, and the last value in it.
    blocks: Vec<[f64; 2]>,
}

impl Learner {
    /// Learns from `needed` values, at least 10.
    pub fn new(needed: usize) -> Learner {
        Learner {
            needed: needed.max(10),
            n: 0,
            origin: 0.0,
            sum: 0.0,
            squares: 0.0,
            lagged: 0.0,
            last: 0.0,
            blocks: Vec::new(),
        }
    }

    /// Takes the next value; `true` once there are enough.
    pub fn push(&mut self, value: f64) -> bool {
        let Some(value) = taken(value) else { return self.n >= self.needed };
        if self.n == 0 {
            self.origin = value;
        }
        let value = value - self.origin;
        if self.n.is_multiple_of(self.block()) {
            self.blocks.push([0.0, 0.0]);
        }
        if let Some(block) = self.blocks.last_mut() {
            *block = [block[0] + value, value];
        }
        self.sum += value;
        self.squares += value * value;
        self.lagged += value * self.last;
        self.last = value;
        self.n += 1;
        self.n >= self.needed
    }

    /// Values so far, and how many are needed.
    pub fn progress(&self) -> [usize; 2] {
        [self.n, self.needed]
    }

    /// What was learnt: level, scale, and the coefficient of an autoregression of order 1, corrected for its
    /// bias (Marriott, Pope, Biometrika 41:390, 1954) and held within [0, 0.98].
    pub fn whitened(&self) -> Result<Whitened, BaselineError> {
        if self.n < self.needed {
            return Err(BaselineError::TooFew { needed: self.needed, found: self.n });
        }
        let n = self.n as f64;
        let mean = self.sum / n;
        let squares = self.squares - n * mean * mean;
        let lagged = self.lagged - mean * (2.0 * self.sum - self.last) + (n - 1.0) * mean * mean;
        if !(squares.is_finite() && lagged.is_finite()) {
            return Err(BaselineError::NotFinite);
        }
        if squares <= 0.0 {
            return Err(BaselineError::Constant { n: self.n, value: self.origin });
        }
        let lag1 = lagged / squares;
        let phi = (lag1 + (1.0 + 4.0 * lag1) / n).clamp(0.0, STRONGEST);
        let [newer, older] = [0.0, self.last].map(|end| squares - (end - mean).powi(2));
        let noise = (newer - 2.0 * phi * lagged + phi * phi * older) / (n - 2.0);
        // Rounding must not make a scale of 0.
        let noise = noise.max(1e-12 * squares / n).sqrt();
        let sd = noise / (1.0 - phi * phi).sqrt();
        let before = self.last - mean;
        Ok(Whitened { n: self.n, mean: self.origin + mean, sd, phi, before, ago: 1 })
    }

    /// The largest sums of a two-sided CUSUM of the whitened baseline, looked at where blocks end.
    pub fn largest_sum(&self, whitened: &Whitened, k: f64) -> f64 {
        let (mean, phi) = (whitened.mean - self.origin, whitened.phi);
        let noise = whitened.sd * (1.0 - phi * phi).sqrt();
        let (mut up, mut down, mut largest, mut before) = (0.0f64, 0.0f64, 0.0f64, 0.0);
        for (at, [sum, last]) in self.blocks.iter().enumerate() {
            let length = self.block().min(self.n - at * self.block()) as f64;
            let (sum, last) = (sum - length * mean, last - mean);
            // The sum of y[t] - phi y[t-1] over the block.
            let sum = (sum - phi * (sum + before - last)) / noise;
            before = last;
            up = (up + sum - k * length).max(0.0);
            down = (down - sum - k * length).max(0.0);
            largest = largest.max(up).max(down);
        }
        largest
    }

    fn block(&self) -> usize {
        self.needed.div_ceil(BLOCKS)
    }
}

/// Makes of values that follow an autoregression of order 1 residuals that are independent of each other,
/// with mean 0 and standard deviation 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Whitened {
    /// Values it was learnt from.
    pub n: usize,
    /// Their mean, in their unit.
    pub mean: f64,
    /// The standard deviation of the values, in their unit; above 0.
    pub sd: f64,
    /// How much of a deviation is left in the next value: in [0, 0.98].
    pub phi: f64,
    /// The last value's deviation from the mean.
    before: f64,
    /// How many values ago that was: more than 1 behind a gap.
    ago: u32,
}

impl Whitened {
    /// A value is left out: the next one depends less on the last.
    pub fn skip(&mut self) {
        self.ago = self.ago.saturating_add(1);
    }

    /// The residual of the next value over its standard deviation; `None` for what is not a value, which
    /// leaves a gap.
    pub fn residual(&mut self, value: f64) -> Option<f64> {
        let Some(value) = taken(value) else {
            self.skip();
            return None;
        };
        let left = if self.ago == 1 { self.phi } else { self.phi.powf(f64::from(self.ago)) };
        let off = value - self.mean;
        let residual = (off - left * self.before) / (self.sd * (1.0 - left * left).sqrt());
        (self.before, self.ago) = (off, 1);
        Some(residual)
    }
}
