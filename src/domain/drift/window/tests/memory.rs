use super::*;
use crate::domain::drift::latency::Labels;

/// A sensor with all its panes in use.
fn used(kind: Kind, cohorts: usize) -> (Windows, Labels) {
    let setup = Setup::new(kind);
    let mut windows = Windows::new(setup, cohorts);
    let mut labels = Labels::new(setup.span);
    for hours in 0..200 {
        for cohort in 0..cohorts {
            let facts = Facts {
                raw: Some(0.2),
                cohort: Some(cohort as u8),
                u: Some(0.1),
                u_reference: Some(0.1),
                ..Facts::new(at(hours), 0.3, f64::from(u8::from(hours % 3 == 0)))
            };
            windows.add(&Pair::new(kind, facts).unwrap(), at(hours));
        }
        labels.readings(at(hours), 360, at(hours));
        labels.reference(at(hours - 2), at(hours), at(hours));
    }
    (windows, labels)
}

#[test]
fn a_window_is_under_8_kb_and_a_sensors_labels_with_it() {
    for (kind, largest) in [(Kind::Measurement, 2600), (Kind::Probability, 5700)] {
        let sensors: Vec<(Windows, Labels)> = (0..1000).map(|_| used(kind, 4)).collect();
        let windows: usize = sensors.iter().map(|(windows, _)| windows.bytes()).sum();
        let labels: usize = sensors.iter().map(|(_, labels)| labels.bytes()).sum();
        // of all pairs and of four cohorts
        assert!(windows / 5000 < largest, "{kind:?}: {} bytes a window", windows / 5000);
        assert!(labels / 1000 < 2000, "{} bytes of labels", labels / 1000);
        let (one, labels) = &sensors[0];
        assert!(one.all().bytes() + labels.bytes() < 8000, "{kind:?}: {}", labels.bytes());
    }
}

#[test]
fn windows_without_pairs_hold_no_memory() {
    let windows = Windows::new(Setup::new(Kind::Probability), 4);
    assert!(windows.bytes() < 2000, "{}", windows.bytes());
    assert!(Labels::new(Span::week(Kind::Measurement)).bytes() < 100);
}

#[test]
fn memory_does_not_grow_with_the_rate() {
    let mut window = Window::new(Setup::new(Kind::Measurement));
    window.add(&measured(0, 1.0), at(0));
    let before = window.bytes();
    for hours in 0..500 {
        for _ in 0..50 {
            window.add(&measured(hours, 1.0), at(hours));
        }
    }
    assert_eq!(window.bytes(), before);
}
