//! Whether a signal has settled: slope and scatter over the last while, kept in a few panes.

use serde::{Deserialize, Serialize};

use crate::domain::stats::n_effective;

/// Panes in the shortest window.
const PANES: f64 = 16.0;
/// How many standard errors a slope may be from 0 where no limit is stated.
const SIGNIFICANT: f64 = 2.0;

/// One reading beside its reference, both since the window began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// Seconds since the window began.
    pub seconds: f64,
    /// What has to settle: value - reference, or the raw reading where there is no value.
    pub signal: f64,
    /// The raw reading.
    pub raw: f64,
    /// The reference value.
    pub reference: f64,
}

/// What a signal has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The largest change over the window, |slope| times its length, in the unit of the signal.
    pub drift: f64,
    /// The largest standard deviation about the slope, likewise.
    pub scatter: f64,
}

/// The last readings of a point, as sums over panes of time: as many as the window needs, not more.
///
/// The panes hold exact sums, so slope and scatter are those of all readings in them; the window moves on by
/// whole panes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The shortest length, in seconds.
    length: f64,
    /// The fewest readings.
    least: u64,
    /// The first reading: all sums are of differences from it.
    origin: Option<[f64; 3]>,
    panes: Vec<Pane>,
}

/// Sums of one stretch of time, of differences from the window's origin.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Pane {
    begin: f64,
    end: f64,
    n: u64,
    t: f64,
    s: f64,
    tt: f64,
    ts: f64,
    ss: f64,
    /// Products of each reading with the one before, both in this pane.
    inner: f64,
    /// The product of the first reading with the last one of the pane before.
    link: f64,
    first: f64,
    last: f64,
    raw: f64,
    raw_raw: f64,
    reference: f64,
    reference_reference: f64,
}

/// What the readings in a window say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Readings.
    pub readings: u64,
    /// From the first to the last of them, in seconds.
    pub seconds: f64,
    /// The mean of the signal.
    pub signal: f64,
    /// Its slope by least squares, per second.
    pub slope: f64,
    /// Its standard deviation about the slope (n - 2).
    pub scatter: f64,
    /// Its autocorrelation from one reading to the next, about the mean.
    pub lag1: f64,
    /// How many independent readings they are worth, at least 2.
    pub n_effective: f64,
    /// The mean of the raw readings.
    pub raw: f64,
    /// Their standard deviation (n - 1).
    pub raw_std: f64,
    /// The mean of the reference.
    pub reference: f64,
    /// Its standard deviation (n - 1).
    pub reference_std: f64,
    /// The standard error of the slope, were the readings independent.
    slope_error: f64,
}

impl Window {
    /// An empty one of at least `length` seconds and `least` readings.
    pub fn new(length: f64, least: u64) -> Window {
        Window { length, least: least.max(3), origin: None, panes: Vec::new() }
    }

    /// Adds a reading; one that is older than the last is taken for one of the same time.
    pub fn push(&mut self, sight: &Sight) {
        let here = [sight.signal, sight.raw, sight.reference];
        let origin = *self.origin.get_or_insert(here);
        let [s, raw, reference] = [0, 1, 2].map(|at| here[at] - origin[at]);
        let before = self.panes.last().map(|pane| (pane.end, pane.last));
        let t = before.map_or(sight.seconds, |(end, _)| sight.seconds.max(end));
        if self.panes.last().is_none_or(|pane| t - pane.begin >= self.length / PANES) {
            let link = before.map_or(0.0, |(_, last)| last * s);
            self.panes.push(Pane { begin: t, end: t, first: s, link, ..Pane::default() });
        }
        let Some(pane) = self.panes.last_mut() else { return };
        if pane.n > 0 {
            pane.inner += pane.last * s;
        }
        pane.n += 1;
        (pane.end, pane.last) = (t, s);
        (pane.t, pane.s, pane.tt) = (pane.t + t, pane.s + s, pane.tt + t * t);
        (pane.ts, pane.ss) = (pane.ts + t * s, pane.ss + s * s);
        (pane.raw, pane.raw_raw) = (pane.raw + raw, pane.raw_raw + raw * raw);
        pane.reference += reference;
        pane.reference_reference += reference * reference;
        self.forget();
    }

    /// Leaves out the oldest panes as long as the rest is long enough.
    fn forget(&mut self) {
        while self.panes.len() > 1 && self.is_enough(&self.panes[1..]) {
            self.panes.remove(0);
        }
    }

