//! What is told to the alerts of what the monitors have found: what has come to stand, and what is over.

use std::sync::Arc;
use std::time::Duration;

use super::{Calibrator, Slot};
use crate::domain::alert::{self, Kind};
use crate::domain::monitor::check::CheckKind;
use crate::domain::monitor::scheduled::CheckOutcome;
use crate::domain::monitor::{self, Finding};
use crate::domain::sensor::Sensor;
use crate::domain::time::Timestamp;

/// Where it is seen whether something stands against a sensor.
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// By its own monitors, one of these kinds.
    Alone(&'static [monitor::Kind]),
    /// Beside its peers.
    Peers,
    /// At the sensor that it is compared with.
    Reference,
    /// By the last check of a kind.
    Check(CheckKind),
}

/// What stands against a sensor.
enum Standing<'a> {
    Found(Finding),
    Check(&'a CheckOutcome),
}

const NOISE: &[monitor::Kind] = &[monitor::Kind::NoiseLow, monitor::Kind::NoiseHigh];
/// What is judged of each sensor.
const JUDGED: [(Kind, Seen); 11] = [
    (Kind::Stuck, Seen::Alone(&[monitor::Kind::Stuck])),
    (Kind::Noise, Seen::Alone(NOISE)),
    (Kind::Spikes, Seen::Alone(&[monitor::Kind::Spikes])),
    (Kind::Rate, Seen::Alone(&[monitor::Kind::Rate])),
    (Kind::OutOfDomain, Seen::Alone(&[monitor::Kind::OutOfDomain])),
    (Kind::Silent, Seen::Alone(&[monitor::Kind::Silent])),
    (Kind::Peers, Seen::Peers),
    (Kind::Reference, Seen::Reference),
    (Kind::ZeroCheck, Seen::Check(CheckKind::Zero)),
    (Kind::SpanCheck, Seen::Check(CheckKind::Span)),
    (Kind::PrecisionCheck, Seen::Check(CheckKind::Precision)),
];
/// What stands is told again after so long, with the numbers of the day.
const AGAIN: Duration = Duration::from_secs(60);
/// Judgements at a look: others have something to tell, too.
const MOST: usize = 256;

/// What the alerts were told of one sensor since the start, by place in [`JUDGED`].
#[derive(Debug, Default)]
pub(super) struct Told {
    judged: u16,
    standing: u16,
    /// When all that stands was told last.
    at: Duration,
    /// Where nothing that was found before can stand any more: another instrument is there.
    anew: u16,
}

impl Told {
    /// Another instrument is at the sensor.
    pub(super) fn begin_anew(&mut self) {
        (self.judged, self.anew) = (0, u16::MAX);
    }

    /// Whether something is to be told: what `stands` is new, or told long ago; what does not has come to be over, or
    /// nobody has said so since the start. It may not stand because nobody knows any more, too: other limits are
    /// looked at.
    fn is_due(&self, place: usize, stands: bool, again: bool, sure: impl FnOnce() -> bool) -> bool {
        let in_set = |set: u16| set & 1 << place != 0;
        match (stands, in_set(self.standing)) {
            (true, stood) => again || !stood,
            (false, stood) => (stood || !in_set(self.judged)) && (in_set(self.anew) || sure()),
        }
    }

    fn note(&mut self, place: usize, stands: bool) {
        self.judged |= 1 << place;
        self.anew &= !(1 << place);
        self.standing = self.standing & !(1 << place) | u16::from(stands) << place;
    }
}

/// What is found of one sensor, or no longer.
#[derive(Debug)]
pub struct Judgement {
    /// The sensor.
    pub sensor: Arc<Sensor>,
    /// What was looked for.
    pub kind: Kind,
    /// What was found.
    pub finding: Option<alert::Finding>,
    /// Whether it stood when it was told last.
    pub stood: bool,
}

impl Slot {
    /// Whether its monitors know enough to say that nothing of these kinds is the matter; what is not watched has
    /// nothing against it.
    fn can_tell(&self, kinds: &[monitor::Kind]) -> bool {
        let monitoring = self.sensor.monitor.as_ref();
        monitoring.is_none_or(|monitoring| kinds.iter().all(|kind| self.watch.can_tell(monitoring, *kind)))
    }

    fn transform(&self) -> Option<alert::Active> {
        let reference = &self.active.as_ref()?.reference;
        Some(alert::Active { id: reference.id.clone(), version: reference.version, digest: reference.digest })
    }
}

