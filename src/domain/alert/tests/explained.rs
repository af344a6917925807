//! What follows from something else that stands against the same sensor.

use super::*;

fn drift(found: bool) -> Event {
    judged("co-1", Kind::Drift, found.then_some(Severity::Ticket))
}

#[test]
fn what_another_finding_explains_is_not_raised_beside_it() {
    let mut told = Told::new();
    told.tell(stuck("co-1"), 0);
    told.tell(drift(true), 30 * SECOND);
    // That of another sensor is explained by nothing.
    told.tell(judged("co-2", Kind::Drift, Some(Severity::Ticket)), 30 * SECOND);
    assert_eq!(told.tell(Event::Tick, MINUTE), ["raise stuck co-1", "publish stuck co-1"]);
    assert_eq!(told.tell(Event::Tick, 2 * MINUTE), ["raise drift co-2", "publish drift co-2"]);
    assert_eq!(told.tell(drift(true), 3 * HOUR), [""; 0]);
    // What is still found when it is over is raised, but not at once.
    told.tell(well("co-1"), 3 * HOUR);
    let over = 3 * HOUR + 15 * MINUTE;
    let cleared = told.tell(Event::Tick, over);
    assert_eq!(cleared, ["clear stuck co-1", "publish stuck co-1"]);
    assert_eq!(told.tell(Event::Tick, over + MINUTE - 1), [""; 0]);
    assert_eq!(told.tell(Event::Tick, over + MINUTE), ["raise drift co-1", "publish drift co-1"]);
}

#[test]
fn an_explanation_that_was_never_raised_ends_as_well() {
    let mut told = Told::new();
    told.tell(stuck("co-1"), 0);
    told.tell(drift(true), 0);
    told.tell(well("co-1"), 59 * SECOND);
    assert_eq!(told.tell(Event::Tick, MINUTE), [""; 0]);
    assert_eq!(told.tell(Event::Tick, 119 * SECOND), ["raise drift co-1", "publish drift co-1"]);
}

#[test]
fn nothing_explains_itself_or_what_explains_it() {
    let all =
        [Kind::Drift, Kind::Slo, Kind::Stuck, Kind::Noise, Kind::Spikes, Kind::Reference, Kind::Forecast];
    for kind in all {
        for by in kind.explained_by() {
            assert!(*by != kind && !by.explained_by().contains(&kind), "{kind:?} and {by:?}");
        }
    }
}
