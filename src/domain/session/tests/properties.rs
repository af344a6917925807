//! Whatever happens in whatever order: a session that was written and read goes on as if it had not been.

use proptest::prelude::*;

use super::*;

/// What may happen, in few words.
#[derive(Debug, Clone, Copy)]
enum Step {
    Readings(u16),
    Silence(u16),
    Clock(i32),
    Point(f64),
    Source,
    Finish,
    Fit,
    Approve,
    Activated,
    Declined,
    Undo,
    Pause,
    Resume(bool),
    Discard,
    Abort,
    Restored,
    End,
    Restart,
    Push,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..150u16).prop_map(Step::Readings),
        1 => (1..90u16).prop_map(Step::Silence),
        1 => (-90_000..90_000).prop_map(Step::Clock),
        5 => prop_oneof![Just(0.0), Just(20.0), 0.0..30.0f64].prop_map(Step::Point),
        1 => Just(Step::Source),
        4 => Just(Step::Finish),
        4 => Just(Step::Fit),
        4 => Just(Step::Approve),
        4 => Just(Step::Activated),
        1 => Just(Step::Declined),
        1 => Just(Step::Undo),
        1 => Just(Step::Pause),
        2 => any::<bool>().prop_map(Step::Resume),
        1 => Just(Step::Discard),
        1 => Just(Step::Abort),
        1 => Just(Step::Restored),
        2 => Just(Step::End),
        1 => Just(Step::Restart),
        1 => Just(Step::Push),
    ]
}

impl Bench {
    fn go(&mut self, step: Step) {
        let by = self.session.holder().to_owned();
        let event = match step {
            Step::Readings(count) => {
                (0..count).for_each(|_| self.second());
                return;
            }
            Step::Silence(seconds) => {
                self.passed += f64::from(seconds);
                Event::Tick
            }
            Step::Clock(seconds) => {
                self.wall += f64::from(seconds);
                Event::Tick
            }
            Step::Point(value) => {
                self.offered = value;
                let given = Given { value, unit: Some("mg/m3".to_owned()), u: Some(0.1), ..Given::default() };
                let against = Against::Stated(given);
                Event::Point(Box::new(PointOrder { role: Role::Span, against, standard: None }))
            }
            Step::Source => {
                let against = Against::Source { sensor: id("r"), unit: "mg/m3".to_owned(), u: Some(0.1) };
                Event::Point(Box::new(PointOrder { role: Role::Span, against, standard: None }))
            }
            Step::Finish => Event::Finish,
            Step::Fit => Event::Fit(Box::new(self.fit_order("auto"))),
            Step::Approve => match &self.session.candidate {
                Some(_) => Event::Approve { envelope: self.signed(), gateway_key: false },
                None => Event::Approve { envelope: String::new(), gateway_key: false },
            },
            Step::Activated => {
                Event::Activated(self.session.candidate.as_ref().map_or(Digest([0; 32]), |it| it.digest))
            }
            Step::Declined => Event::Declined("out_of_scope".to_owned(), "no".to_owned()),
            Step::Undo => Event::Undo,
            Step::Pause => Event::Pause,
            Step::Resume(other) => {
                let by = if other { "bob" } else { "ada" };
                drop(self.tell_as(by, Event::Resume));
                return;
            }
            Step::Discard => Event::Discard,
            Step::Abort => Event::Abort("so".to_owned()),
            Step::Restored => Event::Restored,
            Step::End => Event::End(None),
            Step::Restart => Event::Restarted,
            Step::Push => Event::PushWaits(id("x"), 3),
        };
        // What is refused is refused; that nothing has changed then, the bench looks at.
        drop(self.tell_as(&by, event));
        if matches!(step, Step::Activated) && self.session.stage == Stage::AsLeft && self.runs.is_some() {
            let payload = &self.session.candidate.as_ref().unwrap().payload;
            let compiled = compile(&Transform::parse(payload.as_bytes()).unwrap()).unwrap();
            self.runs = Some((digest_of(payload), compiled));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_session_that_is_written_and_read_goes_on_as_before(
        steps in prop::collection::vec(step(), 1..60), cut in any::<prop::sample::Index>(),
    ) {
        let (mut whole, mut cut_off) = (Bench::new(Mode::Adjust), Bench::new(Mode::Adjust));
        let cut = cut.index(steps.len());
        for (at, step) in steps.iter().enumerate() {
            if at == cut {
                let text = serde_json::to_string(&cut_off.session).unwrap();
                cut_off.session = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(serde_json::to_string(&cut_off.session).unwrap(), text);
            }
            let revision = whole.session.revision;
            let seen = whole.effects.len();
            whole.go(*step);
            cut_off.go(*step);
            prop_assert_eq!(&whole.session, &cut_off.session);
            // Whatever changes a stage, a point or the holder is to be written.
            let writes = whole.effects[seen..].iter().filter(|it| **it == Effect::Write).count();
            prop_assert_eq!(whole.session.revision - revision, writes as u64);
        }
        prop_assert_eq!(&whole.effects, &cut_off.effects);
        // An open session flags its sensor, one that has ended doesn't.
        let flag = whole.effects.iter().rev().find_map(|it| match it {
            Effect::Flag(on) => Some(*on),
            _ => None,
        });
        prop_assert_eq!(flag, Some(whole.session.is_open()));
    }
}
