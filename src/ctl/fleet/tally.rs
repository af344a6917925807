//! Who has answered to what was published, and whether that is as it should be.

use std::collections::BTreeMap;

use serde::Serialize;

use super::said::{Answer, Text};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::trust::reason::Reason;
use crate::wire::message::Verdict;

/// How a gateway stands to what was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has taken it.
    Accepted,
    /// It had taken it before.
    AlreadyApplied,
    /// It will not take it.
    Refused,
    /// It is not what it is for.
    NotConcerned,
    /// Somebody says so in its name, and not with its key.
    Unverified,
    /// It is connected and says nothing.
    Silent,
    /// It is not connected, and hears it when it is.
    Offline,
}

impl Standing {
    const ALL: [(Standing, &'static str); 7] = [
        (Standing::Accepted, "accepted"),
        (Standing::AlreadyApplied, "already applied"),
        (Standing::Refused, "refused"),
        (Standing::NotConcerned, "not concerned"),
        (Standing::Unverified, "unverified"),
        (Standing::Silent, "silent"),
        (Standing::Offline, "offline"),
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        Standing::ALL.iter().find(|(it, _)| *it == self).map_or("", |(_, words)| words)
    }
}

/// One gateway.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    online: bool,
    /// Whether the fleet has enrolled its key.
    enrolled: bool,
    answer: Option<Answer>,
    verified: bool,
}

impl Place {
    fn counts(&self) -> bool {
        self.answer.is_some() && (self.verified || !self.enrolled)
    }
}

/// A gateway in the result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The gateway.
    pub gateway: Id,
    /// How it stands.
    pub standing: Standing,
    /// Whether its enrolled key says so; null: nobody has said anything.
    pub verified: Option<bool>,
    /// The reason code of a refusal.
    pub reason: Option<Text>,
    /// What it says to it.
    pub message: Option<Text>,
    /// How far the artifact has come.
    pub stage: Option<Text>,
}

/// The answers to one artifact.
#[derive(Debug)]
pub struct Tally {
    digest: Digest,
    /// Whether it was published for several, some of whom it may not be for.
    broad: bool,
    /// Whether nobody knows who should answer: then it is never complete.
    open: bool,
    places: BTreeMap<Id, Place>,
}

impl Tally {
    /// Of an artifact that these gateways should hear, with whether each is connected.
    ///
    /// `broad`: it is published for several, and need not be for each.
    pub fn new(digest: Digest, broad: bool, expected: impl Iterator<Item = (Id, bool)>) -> Tally {
        let place = |online| Place { online, enrolled: false, answer: None, verified: false };
        let places: BTreeMap<Id, Place> = expected.map(|(id, online)| (id, place(online))).collect();
        Tally { digest, broad, open: places.is_empty(), places }
    }

    /// Takes an answer. What the enrolled key signed is not replaced by what it did not; of a gateway whose key is
    /// `enrolled`, nothing else counts.
    pub fn take(&mut self, gateway: &Id, answer: Answer, enrolled: bool, verified: bool) {
        if answer.digest != Some(self.digest) {
            return;
        }
        let place = self.place(gateway);
        place.enrolled |= enrolled;
        // Who is told again answers again, that it has it already.
        let again = answer.verdict == Verdict::AlreadyApplied && place.verified == verified;
        let accepted = |before: &Answer| before.verdict == Verdict::Accepted;
        if place.verified <= verified && !(again && place.answer.as_ref().is_some_and(accepted)) {
            (place.answer, place.verified) = (Some(answer), verified);
        }
    }

    /// Takes what a gateway's status says.
    pub fn online(&mut self, gateway: &Id, online: bool) {
        if let Some(place) = self.places.get_mut(gateway) {
            place.online = online;
        }
    }

    fn place(&mut self, gateway: &Id) -> &mut Place {
        let none = Place { online: true, enrolled: false, answer: None, verified: false };
        self.places.entry(gateway.clone()).or_insert(none)
    }

    fn standing(&self, place: &Place) -> Standing {
        match &place.answer {
            None if place.online => Standing::Silent,
            None => Standing::Offline,
            Some(_) if !place.counts() => Standing::Unverified,
            Some(answer) => match answer.verdict {
                Verdict::Accepted => Standing::Accepted,
                Verdict::AlreadyApplied => Standing::AlreadyApplied,
                Verdict::Refused if self.broad && answer.code().is_some_and(is_elsewhere) => {
                    Standing::NotConcerned
                }
                Verdict::Refused => Standing::Refused,
            },
        }
    }

    /// How many have answered of those that can.
    pub fn progress(&self) -> (u64, u64) {
        let able = self.places.values().filter(|place| place.online || place.counts()).count();
        let answered = self.places.values().filter(|place| place.counts()).count();
        (answered as u64, able as u64)
    }

    /// Whether everybody has answered who can, and there is somebody of whom that was expected.
    pub fn is_complete(&self) -> bool {
        let (answered, able) = self.progress();
        !self.open && able > 0 && answered >= able
    }

    /// Whether it was taken by somebody, and everybody who is connected has taken it or is not concerned.
    pub fn is_good(&self) -> bool {
        let of = |standings: &[Standing]| {
            self.places.values().filter(|place| standings.contains(&self.standing(place))).count()
        };
        of(&[Standing::Accepted, Standing::AlreadyApplied]) > 0
            && of(&[Standing::Refused, Standing::Unverified, Standing::Silent]) == 0
    }

