//! Orders in every stage.

use super::*;

/// A machine with version 2 in that stage, over version 1.
fn with(stage: Stage) -> Bench {
    let mut bench = Bench::new();
    match stage {
        Stage::Candidate => bench.accept(2, Mode::Canary { percent: 1.0, point: 9_999 }),
        Stage::Shadow => bench.accept(2, EVERYWHERE),
        Stage::Canary => {
            bench.accept(2, EVERYWHERE);
            bench.order(OrderAction::Promote, 2, None).unwrap();
            &mut bench
        }
        Stage::Active => bench.accept(2, Mode::Immediate),
        Stage::Superseded => bench.accept(2, Mode::Immediate).accept(3, Mode::Immediate),
        Stage::RolledBack => {
            bench.accept(2, Mode::Immediate);
            bench.order(OrderAction::Rollback, 2, None).unwrap();
            &mut bench
        }
    };
    assert_eq!(bench.stage(2), Some(stage));
    bench
}

const STAGES: [Stage; 6] =
    [Stage::Candidate, Stage::Shadow, Stage::Canary, Stage::Active, Stage::Superseded, Stage::RolledBack];

#[test]
fn each_order_does_what_it_says_in_every_stage() {
    use OrderAction::{Abort, Promote, Retire, Rollback};
    let back = Stage::RolledBack;
    for (action, wanted) in [
        (
            Promote,
            [Some(Stage::Canary), Some(Stage::Canary), Some(Stage::Canary), Some(Stage::Active), None, None],
        ),
        (Rollback, [Some(back); 6]),
        (Abort, [Some(back), Some(back), Some(back), None, Some(back), Some(back)]),
        (Retire, [Some(back); 6]),
    ] {
        for (stage, wanted) in STAGES.into_iter().zip(wanted) {
            let mut bench = with(stage);
            let result = bench.order(action, 2, None);
            let found = result.as_ref().ok().and(bench.stage(2));
            assert_eq!(found, wanted, "{action:?} in {stage:?}: {result:?}");
            // orders are retained: the same one again changes nothing more
            let before = bench.machine.clone();
            let _ = bench.order(action, 2, None);
            assert_eq!(bench.machine, before, "{action:?} twice in {stage:?}");
        }
    }
}

#[test]
fn an_order_about_what_is_not_here_is_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.order(OrderAction::Promote, 9, None), Err(Refused::Unknown(digest(9))));
    assert_eq!(
        bench.order(OrderAction::Rollback, 1, None),
        Err(Refused::NothingBefore("t version 1".to_owned()))
    );
    let mut bench = with(Stage::Shadow);
    bench.accept(3, Mode::Shadow);
    assert_eq!(
        bench.order(OrderAction::Promote, 3, Some(10.0)),
        Err(Refused::NoShare("t version 3".to_owned()))
    );
}

#[test]
fn what_is_in_shadow_until_somebody_promotes_it_stays_there() {
    let mut bench = Bench::new();
    bench.accept(2, Mode::Shadow);
    assert_eq!(bench.run(1_000, Some([0.3, 1.0])), 1_000);
    bench.order(OrderAction::Promote, 2, None).unwrap();
    assert_eq!(bench.said(), "t version 2 comes into force by order of fleet");
    assert_eq!(bench.stage(2), Some(Stage::Canary));
}

#[test]
fn a_smaller_share_takes_nothing_back() {
    let mut bench = with(Stage::Shadow);
    bench.order(OrderAction::Promote, 2, Some(0.0)).unwrap();
    assert_eq!((bench.stage(2), bench.actions.len()), (Some(Stage::Shadow), 0));
}

#[test]
fn retiring_leaves_raw_values_and_no_way_back() {
    let mut bench = with(Stage::Active);
    bench.order(OrderAction::Retire, 2, None).unwrap();
    assert!(bench.did(&Action::Deactivate(digest(2))));
    assert_eq!((bench.active(), bench.machine.state().last_good()), (None, None));
}

#[test]
fn what_an_order_ends_does_not_come_back_by_itself() {
    // What was superseded is bad: the trial that fails must not lead back to it.
    let mut bench = with(Stage::Superseded);
    bench.order(OrderAction::Rollback, 2, None).unwrap();
    assert!(bench.machine.state().held_to().all(|held| held.digest != digest(2)));
    // Values are raw after a retirement, whoever was there before.
    let mut bench = Bench::new();
    bench.tell(Event::Accepted {
        artifact: artifact("other", 2),
        plan: plan(Mode::Immediate),
        of_session: false,
    });
    assert_eq!(bench.machine.state().last_good().unwrap().id.as_str(), "t");
    bench.order(OrderAction::Retire, 2, None).unwrap();
    let state = bench.machine.state();
    assert_eq!((state.active(), state.last_good()), (None, None));
    assert!(state.ended().len() == 2 && state.ended().iter().all(|ended| !ended.how.may_return()));
}
