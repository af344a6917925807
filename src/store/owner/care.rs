//! Looking after the files: the free space, what is set aside for the ledger, damage.

use std::sync::Arc;
use std::time::Duration;

use super::Owner;
use crate::domain::time::Timestamp;
use crate::store::check::{Check, Verdict};
use crate::store::disk::{Disk, Space, Stage};
use crate::store::types::{CheckResult, Checked};

/// Between two looks where nothing is committed.
const LOOK: Duration = Duration::from_secs(10);
/// Between two checks of both databases.
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// How long after the start, or after a check that could not be finished, the next one may begin.
const SETTLED: Duration = Duration::from_secs(3600);
const MIB: u64 = 1 << 20;

/// What the thread remembers of its files.
#[derive(Default)]
pub struct Care {
    /// When to look next (monotonic).
    pub look_at: Duration,
    /// The check at work.
    pub check: Option<Check>,
    /// When the last check ended (monotonic); at first the start.
    tried: Duration,
    /// Whether one has ended since the start, so that its age is known by the monotonic clock.
    fresh: bool,
}

impl Care {
    /// At a start; `fresh` where both files have just been checked.
    pub fn new(now: Duration, fresh: bool) -> Care {
        Care { tried: now, fresh, ..Care::default() }
    }
}

impl Owner {
    /// Looks after the files, where it is time to.
    pub fn look(&mut self) {
        self.finish_check();
        let now = self.clock.monotonic();
        if now < self.care.look_at {
            return;
        }
        self.care.look_at = now + LOOK;
        self.measure();
        let stage = self.state.health.disk.map_or(Stage::Ok, |disk| disk.stage);
        if stage <= Stage::Low {
            self.ledger.keep_reserve();
            // While a check reads, the WAL cannot begin anew: it is no time for one when space is short.
            self.begin_check(now);
        }
        self.mailbox.set_health(self.state.health);
    }

    /// Measures the disk, and lets the history do what its free space calls for.
    pub fn measure(&mut self) {
        let before = self.state.health.disk.map_or(Stage::Ok, |disk| disk.stage);
        let space = Space::of(&self.dir).ok();
        let disk = space.map(|space| Disk { stage: before.next(space), space });
        self.state.health.disk = disk;
        let Some(disk) = disk else { return };
        if disk.stage != before {
            self.tell(disk, before);
        }
        if let Err(error) = self.history.press(disk) {
            tracing::warn!(%error, "the history goes on as if the disk were as full as before");
        }
    }

    fn tell(&self, disk: Disk, before: Stage) {
        let (dir, stage) = (self.dir.display(), disk.stage.as_str());
        let free = disk.space.free / MIB;
        let remedy = "free space there, or lower store.max_size";
        match disk.stage {
            better if better < before => tracing::info!(stage, "{dir}: {free} MiB are free again"),
            Stage::Ok | Stage::Low => tracing::warn!(stage, "{dir}: only {free} MiB are free; {remedy}"),
            // Somebody must act: that is raised where the health is looked at.
            Stage::Retention => tracing::warn!(
                stage,
                "{dir}: only {free} MiB are free, so the oldest readings are deleted before their time; {remedy}"
            ),
            Stage::RawOnly => tracing::warn!(
                stage,
                "{dir}: only {free} MiB are free, so readings are stored without their calibrated values, in the place of \
                 the oldest; {remedy}"
            ),
        }
    }

    fn begin_check(&mut self, now: Duration) {
        if self.care.check.is_some() || self.state.health.failing.is_some() || !self.is_check_due(now) {
            return;
        }
        self.care.tried = now;
        match Check::start(self.history.path(), self.ledger.path(), Arc::clone(&self.mailbox)) {
            Ok(check) => self.care.check = Some(check),
            Err(error) => tracing::warn!("the databases are not checked: {error}"),
        }
    }

    /// Whether a week has passed since the last check, by whatever clock can tell.
    fn is_check_due(&self, now: Duration) -> bool {
        let tried = now.saturating_sub(self.care.tried);
        let last = self.state.health.checked.map(|checked| checked.at);
        let week = WEEK.as_micros() as u64;
        let old = |time: Timestamp| last.is_none_or(|last| time.micros_since(last).unsigned_abs() >= week);
        let long = !self.care.fresh && self.history.trusted_time().is_some_and(old);
        tried >= WEEK || long && tried >= SETTLED
    }

    fn finish_check(&mut self) {
        let Some(check) = self.care.check.take_if(|check| check.is_done()) else { return };
        self.care.tried = self.clock.monotonic();
        let Some(report) = check.report() else {
            tracing::warn!("a fault of the program ended the check of the databases; please report it");
            return;
        };
        for (name, verdict) in [("history", &report.history), ("ledger", &report.ledger)] {
            if let Verdict::Unknown(problem) = verdict {
                tracing::warn!("the {name} could not be checked: {problem}; it is tried again in an hour");
                self.care.fresh = false;
            }
        }
        let mut result = CheckResult::Ok;
        if let Verdict::Broken(fault) = &report.history {
            tracing::warn!(fault, "the history is damaged");
            result = CheckResult::HistoryReplaced;
            if let Err(error) = self.replace_history() {
                tracing::warn!(%error, "the damaged history could not be replaced");
                return;
            }
        }
        if let Verdict::Broken(fault) = &report.ledger {
            tracing::warn!(
                fault,
                "the ledger is damaged: restore it from a backup; what is in force stays so until calibd is started again"
            );
            result = CheckResult::LedgerBroken;
        }
        if report.is_complete() {
            self.note_checked(result);
        }
    }

    fn note_checked(&mut self, result: CheckResult) {
        let at = self.clock.now();
        self.care.fresh = true;
        self.state.health.checked = Some(Checked { at, result });
        self.mailbox.set_health(self.state.health);
        if result == CheckResult::LedgerBroken {
            return;
        }
        tracing::info!(result = result.as_str(), "both databases have been checked");
        if let Err(error) = self.ledger.note_checked(at) {
            tracing::warn!(%error, "the check is not noted, and may come again after the next start");
        }
    }
}