    fn is_enough(&self, panes: &[Pane]) -> bool {
        let readings: u64 = panes.iter().map(|pane| pane.n).sum();
        readings >= self.least && length(panes) >= self.length
    }

    /// How much of the window is there, from 0 to 1.
    pub fn filled(&self) -> f64 {
        let readings: u64 = self.panes.iter().map(|pane| pane.n).sum();
        let time = if self.length > 0.0 { length(&self.panes) / self.length } else { 1.0 };
        time.min(readings as f64 / self.least as f64).clamp(0.0, 1.0)
    }

    /// What the readings say; `None` for fewer than three, or all at one time.
    pub fn course(&self) -> Option<Course> {
        let origin = self.origin?;
        let sum = |part: fn(&Pane) -> f64| self.panes.iter().map(part).sum::<f64>();
        let count: u64 = self.panes.iter().map(|pane| pane.n).sum();
        let n = count as f64;
        let (t, s) = (sum(|p| p.t), sum(|p| p.s));
        let t_spread = sum(|p| p.tt) - t * t / n;
        let spread = (sum(|p| p.ss) - s * s / n).max(0.0);
        if count < 3 || t_spread <= 0.0 {
            return None;
        }
        let slope = (sum(|p| p.ts) - t * s / n) / t_spread;
        let rest = (spread - slope * slope * t_spread).max(0.0);
        let scatter = (rest / (n - 2.0)).sqrt();
        let lag1 = self.lag1(s / n, n, s, spread);
        let std = |square: f64, sum: f64| ((square - sum * sum / n).max(0.0) / (n - 1.0)).sqrt();
        let (raw, reference) = (sum(|p| p.raw), sum(|p| p.reference));
        Some(Course {
            readings: count,
            seconds: length(&self.panes),
            signal: origin[0] + s / n,
            slope,
            scatter,
            lag1,
            n_effective: n_effective(n, lag1).max(2.0),
            raw: origin[1] + raw / n,
            raw_std: std(sum(|p| p.raw_raw), raw),
            reference: origin[2] + reference / n,
            reference_std: std(sum(|p| p.reference_reference), reference),
            slope_error: scatter / t_spread.sqrt(),
        })
    }

    /// sum (s_i - m)(s_(i-1) - m) / sum (s_i - m)^2.
    fn lag1(&self, mean: f64, n: f64, sum: f64, spread: f64) -> f64 {
        let (Some(first), Some(last)) = (self.panes.first(), self.panes.last()) else { return 0.0 };
        let inner: f64 = self.panes.iter().map(|pane| pane.inner).sum();
        let links: f64 = self.panes.iter().skip(1).map(|pane| pane.link).sum();
        let product = inner + links - mean * (2.0 * sum - first.first - last.last) + (n - 1.0) * mean * mean;
        // a signal that never moves remembers nothing
        if spread > 0.0 { (product / spread).clamp(-0.99, 0.99) } else { 0.0 }
    }

    /// Whether the signal keeps within the bounds over a window that is long enough. Without bounds, whether no
    /// slope can be told from 0.
    pub fn is_settled(&self, bounds: Option<Bounds>) -> bool {
        self.is_enough(&self.panes) && self.course().is_some_and(|course| course.within(bounds))
    }
}

impl Course {
    /// The change over the window by its slope, in the unit of the signal.
    pub fn drift(&self) -> f64 {
        self.slope.abs() * self.seconds
    }

    /// The part of [`Course::drift`] that noise does not explain: the slope's square without that of its standard error,
    /// which is there where nothing moves, and which the repeatability of the mean states already.
    pub fn movement(&self) -> f64 {
        (self.slope * self.slope - self.slope_error * self.slope_error).max(0.0).sqrt() * self.seconds
    }

    fn within(&self, bounds: Option<Bounds>) -> bool {
        match bounds {
            Some(bounds) => self.drift() <= bounds.drift && self.scatter <= bounds.scatter,
            None => self.slope.abs() <= SIGNIFICANT * self.slope_error,
        }
    }
}

