use super::*;
use proptest::prelude::*;

const PERIOD: Duration = Duration::from_secs(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lively(name: &str) -> Signal {
    Signal {
        name: name.to_owned(),
        level: 20.0,
        sine: Some(Sine { amplitude: 5.0, period: seconds(60) }),
        walk: Some(Walk { std: 1.0, per: seconds(100) }),
        noise: Some(Noise { std: 0.5, phi: 0.8 }),
        ..Signal::default()
    }
}

fn fault(at: u64, until: Option<u64>, kind: FaultKind) -> Fault {
    Fault { at: seconds(at), until: until.map(seconds), kind }
}

/// The first `count` values of the first signal.
fn run(signals: Vec<Signal>, seed: u64, count: usize) -> Vec<Option<f64>> {
    let mut generator = Generator::new(signals, PERIOD, seed);
    let mut values = Vec::new();
    let mut tick = || {
        generator.next_into(&mut values);
        values[0]
    };
    (0..count).map(|_| tick()).collect()
}

/// A constant of 1 with these faults, eight values.
fn with(faults: Vec<Fault>) -> Vec<Option<f64>> {
    run(vec![Signal { level: 1.0, faults, ..Signal::default() }], 0, 8)
}

fn some(values: [f64; 8]) -> Vec<Option<f64>> {
    values.map(Some).to_vec()
}

#[test]
fn values_are_due_by_the_period() {
    let mut generator = Generator::new(vec![], seconds(10), 0);
    let mut due = Vec::new();
    for _ in 0..3 {
        due.push(generator.due());
        generator.next_into(&mut Vec::new());
    }
    assert_eq!(due, [seconds(0), seconds(10), seconds(20)]);
}

#[test]
fn each_fault_does_what_it_is_called() {
    use FaultKind::{Gap, Noise, Ramp, Spike, Step, Stuck};
    let step = with(vec![fault(2, Some(5), Step(2.0))]);
    assert_eq!(step, some([1.0, 1.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0]));
    let ramp = with(vec![fault(2, Some(7), Ramp { by: 3.0, over: seconds(3) })]);
    assert_eq!(ramp, some([1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 4.0, 1.0]));
    assert_eq!(with(vec![fault(3, None, Spike(9.0))]), some([1.0, 1.0, 1.0, 10.0, 1.0, 1.0, 1.0, 1.0]));
    let gap = with(vec![fault(1, Some(7), Gap)]);
    assert_eq!(
        gap.iter().map(Option::is_some).collect::<Vec<_>>(),
        [1, 0, 0, 0, 0, 0, 0, 1].map(|on| on > 0)
    );
    let stuck = vec![fault(3, Some(6), Stuck), fault(4, Some(7), Step(1.0)), fault(2, Some(3), Step(5.0))];
    assert_eq!(with(stuck), some([1.0, 1.0, 6.0, 6.0, 6.0, 6.0, 2.0, 1.0]));
    let quiet = Signal { faults: vec![fault(0, Some(4), Noise(0.0))], ..lively("a") };
    let calm = Signal { noise: None, ..lively("a") };
    let (quiet, calm, noisy) = (run(vec![quiet], 7, 6), run(vec![calm], 7, 6), run(vec![lively("a")], 7, 6));
    assert_eq!((&quiet[..4], quiet[5]), (&calm[..4], noisy[5]));
}

#[test]
fn a_spike_between_two_values_is_in_the_next() {
    let at = Duration::from_millis(2500);
    let spike = Fault { at, until: None, kind: FaultKind::Spike(1.0) };
    assert_eq!(with(vec![spike])[2..5], [1.0, 2.0, 1.0].map(Some));
}

#[test]
fn a_signal_follows_the_truth_of_another_and_not_its_faults() {
    let truth = Signal { faults: vec![fault(0, None, FaultKind::Gap)], ..lively("truth") };
    let follower = Signal { name: "raw".into(), level: 3.0, follows: Some((1, 2.0)), ..Signal::default() };
    let followed = run(vec![follower, truth], 5, 50);
    let alone = run(vec![Signal { noise: None, ..lively("truth") }], 5, 50);
    for (followed, alone) in followed.iter().zip(&alone) {
        assert_eq!(followed.unwrap(), 3.0 + 2.0 * alone.unwrap());
    }
}

#[test]
fn values_are_multiples_of_the_resolution() {
    let coarse = Signal { resolution: Some(0.25), ..lively("a") };
    let (coarse, fine) = (run(vec![coarse], 1, 200), run(vec![lively("a")], 1, 200));
    for (coarse, fine) in coarse.iter().zip(&fine) {
        let (coarse, fine) = (coarse.unwrap(), fine.unwrap());
        assert_eq!((coarse * 4.0).fract(), 0.0);
        assert!((coarse - fine).abs() <= 0.125);
    }
}

#[test]
fn noise_has_its_standard_deviation_and_correlation_from_the_start() {
    for phi in [0.0, 0.8, -0.5] {
        let noise = |name: &str| Signal {
            name: name.to_owned(),
            noise: Some(Noise { std: 2.0, phi }),
            ..Signal::default()
        };
        let (mut squares, mut products, mut first) = (0.0, 0.0, 0.0);
        for seed in 0..2000 {
            let values = run(vec![noise("a")], seed, 11);
            let at = |place: usize| values[place].unwrap();
            first += at(0) * at(0) / 2000.0;
            squares += at(10) * at(10) / 2000.0;
            products += at(9) * at(10) / 2000.0;
        }
        // Standard errors: 4 sqrt(2 / 2000) = 0.13 of the squares, at most 0.13 of the products.
        assert!((first - 4.0).abs() < 0.5 && (squares - 4.0).abs() < 0.5, "{phi}: {first} {squares}");
        assert!((products - 4.0 * phi).abs() < 0.5, "{phi}: {products}");
    }
}

#[test]
fn a_walk_gets_as_far_as_it_says_whatever_the_period() {
    for period in [1, 10] {
        let walk = Signal { walk: Some(Walk { std: 3.0, per: seconds(100) }), ..Signal::default() };
        let mut squares = 0.0;
        for seed in 0..2000 {
            let mut generator = Generator::new(vec![walk.clone()], seconds(period), seed);
            let mut values = Vec::new();
            while generator.due() <= seconds(100) {
                generator.next_into(&mut values);
            }
            squares += values[0].unwrap().powi(2) / 2000.0;
        }
        assert!((squares - 9.0).abs() < 1.2, "{period}: {squares}");
    }
}

fn faults() -> impl Strategy<Value = Fault> {
    let kinds = prop_oneof![
        (-5.0..5.0f64).prop_map(FaultKind::Step),
        (-5.0..5.0f64, 1u64..30)
            .prop_map(|(by, over)| FaultKind::Ramp { by, over: Duration::from_secs(over) }),
        Just(FaultKind::Stuck),
        Just(FaultKind::Gap),
        (-5.0..5.0f64).prop_map(FaultKind::Spike),
        (0.0..5.0f64).prop_map(FaultKind::Noise),
    ];
    (0u64..60, 1u64..40, kinds).prop_map(|(at, long, kind)| fault(at, Some(at + long), kind))
}

proptest! {
    #[test]
    fn the_seed_decides_and_a_fault_changes_nothing_outside_its_time(seed: u64, fault in faults()) {
        let faulty = Signal { faults: vec![fault], ..lively("a") };
        let clean = run(vec![lively("a")], seed, 100);
        let found = run(vec![faulty, lively("b")], seed, 100);
        prop_assert_eq!(&run(vec![lively("a")], seed, 100), &clean);
        prop_assert_ne!(&run(vec![lively("b")], seed, 100), &clean);
        let during = |place: usize| {
            let at = seconds(place as u64);
            fault.at <= at && fault.until.is_some_and(|until| at < until)
        };
        for place in (0..100).filter(|place| !during(*place)) {
            prop_assert_eq!(found[place], clean[place]);
        }
    }
}
