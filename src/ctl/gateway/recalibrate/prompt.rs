//! What a technician types, and what may be typed where.

use crate::ctl::number::finite;
use crate::domain::id::{Id, SensorId};
use crate::domain::session::{Mode, Role, Stage, number_and_unit};
use crate::wire::control::SessionCommand;

/// What a line means.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Something done with the session: the command's name, and what goes with it.
    Do(&'static str, Box<SessionCommand>),
    /// Sign what is shown and put it in force.
    Approve,
    /// Say what may be typed.
    Help,
}

/// The question of a stage, with what may be typed.
pub fn question(stage: Stage, mode: Mode, points: usize) -> &'static str {
    match (stage, mode) {
        (Stage::AsFound | Stage::AsLeft, _) if points == 0 => {
            "apply a reference and type it, like `20 mg/m3 co-20` (? for help):"
        }
        (Stage::AsFound | Stage::AsLeft, _) => "the next reference, `undo`, or `done`:",
        (Stage::Found, Mode::SpotCheck) => "`end`, or `undo` the last point:",
        (Stage::Found, Mode::Adjust) => "`fit`, `fit METHOD`, `end` without adjustment, or `undo`:",
        (Stage::Preview, _) => "`approve`, `fit METHOD` for another one, or `discard`:",
        (Stage::Left, _) => "`end`, `undo` the last point, or `abort` to have back what ran before:",
        _ => "`pause` or `abort`:",
    }
}

/// Help for what may be typed at any time.
pub const HELP: &str = "\
a point: [zero|span|linearity] VALUE UNIT [STANDARD] [u=U | U=U k=K], the number with a decimal point
  20 mg/m3 co-20          zero 0 mg/m3 zero-air          8.1 mg/m3 u=0.05
beside another sensor: [zero|span|linearity] from SENSOR [u=U]
undo takes back the last point, done judges the points, fit makes a transform of them
Ctrl-C takes back the point that is being measured, and at a question leaves the session open
pause leaves the session for later (calibctl recalibrate ID --resume), abort REASON ends it";

/// What a line means in a stage.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn parse(stage: Stage, line: &str) -> Result<Action, String> {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    let plain = |name| Ok(Action::Do(name, Box::default()));
    match (first, stage) {
        ("" | "?" | "help", _) => Ok(Action::Help),
        ("pause", _) => plain("pause"),
        ("undo", Stage::AsFound | Stage::Found | Stage::AsLeft | Stage::Left) => plain("undo"),
        ("abort", _) => {
            let reason = Some(rest.join(" ")).filter(|reason| !reason.is_empty());
            Ok(Action::Do("abort", Box::new(SessionCommand { reason, ..SessionCommand::default() })))
        }
        ("done", Stage::AsFound | Stage::AsLeft) => plain("finish"),
        ("end", Stage::Found | Stage::Left) => plain("end"),
        ("fit", Stage::Found | Stage::Preview) => {
            let method = rest.first().map(|method| (*method).to_owned());
            Ok(Action::Do("fit", Box::new(SessionCommand { method, ..SessionCommand::default() })))
        }
        ("discard", Stage::Preview) => plain("discard"),
        ("approve", Stage::Preview) => Ok(Action::Approve),
        (_, Stage::AsFound | Stage::AsLeft) => point(line).map(|point| Action::Do("point", Box::new(point))),
        (other, _) => Err(format!("`{other}` is nothing to be typed here")),
    }
}

fn point(line: &str) -> Result<SessionCommand, String> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let role = match words[0] {
        "zero" => Some(Role::Zero),
        "span" => Some(Role::Span),
        "linearity" => Some(Role::Linearity),
        _ => None,
    };
    if role.is_some() {
        words.remove(0);
    }
    let mut command = SessionCommand { role, ..SessionCommand::default() };
    let mut left = Vec::new();
    for word in words {
        if !takes_number(&mut command, word)? {
            left.push(word);
        }
    }
    match left.as_slice() {
        ["from", source, rest @ ..] => {
            command.source = Some(SensorId::new(source).map_err(|fault| fault.to_string())?);
            named(&mut command, rest)?;
        }
        [value, unit, rest @ ..] => {
            let text = format!("{value} {unit}");
            let (number, _) = number_and_unit(&text).map_err(|fault| fault.to_string())?;
            let zero = number == 0.0;
            command.role = role.or(Some(if zero { Role::Zero } else { Role::Linearity }));
            command.reference = Some(text);
            named(&mut command, rest)?;
        }
        [value] => {
            number_and_unit(value).map_err(|fault| fault.to_string())?;
            return Err(format!("`{value}` has no unit: type it behind the number, like `{value} mg/m3`"));
        }
        [] => return Err("a point has a reference: type it with its unit, like `20 mg/m3`".to_owned()),
    }
    command.role = command.role.or(Some(Role::Linearity));
    Ok(command)
}

