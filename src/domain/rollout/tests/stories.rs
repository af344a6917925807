//! What becomes of candidates.

use super::*;
use crate::domain::rollout::plan::{Fallback, WithoutReferences};

#[test]
fn a_good_candidate_is_promoted_watched_and_settled() {
    let mut bench = Bench::new();
    bench.accept(2, EVERYWHERE);
    assert_eq!((bench.stage(2), bench.active()), (Some(Stage::Shadow), Some(1)));
    assert!(bench.said().contains("t version 2 is computed beside t version 1 for at least 24.0 hours"));
    assert!((24..60).contains(&bench.decide(100, [0.3, 1.0])));
    assert_eq!((bench.stage(2), bench.active()), (Some(Stage::Canary), Some(2)));
    assert!(bench.did(&Action::Activate(digest(2))));
    assert!(bench.said().contains("its gate is passed; "), "{}", bench.said());
    let audit = bench.actions.iter().position(|action| matches!(action, Action::Audit { .. }));
    assert!(audit < bench.actions.iter().position(|action| *action == Action::Activate(digest(2))));
    assert_eq!(bench.run(100, Some([0.3, 1.0])), 23);
    assert_eq!((bench.stage(2), bench.stage(1)), (Some(Stage::Active), Some(Stage::Superseded)));
    assert!(bench.said().starts_with("t version 2 is in force for good: nothing was shown against it"));
}

#[test]
fn a_bad_candidate_never_comes_into_force() {
    let mut bench = Bench::new();
    bench.accept(2, EVERYWHERE);
    let hours = bench.decide(100, [5.0, 1.0]);
    assert!(hours < 60, "{hours}");
    assert_eq!((bench.stage(2), bench.active()), (Some(Stage::RolledBack), Some(1)));
    assert!(
        bench.said().contains("fails its gate in shadow: its errors are more than 1.05 times"),
        "{}",
        bench.said()
    );
    assert!(bench.actions.iter().any(|action| matches!(action, Action::Alert(Some(_)))));
    let again = bench.try_tell(Event::Accepted {
        artifact: artifact("t", 2),
        plan: plan(EVERYWHERE),
        of_session: false,
    });
    assert!(matches!(again, Err(Refused::Ended(..))), "{again:?}");
}

#[test]
fn what_goes_bad_in_force_is_taken_back() {
    let mut bench = Bench::new();
    bench.accept(2, EVERYWHERE);
    bench.decide(100, [0.3, 1.0]);
    assert_eq!(bench.active(), Some(2));
    bench.decide(24, [5.0, 1.0]);
    assert_eq!((bench.stage(2), bench.active()), (Some(Stage::RolledBack), Some(1)));
    assert!(bench.did(&Action::RollBack { from: digest(2), to: Some(digest(1)) }));
    assert!(bench.said().ends_with("; t version 1 is in force again"), "{}", bench.said());
    // the next one that comes into force takes the finding back
    bench.accept(3, Mode::Immediate);
    assert!(bench.did(&Action::Alert(None)));
}

#[test]
fn without_anything_before_a_failing_one_leaves_raw_values() {
    let mut bench = Bench::raw();
    let gated = Plan { watched: true, ..plan(Mode::Immediate) };
    bench.tell(Event::Accepted { artifact: artifact("t", 1), plan: gated, of_session: false });
    assert_eq!(bench.stage(1), Some(Stage::Canary));
    for _ in 0..12 {
        bench.pair(digest(1), None, [3.0, 0.0]);
    }
    assert_eq!((bench.stage(1), bench.active()), (Some(Stage::RolledBack), None));
    assert!(bench.did(&Action::RollBack { from: digest(1), to: None }));
    assert!(bench.said().contains("its mean error is beyond 1.00"), "{}", bench.said());
}

#[test]
fn what_has_no_rollout_is_in_force_at_once_and_for_good() {
    let mut bench = Bench::new();
    bench.accept(2, Mode::Immediate);
    assert_eq!((bench.stage(2), bench.active()), (Some(Stage::Active), Some(2)));
    assert_eq!(bench.machine.watched().count(), 0);
    // what is here already changes nothing
    bench.accept(2, Mode::Immediate);
    assert_eq!(bench.actions, []);
}

