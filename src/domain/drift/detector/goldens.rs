//! Against tests/data/drift: index for index.

use serde_json::Value;

use super::{Adwin, Alarm, Baseline, Cusum, Detector, EwmaChart, Ks, OncePerExcursion, PageHinkley, Psi};

const BASELINE: usize = 500;

struct Stream {
    name: &'static str,
    values: Vec<f64>,
    golden: Value,
}

impl Stream {
    fn standardised(&self) -> Vec<f64> {
        let baseline = Baseline::of(&self.values[..BASELINE]).unwrap();
        self.values.iter().map(|value| baseline.standardised(*value)).collect()
    }
}

fn streams() -> Vec<Stream> {
    let golden = include_str!("../../../../tests/data/drift/drift.golden.json");
    let mut golden: Value = serde_json::from_str(golden).unwrap();
    let files = [
        ("stable_gauss", include_str!("../../../../tests/data/drift/stable_gauss.csv")),
        ("step_up_1sigma_at_2500", include_str!("../../../../tests/data/drift/step_up_1sigma_at_2500.csv")),
        (
            "ramp_0.001_per_sample_from_2000",
            include_str!("../../../../tests/data/drift/ramp_0.001_per_sample_from_2000.csv"),
        ),
        ("variance_x3_at_2000", include_str!("../../../../tests/data/drift/variance_x3_at_2000.csv")),
        (
            "bernoulli_0.1_to_0.3_at_3000",
            include_str!("../../../../tests/data/drift/bernoulli_0.1_to_0.3_at_3000.csv"),
        ),
        ("river_docstring", include_str!("../../../../tests/data/drift/river_docstring.csv")),
    ];
    let read = |text: &str| text.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    let stream = |(name, text)| Stream { name, values: read(text), golden: golden["streams"][name].take() };
    files.map(stream).into()
}

/// The places of the alarms.
fn alarms(mut update: impl FnMut(f64) -> Option<Alarm>, values: &[f64]) -> Vec<usize> {
    values.iter().enumerate().filter(|(_, value)| update(**value).is_some()).map(|(at, _)| at).collect()
}

fn indices(golden: &Value) -> Vec<usize> {
    let first = |it: &Value| it.as_u64().or_else(|| it[0].as_u64()).unwrap() as usize;
    golden.as_array().unwrap().iter().map(first).collect()
}

fn close(got: f64, want: &Value, relative: f64) -> bool {
    let want = want.as_f64().unwrap();
    (got - want).abs() <= relative * want.abs().max(1e-3)
}

#[test]
fn baselines_are_those_of_numpy() {
    for stream in streams() {
        let (baseline, golden) =
            (Baseline::of(&stream.values[..BASELINE]).unwrap(), &stream.golden["baseline_first_500"]);
        assert!(close(baseline.mean, &golden["mean"], 1e-12), "{}", stream.name);
        assert!(close(baseline.sd, &golden["sd_ddof1"], 1e-12), "{}", stream.name);
    }
}

#[test]
fn cusum_alarms_where_the_goldens_do() {
    for stream in streams() {
        let values = stream.standardised();
        for (key, k, h) in [("cusum_k0.5_h5_reset", 0.5, 5.0), ("cusum_k0.25_h8_reset", 0.25, 8.0)] {
            let golden = stream.golden[key].as_array().unwrap();
            let mut cusum = Cusum::new(k, h);
            let mut alarms = golden.iter();
            for (at, value) in values.iter().enumerate() {
                let [up, down] = cusum.sums();
                let Some(alarm) = cusum.update(*value) else { continue };
                let want = alarms.next().unwrap();
                assert_eq!(want[0], at, "{} {key}", stream.name);
                let (side, sum) = match alarm {
                    Alarm::Up => ("up", up + value - k),
                    _ => ("down", down - value - k),
                };
                assert_eq!(want[1], side, "{} {key} {at}", stream.name);
                assert!(
                    close(sum, &want[if side == "up" { 2 } else { 3 }], 1e-9),
                    "{} {key} {at}",
                    stream.name
                );
                assert_eq!(cusum.sums(), [0.0, 0.0], "it begins anew");
            }
            assert!(alarms.next().is_none(), "{} {key}", stream.name);
        }
    }
}

#[test]
fn ewma_is_outside_its_limits_where_the_goldens_are() {
    for stream in streams() {
        let values = stream.standardised();
        for (key, lambda, limit) in
            [("ewma_l0.2_L3_exact_limits", 0.2, 3.0), ("ewma_l0.1_L2.7_exact_limits", 0.1, 2.7)]
        {
            let golden = &stream.golden[key];
            let mut chart = EwmaChart::new(lambda, limit);
            let outside = alarms(|value| chart.update(value), &values);
            assert_eq!(golden["n"], outside.len(), "{} {key}", stream.name);
            let first = indices(&golden["first20"]);
            assert_eq!(outside[..first.len()], first, "{} {key}", stream.name);

            let chart = Detector::Ewma(EwmaChart::new(lambda, limit));
            let mut chart = OncePerExcursion::new(chart, 1.0);
            let begun = alarms(|value| chart.update(value), &values);
            let starts = indices(&golden["run_starts"]);
            assert_eq!(begun[..starts.len()], starts, "{} {key}", stream.name);
            assert!(begun.len() == starts.len() || starts.len() == 50, "{} {key}", stream.name);
        }
    }
}

