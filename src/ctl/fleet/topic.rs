//! The topics of a fleet, and what each is about.

use crate::domain::id::Id;

pub use crate::domain::trust::branch::Branch;

/// What a gateway publishes about one thing, or of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Up {
    /// That it is there.
    Status,
    /// What is in force at a sensor.
    Reported,
    /// How far a sensor is from its references.
    Metrics,
    /// What is the matter.
    Alert,
    /// The head of its audit.
    Checkpoint,
    /// The local transform in force at a sensor, for the fleet to adopt.
    Proposal,
    /// What became of an artifact.
    Ack,
    /// What has happened.
    Event,
    /// The answer to a command.
    Reply,
}

impl Up {
    const ALL: [(Up, &'static str); 9] = [
        (Up::Status, "status"),
        (Up::Reported, "reported"),
        (Up::Metrics, "metrics"),
        (Up::Alert, "alert"),
        (Up::Checkpoint, "checkpoint"),
        (Up::Proposal, "proposal"),
        (Up::Ack, "ack"),
        (Up::Event, "event"),
        (Up::Reply, "reply"),
    ];

    /// Its level of the topic.
    pub fn name(self) -> &'static str {
        Up::ALL.iter().find(|(up, _)| *up == self).map_or("", |(_, name)| name)
    }

    /// Whether one more level names what it is about.
    pub fn is_about_one(self) -> bool {
        matches!(self, Up::Reported | Up::Metrics | Up::Alert | Up::Proposal)
    }

    /// Whether the gateway signs it.
    pub fn is_signed(self) -> bool {
        matches!(self, Up::Reported | Up::Ack | Up::Reply | Up::Checkpoint)
    }
}

/// What a topic is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A trust root of this version.
    Root(u64),
    /// The enrolment of a gateway.
    Enrolment(Id),
    /// A transform.
    Transform(Branch, Id),
    /// An order about a transform id.
    Order(Branch, Id),
    /// A manifest.
    Manifest(Branch),
    /// A command.
    Command(Branch),
    /// The prior of a sensor model.
    Prior(Id),
    /// What a gateway says; the second id where it is about one thing.
    Up(Id, Up, Option<Id>),
}

/// Everything of a fleet.
pub fn prefix(fleet: &Id) -> String {
    format!("calibd/1/{fleet}/")
}

impl About {
    /// What a topic of `fleet` is about; `None` for those that this program does not know, and for names that are no ids.
    pub fn parse(fleet: &Id, topic: &str) -> Option<About> {
        let rest = topic.strip_prefix(&prefix(fleet))?;
        let levels: Vec<&str> = rest.splitn(7, '/').collect();
        let id = |text: &str| Id::new(text).ok();
        match levels[..] {
            ["down", "root", version] => canonical(version).map(About::Root),
            ["down", "gw", gateway, "enrolment"] => Some(About::Enrolment(id(gateway)?)),
            ["down", "all", "prior", model] => Some(About::Prior(id(model)?)),
            ["down", "all", ref rest @ ..] => below(Branch::All, rest),
            ["down", "group", group, ref rest @ ..] => below(Branch::Group(id(group)?), rest),
            ["down", "gw", gateway, ref rest @ ..] => below(Branch::Gateway(id(gateway)?), rest),
            ["up", gateway, name, ref rest @ ..] => {
                let (up, _) = Up::ALL.into_iter().find(|(_, known)| *known == name)?;
                let about = match (up.is_about_one(), rest) {
                    (true, [one]) => Some(id(one)?),
                    (false, []) => None,
                    _ => return None,
                };
                Some(About::Up(id(gateway)?, up, about))
            }
            _ => None,
        }
    }