impl Calibrator {
    /// Tells what stands against sensors at `time`: when it has begun, each minute while it stands, when it is over;
    /// and once since the start what does not stand, for it may have before. `tell` says whether that was taken:
    /// what was not is told at the next look.
    pub fn judge(&mut self, time: Timestamp, tell: &mut dyn FnMut(Judgement) -> bool) {
        let (count, first, mut told) = (self.slots.len(), self.next_judged, 0);
        for index in (0..count).map(|offset| (first + offset) % count) {
            // Whoever has no room now goes first at the next look.
            self.next_judged = index;
            let slot = &self.slots[index];
            if slot.gone || self.maintenance.contains(&slot.sensor.id) {
                continue;
            }
            let again = self.elapsed.saturating_sub(slot.told.at) >= AGAIN;
            for place in 0..JUDGED.len() {
                let slot = &self.slots[index];
                let standing = self.stands(slot, place, time);
                let stands = standing.is_some();
                if !slot.told.is_due(place, stands, again, || self.is_sure(slot, place)) {
                    continue;
                }
                if told == MOST || !tell(self.judgement(slot, place, standing, time)) {
                    return;
                }
                told += 1;
                self.slots[index].told.note(place, stands);
            }
            if again {
                self.slots[index].told.at = self.elapsed;
            }
        }
    }

    fn stands<'a>(&self, slot: &'a Slot, place: usize, time: Timestamp) -> Option<Standing<'a>> {
        let found = match JUDGED[place].1 {
            Seen::Check(kind) => return slot.checking.standing(kind).map(Standing::Check),
            Seen::Peers => self.groups.standing(&slot.sensor.id).0,
            Seen::Reference => self.reference_stands(slot, time),
            Seen::Alone(kinds) => {
                let monitoring = slot.sensor.monitor.as_ref()?;
                let mut standing = slot.watch.standing(monitoring, self.elapsed, time);
                standing.find(|finding| kinds.contains(&finding.evidence.kind()))
            }
        };
        found.map(Standing::Found)
    }

    /// Whether it is known that nothing is the matter, where nothing is found.
    fn is_sure(&self, slot: &Slot, place: usize) -> bool {
        match JUDGED[place].1 {
            Seen::Alone(kinds) => slot.can_tell(kinds),
            Seen::Peers => self.groups.standing(&slot.sensor.id).1,
            Seen::Reference => {
                let kinds = [monitor::Kind::Silent, monitor::Kind::Stuck];
                self.reference_of(slot).is_none_or(|reference| reference.can_tell(&kinds))
            }
            Seen::Check(kind) => slot.checking.can_tell(&slot.sensor.checks, kind),
        }
    }

    fn reference_of(&self, slot: &Slot) -> Option<&Slot> {
        let configured = slot.sensor.comparison.reference.as_ref()?;
        self.slots.get(*self.index.get(&configured.sensor)?)
    }

    /// What stands against the sensor that another is compared with.
    fn reference_stands(&self, slot: &Slot, time: Timestamp) -> Option<Finding> {
        let interval = slot.sensor.comparison.reference.as_ref()?.interval;
        let reference = self.reference_of(slot)?;
        if reference.gone || self.maintenance.contains(&reference.sensor.id) {
            return None;
        }
        let monitoring = reference.sensor.monitor.as_ref()?;
        let period = monitoring.period.or(interval.map(|(length, _)| length));
        reference.watch.broken(monitoring, period, self.elapsed, time)
    }

    fn judgement(
        &self,
        slot: &Slot,
        place: usize,
        standing: Option<Standing<'_>>,
        time: Timestamp,
    ) -> Judgement {
        let (sensor, kind) = (Arc::clone(&slot.sensor), JUDGED[place].0);
        let reference = sensor.comparison.reference.as_ref().filter(|_| kind == Kind::Reference);
        let finding = standing.map(|standing| match (standing, reference) {
            (Standing::Check(outcome), _) => outcome.to_alert(&sensor.id, slot.transform()),
            (Standing::Found(finding), Some(reference)) => {
                finding.of_reference(&sensor.id, &reference.sensor, slot.transform(), time)
            }
            (Standing::Found(finding), None) => finding.to_alert(&sensor.id, slot.transform(), time),
        });
        let stood = slot.told.standing & 1 << place != 0;
        Judgement { sensor: Arc::clone(&sensor), kind, finding, stood }
    }
}

#[cfg(test)]
mod tests;