#[test]
fn page_hinkley_alarms_where_river_does() {
    for stream in streams() {
        let mut default = PageHinkley::new(0.005, 50.0, 1.0 - 0.0001);
        let got = alarms(|value| default.update(value), &stream.values);
        assert_eq!(got, indices(&stream.golden["page_hinkley_default_both"]), "{}", stream.name);
        let mut ours = PageHinkley::new(0.25, 20.0, 1.0);
        let got = alarms(|value| ours.update(value), &stream.standardised());
        let golden = &stream.golden["page_hinkley_standardised_thr20_delta0.25_alpha1"];
        assert_eq!(got, indices(golden), "{}", stream.name);
    }
}

#[test]
fn adwin_cuts_where_the_goldens_do() {
    for stream in streams() {
        for (key, delta) in [("adwin_canonical_delta0.002", 0.002), ("adwin_canonical_delta0.05", 0.05)] {
            let golden = &stream.golden[key];
            let mut adwin = Adwin::new(delta);
            let mut fires = Vec::new();
            for (at, value) in stream.values.iter().enumerate() {
                if adwin.update(*value).is_some() {
                    fires.push((at, adwin.width(), adwin.mean()));
                }
            }
            let want = golden["fires"].as_array().unwrap();
            let shown = |fires: &[(usize, u64, f64)]| format!("{fires:?}");
            assert_eq!(fires.len(), want.len(), "{} {key}: {}", stream.name, shown(&fires));
            for ((at, width, mean), want) in fires.iter().zip(want) {
                assert_eq!((&want[0], &want[1]), (&(*at).into(), &(*width).into()), "{} {key}", stream.name);
                assert!(close(*mean, &want[2], 1e-9), "{} {key} {at}", stream.name);
            }
            assert_eq!(golden["final_width"], adwin.width(), "{} {key}", stream.name);
            assert!(close(adwin.mean(), &golden["final_mean"], 1e-9), "{} {key}", stream.name);
            assert!(close(adwin.variance(), &golden["final_variance"], 1e-9), "{} {key}", stream.name);
        }
    }
}

#[test]
fn block_statistics_are_those_of_scipy_and_numpy() {
    for stream in streams() {
        let (baseline, rest) = stream.values.split_at(BASELINE);
        let mut ks = Ks::new(baseline, 500, 1e-3, usize::MAX).unwrap();
        let mut psi = Psi::new(baseline, 500, 0.25).unwrap();
        let (ks_blocks, psi_blocks) =
            (&stream.golden["ks_vs_first_500_blocks"], &stream.golden["psi_deciles_first_500"]["blocks"]);
        for (number, block) in rest.chunks_exact(500).enumerate() {
            let (mut differs, mut shifted) = (None, None);
            for value in block {
                (differs, shifted) = (ks.update(*value), psi.update(*value));
            }
            let (golden, place) = (&ks_blocks[number], format!("{} block {number}", stream.name));
            assert!(close(ks.last().unwrap(), &golden["D"], 1e-12), "{place}");
            assert_eq!(differs.is_some(), golden["p_exact"].as_f64().unwrap() < 1e-3, "{place}");
            let golden = &psi_blocks[number]["psi"];
            assert!(close(psi.last().unwrap(), golden, 1e-12), "{place}");
            assert_eq!(shifted.is_some(), golden.as_f64().unwrap() > 0.25, "{place}");
        }
    }
}

#[test]
fn one_name_stands_for_each_detector() {
    let values = &streams()[1].values;
    let (baseline, rest) = values.split_at(BASELINE);
    for (name, mut detector) in [
        ("cusum", Detector::Cusum(Cusum::new(0.5, 5.0))),
        ("ewma", Detector::Ewma(EwmaChart::new(0.2, 3.0))),
        ("page-hinkley", Detector::PageHinkley(PageHinkley::new(0.25, 20.0, 1.0))),
        ("adwin", Detector::Adwin(Adwin::new(0.002))),
        ("ks", Detector::Ks(Ks::new(baseline, 500, 1e-3, 100).unwrap())),
        ("psi", Detector::Psi(Psi::new(baseline, 500, 0.25).unwrap())),
    ] {
        assert!(serde_json::to_value(&detector).unwrap().get(name).is_some(), "{name}");
        let found = alarms(|value| detector.update(value), rest);
        assert!(found.iter().any(|at| *at + BASELINE >= 2500), "{name}");
    }
}
