//! What holds for all detectors, and what the default does.

use proptest::prelude::*;

use super::{
    Adwin, Alarm, Baseline, BaselineError, Cusum, Detector, DriftWatch, EwmaChart, Excursion, Ks, Learner,
    MIN_BASELINE, PageHinkley, Phase, Psi, Turn,
};
use crate::domain::resample::Seeded;

fn all(baseline: &[f64]) -> Vec<Detector> {
    vec![
        Detector::Cusum(Cusum::new(0.5, 5.0)),
        Detector::Ewma(EwmaChart::new(0.2, 3.0)),
        Detector::PageHinkley(PageHinkley::new(0.25, 20.0, 1.0)),
        Detector::Adwin(Adwin::new(0.002)),
        Detector::Ks(Ks::new(baseline, 20, 1e-3, 50).unwrap()),
        Detector::Psi(Psi::new(baseline, 20, 0.25).unwrap()),
    ]
}

/// An autoregression of order 1 with standard deviation 1.
struct Noise {
    random: Seeded,
    phi: f64,
    value: f64,
}

impl Noise {
    fn new(seed: u64, phi: f64) -> Noise {
        let mut random = Seeded::new(seed);
        let value = random.normal();
        Noise { random, phi, value }
    }

    fn next(&mut self) -> f64 {
        self.value = self.phi * self.value + (1.0 - self.phi * self.phi).sqrt() * self.random.normal();
        self.value
    }
}

