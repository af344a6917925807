use super::calibration::Calibration;
use super::conformity::{Conformity, Stated};
use super::drift::Drift;
use super::reliability::{Bin, Reliability};
use super::residual::Residual;
use super::{Labels, Sampled};
use crate::domain::resample::Seeded;

fn labels(title: &str) -> Labels {
    Labels {
        title: title.to_owned(),
        x: "raw <mV>".to_owned(),
        y: "CO & \"NO2\" in mg/m3".to_owned(),
        page: None,
    }
}

fn calibration(count: usize) -> Calibration {
    let mut draw = Seeded::new(1);
    let pairs = (0..count).map(|at| [at as f64, 2.0 * at as f64 + draw.normal()]).collect();
    let curve =
        (0..=100).map(|at| Sampled { x: at as f64, value: 2.0 * at as f64, interval: Some([0.0, 9.0]) });
    Calibration {
        labels: labels("A < B"),
        pairs,
        curve: curve.collect(),
        curve_name: "affine".to_owned(),
        band_name: "95 %".to_owned(),
    }
}

fn drift(limit: Option<f64>) -> Drift {
    let errors = vec![0.1, -0.2, 3.0, f64::NAN, 1e300, -4.0];
    Drift { labels: labels("d"), at: (0..6).map(f64::from).collect(), timed: true, errors, window: 2, limit }
}

/// Every tag that opens is closed in its order; no text holds bare markup.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('"') || open.last() == Some(&"style"), "{part}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap()),
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
    for word in ["NaN", "inf", "<script", "onload", "http://", "https://"] {
        let svg = svg.replace("http://www.w3.org/2000/svg", "");
        assert!(!svg.contains(word), "{word}");
    }
    for part in ["<title", "<desc", "prefers-color-scheme:dark"] {
        assert!(svg.contains(part), "{part}");
    }
}

#[test]
fn every_picture_is_well_formed_whatever_the_numbers() {
    let odd = vec![f64::NAN, f64::INFINITY, -1e308, 1e308, 0.0, 1e-320];
    well_formed(&calibration(20).svg());
    well_formed(&calibration(0).svg());
    well_formed(&drift(None).svg());
    well_formed(&drift(Some(1.0)).svg());
    well_formed(&Drift::default().svg());
    for times in [None, Some(odd.clone())] {
        well_formed(&Residual { labels: labels("r"), x: odd.clone(), residuals: odd.clone(), times }.svg());
    }
    well_formed(&Residual::default().svg());
    well_formed(&Reliability::default().svg());
    let stated = |x: f64| Stated { reference: x, error: x, expanded: x };
    let (found, left) = (odd.iter().copied().map(stated).collect(), vec![stated(1.0)]);
    let limits = vec![[0.0, 1.0], [2.0, f64::NAN]];
    well_formed(&Conformity { labels: labels("c"), found, left, limits }.svg());
    well_formed(&Conformity::default().svg());
}

#[test]
fn in_a_page_names_are_its_own_and_colours_are_light() {
    let labels = Labels { page: Some("curve-"), ..labels("c") };
    let svg = Calibration { labels, ..calibration(3) }.svg();
    for part in ["id=\"curve-t\"", "id=\"curve-c\"", "url(#curve-c)", "aria-labelledby=\"curve-t curve-d\""] {
        assert!(svg.contains(part), "{part}");
    }
    assert!(!svg.contains("prefers-color-scheme"));
}

#[test]
fn errors_are_drawn_with_what_they_reach_and_the_limits() {
    let stated = |reference, error| Stated { reference, error, expanded: 0.1 };
    let conformity = Conformity {
        labels: labels("errors"),
        found: vec![stated(1.0, 0.5), stated(2.0, 0.6)],
        left: vec![stated(1.0, 0.0), stated(2.0, 0.1)],
        limits: vec![[1.0, 0.2], [2.0, 0.3]],
    };
    let svg = conformity.svg();
    for (class, count) in [("before", 3), ("after", 3), ("spoke", 2), ("reach", 2), ("limit", 3)] {
        let found = svg.matches(&format!("class=\"{class}\"")).count();
        assert_eq!(found, count, "{class}, with the legend: {svg}");
    }
}

#[test]
fn a_picture_stays_small_however_many_points_it_shows_and_says_so() {
    let svg = calibration(100_000).svg();
    assert!(svg.len() < 400_000, "{}", svg.len());
    assert!(svg.contains("n = 100000, 5000 of them drawn"));
    assert_eq!(svg.matches("<circle").count(), 5_000 + 1);
}

#[test]
fn what_is_outside_the_limits_is_ringed_and_counted() {
    let svg = drift(Some(1.0)).svg();
    assert!(svg.contains("outside, n = 3"), "{svg}");
    assert_eq!(svg.matches("class=\"limit\"").count(), 3, "two limits and the legend");
    assert_eq!(drift(None).svg().matches("class=\"limit\"").count(), 0);
}

#[test]
fn bins_without_predictions_show_nothing() {
    let bin = |low: f64, count| Bin {
        range: [low, low + 0.5],
        count,
        predicted: low + 0.2,
        observed: 0.4,
        interval: Some([0.3, 0.5]),
    };
    let picture = Reliability {
        labels: labels("p"),
        bins: vec![bin(0.0, 10), bin(0.5, 0)],
        interval_name: "95 %".into(),
    };
    let svg = picture.svg();
    well_formed(&svg);
    assert_eq!((svg.matches("class=\"bar\"").count(), svg.matches("<circle").count()), (1, 2));
    assert!(svg.contains("0.20 predicted, 0.40 observed of 10"));
}

#[test]
fn the_interval_of_a_share_is_wilsons() {
    // 5 of 10, and none of 20, by R's prop.test(correct = FALSE)
    for (count, share, want) in [(10.0, 0.5, [0.2365931, 0.7634069]), (20.0, 0.0, [0.0, 0.1611252])] {
        let got = super::reliability::wilson(count, share);
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6), "{got:?}");
    }
}