/// Takes `u=0.1`, `U=0.2` and `k=2`; whether it is one of these.
fn takes_number(command: &mut SessionCommand, word: &str) -> Result<bool, String> {
    let Some((name, text)) = word.split_once('=') else { return Ok(false) };
    let place = match name {
        "u" => &mut command.u,
        "U" => &mut command.expanded,
        "k" => &mut command.k,
        _ => return Ok(false),
    };
    *place = Some(finite(text).map_err(|problem| format!("`{word}`: {problem}"))?);
    Ok(true)
}

/// The standard, if one is named.
fn named(command: &mut SessionCommand, rest: &[&str]) -> Result<(), String> {
    match rest {
        [] => Ok(()),
        [standard] => {
            command.standard = Some(Id::new(standard).map_err(|fault| fault.to_string())?);
            Ok(())
        }
        [_, other, ..] => Err(format!("`{other}` is too much: a point has a value, a unit and a standard")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(line: &str) -> SessionCommand {
        match parse(Stage::AsFound, line) {
            Ok(Action::Do("point", command)) => *command,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn points_are_typed_with_unit_and_standard() {
        let typed = point("20 mg/m3 co-20");
        assert_eq!((typed.role, typed.reference.as_deref()), (Some(Role::Linearity), Some("20 mg/m3")));
        assert_eq!(typed.standard.as_ref().map(Id::as_str), Some("co-20"));
        assert_eq!(point("0 mg/m3 u=0.05").role, Some(Role::Zero));
        let span = point("span 20 mg/m3 U=0.4 k=2");
        assert_eq!((span.role, span.expanded, span.k), (Some(Role::Span), Some(0.4), Some(2.0)));
        let beside = point("from co-ref u=0.1");
        assert_eq!((beside.source.as_ref().map(Id::as_str), beside.u), (Some("co-ref"), Some(0.1)));
    }

    #[test]
    fn what_is_typed_wrong_is_told() {
        for (line, said) in [
            ("20,0 mg/m3", "write the number with a point"),
            ("20", "`20` has no unit"),
            ("mg/m3 20", "is not a reference value"),
            ("span", "a point has a reference"),
            ("20 mg/m3 co-20 more", "`more` is too much"),
            ("20 mg/m3 u=0,1", "`u=0,1`: write the number with a point"),
            ("20 mg/m3 U=inf k=2", "`U=inf`: expected a finite number"),
            ("from ../x", "is not an identifier"),
        ] {
            let message = parse(Stage::AsLeft, line).unwrap_err();
            assert!(message.contains(said), "{line}: {message}");
        }
        assert!(parse(Stage::Preview, "done").is_err());
        assert!(parse(Stage::Approved, "fit").is_err());
    }

    #[test]
    fn every_question_names_what_may_be_typed_there() {
        use Stage::{AsFound, AsLeft, Found, Left, Preview};
        for stage in [AsFound, Found, Preview, AsLeft, Left] {
            for mode in [Mode::Adjust, Mode::SpotCheck] {
                for quoted in question(stage, mode, 1).split('`').skip(1).step_by(2) {
                    let line = quoted.replace("METHOD", "affine");
                    assert!(parse(stage, &line).is_ok(), "{stage:?}: {line}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_does_harm(line in ".{0,60}") {
            for stage in [Stage::AsFound, Stage::Found, Stage::Preview, Stage::Left, Stage::Ended] {
                let _ = parse(stage, &line);
            }
        }
    }
}