/// A watch that has learnt from this noise.
fn learnt(noise: &mut Noise) -> DriftWatch {
    let mut watch = DriftWatch::new(MIN_BASELINE);
    while matches!(watch.phase(), Phase::Learning(_)) {
        assert_eq!(watch.update(noise.next()), None);
    }
    watch
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(state: &T) -> T {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

#[test]
fn a_baseline_says_why_it_is_none() {
    assert_eq!(Baseline::of(&[1.0]), Err(BaselineError::TooFew { needed: 2, found: 1 }));
    assert_eq!(Baseline::of(&[0.1; 7]), Err(BaselineError::Constant { n: 7, value: 0.1 }));
    assert_eq!(Baseline::of(&[1.0, f64::NAN]), Err(BaselineError::NotFinite));
    assert_eq!(Baseline::of(&[1e308, -1e308]), Err(BaselineError::NotFinite));
    assert_eq!(Psi::new(&[1.0; 9], 5, 0.25), Err(BaselineError::TooFew { needed: 10, found: 9 }));
    assert_eq!(Ks::new(&[1.0, f64::NAN], 5, 0.1, 9), Err(BaselineError::TooFew { needed: 2, found: 1 }));
}

#[test]
fn an_excursion_is_one_alarm_until_it_is_well_back() {
    let mut excursion = Excursion::new(0.5);
    let turns: Vec<_> = [0.9, 1.0, 1.1, 2.0, 0.8, f64::NAN, 1.5, 0.4, 0.6, 1.2]
        .into_iter()
        .map(|ratio| excursion.follow(ratio))
        .collect();
    let mut want = vec![None; 10];
    (want[2], want[7], want[9]) = (Some(Turn::Begins), Some(Turn::Ends), Some(Turn::Begins));
    assert_eq!(turns, want);
    assert!(excursion.stands());
}

#[test]
fn the_autoregression_is_learnt_without_bias() {
    for phi in [0.0, 0.5, 0.8] {
        let mut sum = [0.0; 2];
        for seed in 0..100 {
            let mut noise = Noise::new(seed, phi);
            let mut learner = Learner::new(MIN_BASELINE);
            while !learner.push(1e6 + 3.0 * noise.next()) {}
            let whitened = learner.whitened().unwrap();
            sum = [sum[0] + whitened.phi / 100.0, sum[1] + whitened.sd / 300.0];
        }
        // Below 0 there is none, so an absent dependence looks like a slight one.
        assert!((sum[0] - phi).abs() < 0.012, "{phi}: {sum:?}");
        assert!((sum[1] - 1.0).abs() < 0.02, "{phi}: {sum:?}");
    }
}

#[test]
fn residuals_are_independent_also_behind_gaps() {
    let mut noise = Noise::new(3, 0.8);
    let mut learner = Learner::new(MIN_BASELINE);
    while !learner.push(5.0 + noise.next()) {}
    let mut whitened = learner.whitened().unwrap();
    let (mut n, mut squares, mut products, mut before) = (0.0, 0.0, 0.0, 0.0);
    for at in 0..20_000 {
        let value = 5.0 + noise.next();
        let missing = at % 3 == 1;
        let Some(residual) = whitened.residual(if missing { f64::NAN } else { value }) else { continue };
        assert!(!missing);
        (n, squares, products) = (n + 1.0, squares + residual * residual, products + residual * before);
        before = residual;
    }
    assert!(
        (squares / n - 1.0).abs() < 0.05 && (products / n).abs() < 0.05,
        "{} {}",
        squares / n,
        products / n
    );
}

#[test]
fn a_step_is_one_alarm_that_ends_when_it_is_gone() {
    for (phi, side) in [(0.0, 1.0), (0.0, -1.0), (0.5, 1.0), (0.8, -1.0)] {
        let want = if side > 0.0 { Alarm::Up } else { Alarm::Down };
        for seed in 0..10 {
            let mut noise = Noise::new(seed, phi);
            let mut watch = learnt(&mut noise);
            let mut ends = Vec::new();
            for at in 0..7_000 {
                let shift = if (500..6_000).contains(&at) { 1.5 * side } else { 0.0 };
                let turn = watch.update(noise.next() + shift);
                match at {
                    900..6_000 => assert_eq!((turn, watch.stands()), (None, Some(want)), "{phi} {seed} {at}"),
                    6_000.. if turn == Some(Turn::Ends) => ends.push(at),
                    _ => {}
                }
            }
            assert!(ends.first().is_some_and(|at| *at < 6_800), "{phi} {side} {seed}: {ends:?}");
        }
    }
}

#[test]
fn a_shift_to_the_other_side_is_an_alarm_of_its_own() {
    let mut noise = Noise::new(5, 0.0);
    let mut watch = learnt(&mut noise);
    let mut turns = Vec::new();
    for at in 0..540 {
        turns.extend(watch.update(noise.next() + if at < 500 { 2.0 } else { -2.0 }));
    }
    assert_eq!(turns.last(), Some(&Turn::Begins), "{turns:?}");
    assert_eq!(watch.stands(), Some(Alarm::Down));
}

#[test]
fn a_single_outlier_is_no_drift() {
    for phi in [0.0, 0.8] {
        let mut noise = Noise::new(2, phi);
        let mut watch = learnt(&mut noise);
        for outlier in [1e3, -1e9, f64::INFINITY, 1e300] {
            (0..200).for_each(|_| assert_eq!(watch.update(noise.next()), None));
            assert_eq!(watch.update(outlier), None, "{outlier}");
        }
    }
}

#[test]
fn what_does_not_vary_is_not_learnt_from() {
    let mut watch = DriftWatch::new(100);
    (0..250).for_each(|_| assert_eq!(watch.update(4.2), None));
    let Phase::Learning(learner) = watch.phase() else { panic!("{watch:?}") };
    assert_eq!(learner.progress(), [50, 100]);
    assert_eq!(learner.whitened(), Err(BaselineError::TooFew { needed: 100, found: 50 }));
    (0..50).for_each(|at| assert_eq!(watch.update(f64::from(at)), None));
    assert!(matches!(watch.phase(), Phase::Watching(_)));
}

#[test]
fn a_baseline_with_a_cycle_raises_the_limit() {
    let mut noise = Noise::new(8, 0.0);
    let plain = learnt(&mut noise);
    let mut watch = DriftWatch::new(MIN_BASELINE);
    let cycle = |at: u32| (std::f64::consts::TAU * f64::from(at) / 400.0).sin();
    (0..2_000).for_each(|at| assert_eq!(watch.update(noise.next() + cycle(at)), None));
    let (Phase::Watching(plain), Phase::Watching(cyclic)) = (plain.phase(), watch.phase()) else { panic!() };
    assert!(cyclic.limits()[1] > 3.0 * plain.limits()[1], "{:?} {:?}", cyclic.limits(), plain.limits());
    (0..2_000).for_each(|at| assert_eq!(watch.update(noise.next() + cycle(at)), None, "{at}"));
}

#[test]
fn fewer_points_make_a_test_that_is_cautious() {
    let mut noise = Noise::new(6, 0.0);
    let baseline: Vec<f64> = (0..2_000).map(|_| noise.next()).collect();
    let block: Vec<f64> = (0..500).map(|_| 0.3 + noise.next()).collect();
    let distance = |kept| {
        let mut ks = Ks::new(&baseline, 500, 1e-3, kept).unwrap();
        assert!((ks.critical() - 1.9495 * 0.0025f64.sqrt()).abs() < 1e-5, "{}", ks.critical());
        block.iter().for_each(|value| {
            ks.update(*value);
        });
        ks.last().unwrap()
    };
    let (exact, thinned) = (distance(usize::MAX), distance(128));
    // By its definition: both shares at and below every value.
    let share =
        |of: &[f64], at: f64| of.iter().filter(|value| **value <= at).count() as f64 / of.len() as f64;
    let apart = |at: &f64| (share(&baseline, *at) - share(&block, *at)).abs();
    let want = baseline.iter().chain(&block).map(apart).fold(0.0, f64::max);
    assert!((exact - want).abs() < 1e-12, "{exact} {want}");
    assert!(thinned <= exact && exact - thinned < 1.0 / 127.0, "{exact} {thinned}");
}

#[test]
fn states_stay_small() {
    let mut noise = Noise::new(1, 0.5);
    let mut watch = DriftWatch::new(MIN_BASELINE);
    for at in 0..100_000 {
        watch.update(noise.next());
        if at == MIN_BASELINE - 2 {
            assert!(matches!(watch.phase(), Phase::Learning(_)));
            assert!(serde_json::to_string(&watch).unwrap().len() < 6_000);
        }
    }
    assert!(serde_json::to_string(&watch).unwrap().len() < 500);
    let mut adwin = Adwin::new(0.002);
    (0..1_000_000).for_each(|_| {
        adwin.update(noise.next());
    });
    assert!(serde_json::to_string(&adwin).unwrap().len() < 6_000);
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -3.0..3.0f64,
        1 => (-3i32..3).prop_map(f64::from),
        1 => any::<f64>(),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE]),
    ]
}