    /// Every gateway.
    pub fn rows(&self) -> Vec<Row> {
        let row = |(gateway, place): (&Id, &Place)| Row {
            gateway: gateway.clone(),
            standing: self.standing(place),
            verified: place.answer.as_ref().map(|_| place.verified),
            reason: place.answer.as_ref().and_then(|answer| answer.reason.clone()),
            message: place.answer.as_ref().map(|answer| answer.message.clone()),
            stage: place.answer.as_ref().and_then(|answer| answer.stage.clone()),
        };
        self.places.iter().map(row).collect()
    }

    /// How many stand so, of those that there are.
    pub fn counted(&self) -> Vec<(Standing, usize)> {
        let mut counts = BTreeMap::new();
        for place in self.places.values() {
            *counts.entry(self.standing(place)).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }
}

/// Whether an artifact is for others: among several gateways, that is no fault.
pub fn is_elsewhere(reason: Reason) -> bool {
    matches!(reason, Reason::NotForThisGateway | Reason::UnknownSensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn digest(text: &str) -> Digest {
        Digest::of(&[text.as_bytes()])
    }

    fn answer(verdict: Verdict, reason: Option<&str>) -> Answer {
        Answer {
            verdict,
            reason: reason.map(Text::new),
            message: Text::new("m"),
            stage: None,
            id: Text::new("co"),
            version: Some(1),
            digest: Some(digest("it")),
        }
    }

    fn tally(expected: &[(&str, bool)]) -> Tally {
        Tally::new(digest("it"), true, expected.iter().map(|(name, online)| (id(name), *online)))
    }

    #[test]
    fn it_is_good_once_everybody_who_can_has_taken_it() {
        let mut tally = tally(&[("a", true), ("b", true), ("c", false)]);
        assert!(!tally.is_complete() && !tally.is_good());
        tally.take(&id("a"), answer(Verdict::Accepted, None), true, true);
        assert_eq!((tally.progress(), tally.is_good()), ((1, 2), false));
        tally.take(&id("b"), answer(Verdict::AlreadyApplied, None), true, true);
        assert!(tally.is_complete() && tally.is_good());
        let standing: Vec<_> = tally.rows().into_iter().map(|row| row.standing).collect();
        assert_eq!(standing, [Standing::Accepted, Standing::AlreadyApplied, Standing::Offline]);
    }

    #[test]
    fn nobody_is_not_everybody() {
        let tally = tally(&[("c", false)]);
        assert!(!tally.is_complete() && !tally.is_good());
    }

    #[test]
    fn where_nobody_is_known_the_first_to_answer_is_not_the_last() {
        let mut tally = tally(&[]);
        tally.take(&id("a"), answer(Verdict::Accepted, None), true, true);
        assert!(!tally.is_complete() && tally.is_good());
    }

    #[test]
    fn a_refusal_is_none_where_it_is_not_meant_for() {
        for (reason, good) in [("not_for_this_gateway", true), ("unknown_sensor", true), ("expired", false)] {
            let mut tally = tally(&[("a", true), ("b", true)]);
            tally.take(&id("a"), answer(Verdict::Accepted, None), true, true);
            tally.take(&id("b"), answer(Verdict::Refused, Some(reason)), true, true);
            assert_eq!((tally.is_complete(), tally.is_good()), (true, good), "{reason}");
        }
        let mut one = Tally::new(digest("it"), false, [(id("a"), true)].into_iter());
        one.take(&id("a"), answer(Verdict::Refused, Some("unknown_sensor")), true, true);
        assert_eq!(one.rows()[0].standing, Standing::Refused);
    }

    #[test]
    fn a_spoofed_answer_counts_for_nothing_and_replaces_none() {
        let mut tally = tally(&[("a", true)]);
        tally.take(&id("a"), answer(Verdict::Accepted, None), true, false);
        assert_eq!(tally.rows()[0].standing, Standing::Unverified);
        assert!(!tally.is_complete() && !tally.is_good());
        tally.take(&id("a"), answer(Verdict::Refused, Some("expired")), true, true);
        tally.take(&id("a"), answer(Verdict::Accepted, None), true, false);
        assert_eq!(tally.rows()[0].standing, Standing::Refused);
    }

    #[test]
    fn what_was_accepted_stays_so_when_it_is_told_again() {
        let mut tally = tally(&[("a", true)]);
        for verdict in [Verdict::Accepted, Verdict::AlreadyApplied] {
            tally.take(&id("a"), answer(verdict, None), true, true);
        }
        assert_eq!(tally.rows()[0].standing, Standing::Accepted);
        tally.take(&id("a"), answer(Verdict::Refused, Some("expired")), true, true);
        assert_eq!(tally.rows()[0].standing, Standing::Refused);
    }

    #[test]
    fn answers_to_something_else_are_not_taken() {
        let mut tally = tally(&[("a", true)]);
        tally.take(
            &id("a"),
            Answer { digest: Some(digest("other")), ..answer(Verdict::Accepted, None) },
            true,
            true,
        );
        tally.take(&id("a"), Answer { digest: None, ..answer(Verdict::Accepted, None) }, true, true);
        assert_eq!(tally.rows()[0].standing, Standing::Silent);
        // Somebody whom nobody knew of answers: they count as well.
        tally.take(&id("b"), answer(Verdict::Accepted, None), false, false);
        assert_eq!(tally.counted(), [(Standing::Accepted, 1), (Standing::Silent, 1)]);
    }
}