#[test]
fn a_gateway_outside_the_share_waits_until_that_reaches_it() {
    let mut bench = Bench::new();
    let mode = Mode::Canary { percent: 1.0, point: 500 };
    bench.accept(2, mode);
    assert!(bench.said().contains("this one, at 5.00 %, waits for a larger share"), "{}", bench.said());
    assert_eq!(bench.run(100, None), 100);
    assert_eq!(bench.stage(2), Some(Stage::Candidate));
    // no older version comes in behind it
    let older = bench.try_tell(Event::Accepted {
        artifact: Artifact { version: 1, digest: digest(9), ..artifact("t", 1) },
        plan: plan(mode),
        of_session: false,
    });
    assert!(matches!(older, Err(Refused::Older(..))), "{older:?}");
    bench.order(OrderAction::Promote, 2, Some(5.0)).unwrap();
    assert_eq!(bench.stage(2), Some(Stage::Candidate));
    bench.order(OrderAction::Promote, 2, Some(10.0)).unwrap();
    assert_eq!(bench.stage(2), Some(Stage::Shadow));
}

#[test]
fn a_newer_version_takes_the_candidates_place() {
    let mut bench = Bench::new();
    bench.accept(2, EVERYWHERE).accept(3, EVERYWHERE);
    assert!(bench.said().starts_with("t version 2 is superseded: t version 3 has taken its place"));
    assert_eq!((bench.stage(2), bench.stage(3)), (Some(Stage::Superseded), Some(Stage::Shadow)));
}

#[test]
fn of_candidates_that_displace_each_other_the_last_one_stays() {
    let mut bench = Bench::new();
    let accepted = |id, version| Event::Accepted {
        artifact: artifact(id, version),
        plan: plan(EVERYWHERE),
        of_session: false,
    };
    bench.accept(2, EVERYWHERE).tell(accepted("other", 3));
    bench.run(5, Some([1.0, 1.0]));
    // The broker says both again.
    let again = bench.try_tell(accepted("t", 2));
    assert!(matches!(again, Err(Refused::Ended(..))), "{again:?}");
    bench.tell(accepted("other", 3));
    let seen = bench.machine.standings(bench.now).candidate.unwrap();
    assert_eq!((seen.artifact.version, seen.gate.unwrap().pairs), (3, 5));
    // However many versions of the other come to nothing.
    for version in 4..40 {
        bench.tell(accepted("other", version));
    }
    let again = bench.try_tell(accepted("t", 2));
    assert!(matches!(again, Err(Refused::Ended(..))), "{again:?}");
    // A new version gets in, and so does what a local one was laid over.
    bench.accept(40, EVERYWHERE).tell(Event::Accepted {
        artifact: artifact("local-s", 41),
        plan: plan(Mode::Immediate),
        of_session: false,
    });
    assert_eq!(bench.stage(40), Some(Stage::Superseded));
    bench.accept(40, EVERYWHERE);
    assert_eq!(bench.stage(40), Some(Stage::Shadow));
}

#[test]
fn without_references_the_policy_decides() {
    for (without, readings, wanted) in [
        (WithoutReferences::Refuse, 200, Some(Stage::RolledBack)),
        (WithoutReferences::Extend, 200, Some(Stage::Shadow)),
        (WithoutReferences::SanityOnly, 200, Some(Stage::Canary)),
        (WithoutReferences::SanityOnly, 0, Some(Stage::RolledBack)),
    ] {
        let mut bench = Bench::new();
        bench.tell(Event::Policy(Policy { without_references: without, ..Policy::default() }));
        bench.accept(2, EVERYWHERE);
        bench.read(2, Readings { readings, lost: 1.min(readings), largest_step: 0.2 });
        assert_eq!(bench.run(100, None), 23);
        assert_eq!(bench.stage(2), wanted, "{without:?} {readings}");
        assert!(bench.said().contains("12 pairs are needed"), "{}", bench.said());
    }
}

#[test]
fn an_extended_bake_ends_one_day() {
    let mut bench = Bench::new();
    bench.accept(2, EVERYWHERE);
    bench.run(100, None);
    assert!(bench.said().contains("stays in shadow, for 30.0 days at most"), "{}", bench.said());
    assert_eq!(bench.run(1_000, None), 29 * 24 - 1);
    assert!(bench.said().contains("is refused: after 30.0 days"), "{}", bench.said());
    assert_eq!((bench.stage(2), bench.active()), (Some(Stage::RolledBack), Some(1)));
}