proptest! {
    #[test]
    fn any_stream_goes_on_after_a_restart(
        baseline in prop::collection::vec(-3.0..3.0f64, 10..60),
        values in prop::collection::vec(any_value(), 0..400),
        cut in 0usize..400,
        learning in 1usize..60,
    ) {
        let cut = cut.min(values.len());
        for mut whole in all(&baseline) {
            let mut parts = whole.clone();
            for (at, value) in values.iter().enumerate() {
                if at == cut {
                    parts = again(&parts);
                }
                prop_assert_eq!(whole.update(*value), parts.update(*value));
                prop_assert!(whole.ratio().is_none_or(|ratio| ratio >= 0.0));
            }
            prop_assert_eq!(&whole, &parts);
        }
        let mut whole = DriftWatch::new(learning);
        let mut parts = whole.clone();
        for (at, value) in values.iter().enumerate() {
            if at == cut {
                parts = again(&parts);
            }
            prop_assert_eq!(whole.update(*value), parts.update(*value));
        }
        prop_assert_eq!(&whole, &parts);
        prop_assert_eq!(&whole, &again(&whole));
    }

    #[test]
    fn any_baseline_is_learnt_from_or_refused(values in prop::collection::vec(any_value(), 0..60), block in 0u32..40, p in 1e-9..0.9f64) {
        if let Ok(baseline) = Baseline::of(&values) {
            prop_assert!(baseline.mean.is_finite() && baseline.sd > 0.0);
        }
        let mut ks = Ks::new(&values, block, p, 20);
        let mut psi = Psi::new(&values, block, 0.25);
        let mut learner = Learner::new(values.len());
        for value in &values {
            learner.push(*value);
            let _ = ks.as_mut().map(|ks| ks.update(*value));
            let _ = psi.as_mut().map(|psi| psi.update(*value));
        }
        if let Ok(ks) = ks {
            prop_assert!(ks.critical() > 0.0 && ks.last().is_none_or(|distance| (0.0..=1.0).contains(&distance)));
        }
        if let Ok(whitened) = learner.whitened() {
            prop_assert!(whitened.mean.is_finite() && whitened.sd > 0.0 && (0.0..=0.98).contains(&whitened.phi));
        }
    }
}
