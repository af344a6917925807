//! Random numbers that are arguments: a seed gives the same draws everywhere.

/// SplitMix64 (Steele, Lea, Flood 2014). For resampling, never for secrets.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// The draws that belong to this seed.
    pub fn new(seed: u64) -> Seeded {
        Seeded(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A draw from [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A place below `count`, which is not 0; biased by less than count / 2^64.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// A draw from the standard normal distribution (Box, Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_publication() {
        let mut it = Seeded::new(1_234_567);
        assert_eq!(it.bits(), 6_457_827_717_110_365_317);
        assert_eq!(it.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn places_are_below_the_count_and_reach_all_of_them() {
        let mut it = Seeded::new(7);
        let mut seen = [0; 5];
        (0..1000).for_each(|_| seen[it.below(5)] += 1);
        assert!(seen.iter().all(|count| (150..250).contains(count)), "{seen:?}");
        assert_eq!(it.below(1), 0);
    }
}