#[test]
fn steps_and_lost_values_need_no_reference() {
    let mut bench = Bench::new();
    let limits = Limits { max_step: Some(2.0), ..plan(EVERYWHERE).limits };
    bench.tell(Event::Accepted {
        artifact: artifact("t", 2),
        plan: Plan { limits, ..plan(EVERYWHERE) },
        of_session: false,
    });
    bench.read(2, Readings { readings: 5, lost: 0, largest_step: 2.5 });
    assert!(bench.said().contains("it is 2.50 away from the transform beside it, more than 2.00"));
    bench.accept(3, EVERYWHERE).read(3, Readings { readings: 99, lost: 50, largest_step: 0.0 });
    assert_eq!(bench.stage(3), Some(Stage::Shadow));
    bench.read(3, Readings { readings: 1, lost: 0, largest_step: 0.0 });
    assert!(bench.said().contains("it has no value for 50 of 100 readings"), "{}", bench.said());
}

#[test]
fn only_pairs_that_can_be_believed_count() {
    let mut bench = Bench::new();
    bench.accept(2, EVERYWHERE);
    let pairs = |bench: &Bench| bench.machine.standings(bench.now).candidate.unwrap().gate.unwrap().pairs;
    let facts = Facts::new(bench.now, 21.0, 20.0);
    let pair = |facts| Pair::new(Kind::Measurement, facts).unwrap();
    let paired = |of, facts, counts| {
        Event::Pair(Box::new(Paired { of: digest(of), beside: None, pair: pair(facts), counts }))
    };
    bench.tell(paired(2, facts, false)).tell(paired(1, facts, true)).tell(paired(9, facts, true));
    let before = Facts { time: bench.now.saturating_add_micros(-1), ..facts };
    bench.tell(paired(2, before, true));
    bench
        .tell(Event::Clock { trusted: false })
        .tell(paired(2, facts, true))
        .tell(Event::Clock { trusted: true });
    assert_eq!(pairs(&bench), 0);
    bench.tell(paired(2, facts, true));
    assert_eq!(pairs(&bench), 1);
}

#[test]
fn a_session_holds_everything_but_orders_to_go_back() {
    let mut bench = Bench::new();
    bench.tell(Event::Session { open: true }).accept(2, Mode::Immediate);
    assert_eq!(bench.run(50, None), 50);
    assert_eq!((bench.stage(2), bench.active()), (Some(Stage::Candidate), Some(1)));
    bench.tell(Event::Session { open: false });
    assert_eq!(bench.active(), Some(2));
    bench.tell(Event::Session { open: true });
    bench.order(OrderAction::Rollback, 2, None).unwrap();
    assert_eq!(bench.active(), Some(1));
}

#[test]
fn in_a_session_only_its_own_transform_goes_on() {
    let open = |open| Event::Session { open };
    let without = |bench: &Bench| {
        let mut machine = bench.machine.clone();
        machine.apply(open(false), bench.now).unwrap();
        machine.state().stage(digest(2))
    };
    let own =
        Event::Accepted { artifact: artifact("local-s", 3), plan: plan(Mode::Immediate), of_session: true };
    // A candidate that waits for nothing but the end of the session.
    let mut bench = Bench::new();
    bench.accept(2, EVERYWHERE).tell(open(true));
    assert_eq!(bench.run(60, Some([0.3, 1.0])), 60);
    assert_eq!((bench.stage(2), without(&bench)), (Some(Stage::Shadow), Some(Stage::Canary)));
    bench.tell(own.clone());
    let changed = |action: &&Action| matches!(action, Action::Activate(_) | Action::RollBack { .. });
    assert_eq!(bench.actions.iter().filter(changed).collect::<Vec<_>>(), [&Action::Activate(digest(3))]);
    assert_eq!((bench.active(), bench.stage(2)), (Some(3), Some(Stage::Superseded)));
    assert!(!bench.said().contains("its gate is passed"), "{}", bench.said());
    // A trial that would be over, one way or the other.
    for (lost, wanted) in [(0, Stage::Active), (100, Stage::RolledBack)] {
        let mut bench = Bench::new();
        let gated = Plan { watched: true, ..plan(Mode::Immediate) };
        bench.tell(Event::Accepted { artifact: artifact("t", 2), plan: gated, of_session: false });
        bench.tell(open(true)).read(2, Readings { readings: 100, lost, largest_step: 0.0 });
        assert_eq!(bench.run(30, None), 30);
        assert_eq!((bench.stage(2), without(&bench)), (Some(Stage::Canary), Some(wanted)));
        bench.tell(own.clone());
        assert_eq!(bench.actions.iter().filter(changed).collect::<Vec<_>>(), [&Action::Activate(digest(3))]);
        assert_eq!((bench.active(), bench.stage(2)), (Some(3), Some(Stage::Superseded)));
        assert!(!bench.said().contains("in force for good"), "{}", bench.said());
    }
}

