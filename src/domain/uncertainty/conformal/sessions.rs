//! A half-width from sessions of references that are alike within, like the hours of one day.

use std::collections::VecDeque;

use super::split::needed;
use super::{ConformalError, bounded, check_level};

/// How many sessions back count: four weeks of days, and more than the 19 that a level of 0.95 needs.
pub const WINDOW: usize = 28;

/// Most scores kept of one session: from then on every second one, then every fourth, and so on.
const KEPT: usize = 96;

/// What rounding may have taken from a sum of weights.
const ROUNDING: f64 = 1e-9;

/// The half-width from the last [`WINDOW`] sessions.
///
/// Scores of one day are alike, so a hundred of them tell little more of the next week than one. So the
/// sessions, not the scores, are taken as exchangeable: each weighs the same, a session yet to come weighs
/// as much as any and may hold any score (hierarchical conformal prediction: Dunn, Wasserman, Ramdas 2022;
/// Lee, Barber, Willett 2023). With K sessions that is the quantile level (K + 1) / K of the pooled
/// scores, and below level / (1 - level) sessions there is no bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Sessions {
    level: f64,
    closed: VecDeque<Vec<f64>>,
    open: Open,
}

/// The session that goes on.
#[derive(Debug, Clone, PartialEq, Default)]
struct Open {
    name: Option<i64>,
    scores: Vec<f64>,
    seen: usize,
    stride: usize,
}

impl Sessions {
    /// Without a session yet.
    pub fn new(level: f64) -> Result<Sessions, ConformalError> {
        check_level(level)?;
        Ok(Sessions { level, closed: VecDeque::new(), open: Open::default() })
    }

    /// Takes in a score of the session `name`, a number that all its scores share, like the day's; another
    /// name than the last one's closes that session. A score that is no number counts as larger than all.
    pub fn observe(&mut self, name: i64, score: f64) {
        if self.open.name != Some(name) {
            self.close();
            self.open = Open { name: Some(name), stride: 1, ..Open::default() };
        }
        self.open.take(score.abs());
    }

    /// Ends the session that goes on: from now on it counts.
    pub fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        if open.scores.is_empty() {
            return;
        }
        self.closed.push_back(open.scores);
        if self.closed.len() > WINDOW {
            self.closed.pop_front();
        }
    }

    /// The half-width from the sessions that are closed.
    pub fn half_width(&self) -> Result<f64, ConformalError> {
        let (level, found) = (self.level, self.closed.len());
        if found < needed(level) {
            let what = "sessions of references";
            return Err(ConformalError::TooFew { level, needed: needed(level), found, what });
        }
        let share = level * (found as f64 + 1.0) / found as f64 - ROUNDING;
        let mut weighted: Vec<(f64, f64)> =
            self.closed.iter().flat_map(|session| weights(session, found)).collect();
        weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = 0.0;
        let reached = weighted.iter().find(|(_, weight)| {
            sum += weight;
            sum >= share
        });
        bounded(reached.or(weighted.last()).map_or(f64::INFINITY, |(score, _)| *score))
    }
}

/// Each score with its share of the pool.
fn weights(session: &[f64], sessions: usize) -> impl Iterator<Item = (f64, f64)> {
    let weight = 1.0 / (session.len() as f64 * sessions as f64);
    session.iter().map(move |score| (*score, weight))
}

impl Open {
    fn take(&mut self, score: f64) {
        if self.seen.is_multiple_of(self.stride.max(1)) {
            self.scores.push(score);
        }
        self.seen += 1;
        if self.scores.len() > KEPT {
            let mut at = 0;
            self.scores.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.stride *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resample::Seeded;
    use proptest::prelude::*;

    fn filled(level: f64, sessions: &[&[f64]]) -> Sessions {
        let mut it = Sessions::new(level).unwrap();
        for (name, scores) in sessions.iter().enumerate() {
            scores.iter().for_each(|score| it.observe(name as i64, *score));
        }
        it.close();
        it
    }

    #[test]
    fn with_one_score_a_session_it_is_split_conformal() {
        let scores: Vec<f64> = (1..=25).map(|at| f64::from(at * 7 % 26)).collect();
        let single: Vec<&[f64]> = scores.chunks(1).collect();
        for level in [0.5, 0.8, 0.9, 0.95] {
            let found = filled(level, &single).half_width();
            assert_eq!(found, super::super::split::half_width(&scores, level), "{level}");
        }
    }

    #[test]
    fn a_long_session_weighs_no_more_than_a_short_one() {
        let long = vec![100.0; 90];
        // of four sessions at level 0.6: three quarters of the pool have to be within
        let found = filled(0.6, &[&[1.0], &[2.0], &[3.0], &long]).half_width();
        assert_eq!(found, Ok(3.0));
    }

    #[test]
    fn too_few_sessions_bound_nothing_however_long() {
        let error = filled(0.95, &[[1.0; 500].as_slice(); 18]).half_width().unwrap_err();
        assert!(error.to_string().contains("19 sessions of references, and there are 18"), "{error}");
        assert_eq!(filled(0.95, &[[1.0, 2.0].as_slice(); 19]).half_width(), Ok(2.0));
        assert!(Sessions::new(0.95).unwrap().half_width().is_err());
        assert!(Sessions::new(1.0).is_err());
        let unknown = filled(0.5, &[&[1.0], &[f64::NAN], &[f64::NAN]]);
        assert_eq!(unknown.half_width(), Err(ConformalError::Unbounded));
    }

    #[test]
    fn old_sessions_go_and_long_ones_are_thinned() {
        let mut it = Sessions::new(0.5).unwrap();
        for day in 0..100 {
            (0..10_000).for_each(|at| it.observe(day, f64::from(at)));
        }
        it.close();
        assert_eq!(it.closed.len(), WINDOW);
        assert!(it.closed.iter().all(|session| session.len() <= KEPT && session.len() > KEPT / 3));
        // half of the pool, raised by one session in 28
        assert!((it.half_width().unwrap() / (10_000.0 * 0.5 * 29.0 / 28.0) - 1.0).abs() < 0.03);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        // days of different size: of scores of a new day, the level is within on average
        #[test]
        fn covers_new_days_where_days_are_exchangeable(seed in any::<u64>()) {
            let mut draws = Seeded::new(seed);
            let mut share = 0.0;
            for _ in 0..300 {
                let mut it = Sessions::new(0.9).unwrap();
                for day in 0..20 {
                    let size = draws.normal().exp();
                    (0..6).for_each(|_| it.observe(day, size * draws.normal()));
                }
                it.close();
                let (half_width, size) = (it.half_width().unwrap(), draws.normal().exp());
                share += (0..6).filter(|_| (size * draws.normal()).abs() <= half_width).count() as f64 / 1800.0;
            }
            prop_assert!(share > 0.9 - 0.05, "{share}");
        }
    }

    proptest! {
        #[test]
        fn never_nan(scores in proptest::collection::vec((0i64..30, any::<f64>()), 0..200), level in 0.1..0.9f64) {
            let mut it = Sessions::new(level).unwrap();
            scores.iter().for_each(|(name, score)| it.observe(*name, *score));
            if let Ok(width) = it.half_width() {
                prop_assert!(width >= 0.0 && width.is_finite());
            }
        }
    }
}