fn length(panes: &[Pane]) -> f64 {
    match (panes.first(), panes.last()) {
        (Some(first), Some(last)) => last.end - first.begin,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resample::Seeded;
    use proptest::prelude::*;

    fn fed(length: f64, least: u64, signal: &[(f64, f64)]) -> Window {
        let mut window = Window::new(length, least);
        for (seconds, signal) in signal {
            window.push(&Sight { seconds: *seconds, signal: *signal, raw: 2.0 * signal, reference: 5.0 });
        }
        window
    }

    const BOUNDS: Option<Bounds> = Some(Bounds { drift: 0.1, scatter: 0.2 });

    #[test]
    fn slope_and_scatter_are_those_of_least_squares() {
        let signal: Vec<_> = [3.0, 3.5, 3.1, 4.2, 3.9, 4.4].into_iter().enumerate().collect();
        let signal: Vec<_> = signal.into_iter().map(|(at, value)| (at as f64, value)).collect();
        let course = fed(100.0, 3, &signal).course().unwrap();
        assert!((course.slope - 4.65 / 17.5).abs() < 1e-12, "{course:?}");
        assert!((course.signal - 22.1 / 6.0).abs() < 1e-12);
        let rest: f64 = 83.07 - 22.1 * 22.1 / 6.0 - 4.65 * 4.65 / 17.5;
        assert!((course.scatter - (rest / 4.0).sqrt()).abs() < 1e-9, "{course:?} {rest}");
        assert!((course.raw - 2.0 * course.signal).abs() < 1e-12);
        assert_eq!((course.reference, course.reference_std), (5.0, 0.0));
    }

    #[test]
    fn a_signal_that_creeps_settles_when_it_has_arrived() {
        let creeping = |at: usize| 10.0 * (-(at as f64) / 20.0).exp();
        let signal: Vec<_> = (0..200).map(|at| (at as f64, creeping(at))).collect();
        let settles = (1..signal.len()).find(|to| fed(30.0, 10, &signal[..*to]).is_settled(BOUNDS)).unwrap();
        // the change over 30 s is 0.1 where 10 e^(-t/20) has fallen to about that
        assert!((85..130).contains(&settles), "{settles}");
    }

    #[test]
    fn noise_has_its_worth_in_readings() {
        let mut random = Seeded::new(5);
        let white: Vec<_> = (0..4000).map(|at| (f64::from(at), random.normal())).collect();
        let course = fed(3999.0, 10, &white).course().unwrap();
        assert!((course.scatter - 1.0).abs() < 0.05 && course.lag1.abs() < 0.05, "{course:?}");
        let mut state = 0.0;
        let red: Vec<_> = (0..4000)
            .map(|at| {
                state = 0.6 * state + random.normal();
                (f64::from(at), state)
            })
            .collect();
        let course = fed(3999.0, 10, &red).course().unwrap();
        assert!((course.lag1 - 0.6).abs() < 0.05, "{course:?}");
        assert!((course.n_effective / 1000.0 - 1.0).abs() < 0.2, "{course:?}");
    }

    #[test]
    fn a_constant_settles_and_a_short_window_does_not() {
        let constant: Vec<_> = (0..12).map(|at| (f64::from(at), 7.25)).collect();
        let window = fed(10.0, 10, &constant);
        assert!(window.is_settled(BOUNDS) && window.is_settled(None));
        assert_eq!(window.course().unwrap().n_effective, 11.0);
        assert!(!fed(20.0, 10, &constant).is_settled(BOUNDS));
        assert!(!fed(10.0, 13, &constant).is_settled(BOUNDS));
        assert!((fed(22.0, 10, &constant).filled() - 0.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_sums_are_those_of_the_readings_kept(
            steps in prop::collection::vec((0.0..5.0f64, -1.0..1.0f64), 3..400),
        ) {
            let (mut window, mut all, mut now) = (Window::new(60.0, 10), Vec::new(), 0.0);
            for (step, value) in steps {
                now += step;
                all.push((now, 1e3 + value));
                window.push(&Sight { seconds: now, signal: 1e3 + value, raw: value, reference: 0.0 });
                prop_assert!(window.panes.len() <= 18 + 10);
            }
            let kept = window.panes.iter().map(|pane| pane.n as usize).sum::<usize>();
            let kept = &all[all.len() - kept..];
            if let Some(course) = window.course() {
                let mean = kept.iter().map(|(_, value)| value).sum::<f64>() / kept.len() as f64;
                prop_assert!((course.signal - mean).abs() < 1e-9);
                let about = |at: usize| kept[at].1 - mean;
                let spread: f64 = (0..kept.len()).map(|at| about(at) * about(at)).sum();
                let product: f64 = (1..kept.len()).map(|at| about(at) * about(at - 1)).sum();
                prop_assert!((course.lag1 - (product / spread).clamp(-0.99, 0.99)).abs() < 1e-6);
            }
        }
    }
}