#[test]
fn neither_a_jump_of_the_clock_nor_an_outage_passes_for_a_bake() {
    let mut bench = Bench::new();
    bench.accept(2, EVERYWHERE);
    let there = bench.now;
    bench.now = Timestamp::parse("2099-01-01T00:00:00Z").unwrap();
    bench.tell(Event::Tick);
    assert_eq!(bench.stage(2), Some(Stage::Shadow));
    bench.now = there;
    bench.tell(Event::Tick);
    // without a trusted clock nothing goes on
    bench.tell(Event::Clock { trusted: false });
    assert_eq!(bench.run(100, Some([0.3, 1.0])), 100);
    bench.tell(Event::Clock { trusted: true });
    assert!((24..60).contains(&bench.decide(100, [0.3, 1.0])));
    assert_eq!(bench.active(), Some(2));
}

#[test]
fn another_instrument_is_watched_anew() {
    let mut bench = Bench::new();
    let serial = |serial: &str| Event::Instrument(Some(serial.to_owned()));
    bench.tell(serial("17"));
    bench.accept(2, EVERYWHERE).run(5, Some([1.0, 1.0]));
    let seen = |bench: &Bench| {
        let standings = bench.machine.standings(bench.now);
        let one = standings.candidate.or(standings.active).unwrap();
        (one.gate.unwrap().pairs, one.bake_until.unwrap().micros_since(bench.now) / HOUR)
    };
    bench.tell(serial("17"));
    assert_eq!((bench.actions.len(), seen(&bench)), (0, (5, 19)));
    bench.tell(serial("18"));
    assert!(
        bench.said().contains("t version 2 is watched anew: another instrument (18)"),
        "{}",
        bench.said()
    );
    assert_eq!(seen(&bench), (0, 24));
    // In force on trial it is the same.
    bench.order(OrderAction::Promote, 2, None).unwrap();
    bench.run(5, Some([1.0, 1.0]));
    assert_eq!(seen(&bench), (5, 19));
    bench.tell(Event::Instrument(None));
    assert_eq!((bench.stage(2), seen(&bench)), (Some(Stage::Canary), (0, 24)));
}

#[test]
fn the_time_of_what_is_not_computed_does_not_count() {
    let mut bench = Bench::new();
    bench.tell(Event::Policy(Policy { without_references: WithoutReferences::Refuse, ..Policy::default() }));
    bench.accept(2, EVERYWHERE);
    let standing = |bench: &Bench| {
        let standings = bench.machine.standings(bench.now);
        let one = standings.candidate.or(standings.active).unwrap();
        (one.waits, one.bake_until.unwrap().micros_since(bench.now) / HOUR)
    };
    assert!(!bench.machine.computes(|_| true), "it is computed by then");
    assert!(bench.machine.computes(|digest| digest != self::digest(2)));
    assert_eq!(bench.run(100, None), 100);
    assert_eq!((bench.stage(2), standing(&bench)), (Some(Stage::Shadow), (Some(Wait::Fit), 24)));
    let explained = bench.machine.explained(bench.now).unwrap();
    assert!(explained.contains("it waits for a sensor that it fits"), "{explained}");
    assert!(bench.machine.computes(|_| true));
    bench.run(5, None);
    assert_eq!(standing(&bench), (None, 19));
    bench.order(OrderAction::Promote, 2, None).unwrap();
    assert!(bench.machine.computes(|_| false));
    assert_eq!(bench.run(100, None), 100);
    assert_eq!((bench.stage(2), standing(&bench)), (Some(Stage::Canary), (Some(Wait::Fit), 24)));
}