    /// The topic below the fleet's prefix.
    pub fn path(&self) -> String {
        match self {
            About::Root(version) => format!("down/root/{version}"),
            About::Enrolment(gateway) => format!("down/gw/{gateway}/enrolment"),
            About::Transform(branch, id) => format!("down/{branch}/transform/{id}"),
            About::Order(branch, id) => format!("down/{branch}/order/{id}"),
            About::Manifest(branch) => format!("down/{branch}/manifest"),
            About::Command(branch) => format!("down/{branch}/command"),
            About::Prior(model) => format!("down/all/prior/{model}"),
            About::Up(gateway, up, None) => format!("up/{gateway}/{}", up.name()),
            About::Up(gateway, up, Some(one)) => format!("up/{gateway}/{}/{one}", up.name()),
        }
    }

    /// The whole topic.
    pub fn topic(&self, fleet: &Id) -> String {
        prefix(fleet) + &self.path()
    }
}

fn below(branch: Branch, rest: &[&str]) -> Option<About> {
    match rest {
        ["transform", id] => Some(About::Transform(branch, Id::new(id).ok()?)),
        ["order", id] => Some(About::Order(branch, Id::new(id).ok()?)),
        ["manifest"] => Some(About::Manifest(branch)),
        ["command"] => Some(About::Command(branch)),
        _ => None,
    }
}

/// A number that is written in one way only, so that two topics are never about the same.
fn canonical(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text && *number > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn parse(path: &str) -> Option<About> {
        About::parse(&id("f"), &format!("calibd/1/f/{path}"))
    }

    #[test]
    fn topics_are_told_apart() {
        let group = Branch::Group(id("north"));
        for (path, about) in [
            ("down/root/2", About::Root(2)),
            ("down/gw/g/enrolment", About::Enrolment(id("g"))),
            ("down/all/transform/co", About::Transform(Branch::All, id("co"))),
            ("down/group/north/order/co", About::Order(group.clone(), id("co"))),
            ("down/group/north/manifest", About::Manifest(group)),
            ("down/gw/g/command", About::Command(Branch::Gateway(id("g")))),
            ("down/all/prior/co-b4", About::Prior(id("co-b4"))),
            ("up/g/status", About::Up(id("g"), Up::Status, None)),
            ("up/g/reported/co-1", About::Up(id("g"), Up::Reported, Some(id("co-1")))),
            ("up/g/proposal/co-1", About::Up(id("g"), Up::Proposal, Some(id("co-1")))),
            ("up/g/ack", About::Up(id("g"), Up::Ack, None)),
        ] {
            assert_eq!(parse(path), Some(about), "{path}");
        }
    }

    #[test]
    fn nothing_else_is_about_anything() {
        for path in [
            "",
            "down",
            "down/root/0",
            "down/root/02",
            "down/root/+1",
            "down/root/2/x",
            "down/root/18446744073709551616",
            "down/gw/../enrolment",
            "down/gw/g/enrolment/x",
            "down/gw/g/reference/co-1",
            "down/group/a b/transform/co",
            "down/all/transform/..",
            "down/all/transform/a/b",
            "down/all/transform/",
            "down/group/north/prior/m",
            "up/g",
            "up/g/status/x",
            "up/g/reported",
            "up/g/proposal",
            "up/g/reported/..",
            "up//status",
            "up/g/reading/co-1",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
        assert_eq!(About::parse(&id("f"), "calibd/1/other/up/g/status"), None);
        assert_eq!(About::parse(&id("f"), "calibd/1/fx/up/g/status"), None);
    }

    proptest! {
        #[test]
        fn what_is_understood_is_said_again_in_the_same_words(
            rest in "(down|up|root|gw|all|group|transform|order|manifest|status|reported|ack|[.]{1,2}|[a-z0-9]{0,3}|/){0,14}",
        ) {
            if let Some(about) = parse(&rest) {
                prop_assert_eq!(about.path(), rest);
            }
        }

        #[test]
        fn any_topic_is_taken(topic in ".{0,80}") {
            let _ = About::parse(&id("f"), &topic);
        }
    }
}