#[test]
fn dates_are_kept() {
    let mut bench = Bench::new();
    let later = bench.now.saturating_add_micros(2 * HOUR);
    let early = Artifact { not_before: Some(later), ..artifact("t", 2) };
    bench.tell(Event::Accepted { artifact: early, plan: plan(Mode::Immediate), of_session: false });
    assert_eq!((bench.active(), bench.run(10, None)), (Some(1), 1));
    assert_eq!(bench.active(), Some(2));
    let late = Artifact { expires: bench.now.saturating_add_micros(HOUR), ..artifact("t", 3) };
    bench.tell(Event::Accepted { artifact: late, plan: plan(EVERYWHERE), of_session: false });
    bench.run(10, None);
    assert!(bench.said().contains("expired at"), "{}", bench.said());
    assert_eq!((bench.stage(3), bench.active()), (Some(Stage::RolledBack), Some(2)));
}

#[test]
fn a_revoked_key_takes_candidates_and_steps_and_the_policy_decides_on_the_rest() {
    for (when, active, said) in [
        (Fallback::Keep, Some(3), "it stays in force"),
        (Fallback::Previous, Some(1), "t version 1 is in force again"),
        (Fallback::Uncalibrated, None, "values are raw"),
    ] {
        let mut bench = Bench::new();
        bench.tell(Event::Policy(Policy { when_invalid: when, ..Policy::default() }));
        bench.accept(2, Mode::Immediate).accept(3, Mode::Immediate).accept(4, EVERYWHERE);
        for version in [4, 2, 3] {
            bench.tell(Event::Invalid { digest: digest(version), why: "its key was revoked".to_owned() });
        }
        assert_eq!((bench.active(), bench.stage(4)), (active, Some(Stage::RolledBack)), "{when:?}");
        assert!(bench.said().contains(said), "{}", bench.said());
    }
}

#[test]
fn a_trial_is_compared_anew_when_the_last_good_one_is_gone() {
    let mut bench = Bench::new();
    bench.accept(2, Mode::Immediate).accept(3, EVERYWHERE);
    bench.order(OrderAction::Promote, 3, None).unwrap();
    bench.run(5, Some([1.0, 1.0]));
    assert_eq!(bench.machine.standings(bench.now).active.unwrap().gate.unwrap().pairs, 5);
    bench.tell(Event::Invalid { digest: digest(2), why: "its key was revoked".to_owned() });
    assert_eq!(bench.machine.standings(bench.now).active.unwrap().gate.unwrap().pairs, 0);
    assert_eq!(bench.machine.watched().next().unwrap().beside, Some(digest(1)));
}

#[test]
fn where_the_last_good_one_does_not_verify_the_one_before_it_is_next() {
    let mut bench = Bench::new();
    bench.accept(2, Mode::Immediate).accept(3, Mode::Immediate);
    bench.order(OrderAction::Rollback, 3, None).unwrap();
    assert_eq!(bench.active(), Some(2));
    bench.tell(Event::NotRestored { digest: digest(2), why: "its key was revoked".to_owned() });
    assert!(bench.did(&Action::RollBack { from: digest(2), to: Some(digest(1)) }));
    bench.tell(Event::NotRestored { digest: digest(1), why: "its key was revoked".to_owned() });
    assert_eq!(bench.active(), None);
}

#[test]
fn what_was_put_in_force_by_others_is_taken_as_it_is() {
    let mut bench = Bench::new();
    bench.accept(2, Mode::Immediate).accept(3, EVERYWHERE);
    bench.run(5, Some([1.0, 1.0]));
    bench.tell(Event::Put { artifact: Some(artifact("t", 1)) });
    assert_eq!((bench.active(), bench.stage(2)), (Some(1), Some(Stage::RolledBack)));
    // the candidate is beside another one now
    let candidate = bench.machine.standings(bench.now).candidate.unwrap();
    assert_eq!((candidate.gate.unwrap().pairs, candidate.since), (0, bench.now));
    bench.tell(Event::Put { artifact: Some(artifact("local-s", 9)) });
    assert_eq!(bench.machine.state().last_good().map(|good| good.version), Some(1));
    bench.tell(Event::Put { artifact: None });
    assert_eq!((bench.active(), bench.stage(9)), (None, Some(Stage::Superseded)));
}
