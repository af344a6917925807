//! A trust root that ends: told of before it does, until its successor is installed.

use super::Desk;
use crate::domain::alert::{Event, Finding, Kind, Severity};
use crate::domain::trust::root::{REMEDY, SOON};

impl Desk {
    /// Says when the installed root ends, and tells the alerts if that is soon. A clock that is not believed expires nothing.
    pub(super) async fn tell_root_expiry(&self) {
        let time = self.time_view();
        let root = self.roots.installed().map(|root| root.installed());
        root.into_iter().for_each(|root| self.events.root_counts(root));
        let ending = root.filter(|root| time.is_past(root.expires.saturating_add_micros(-SOON)));
        let finding = ending.map(|root| {
            let message = root.end(time.is_past(root.expires));
            Box::new(Finding {
                severity: Severity::Ticket,
                message,
                remedy: REMEDY.to_owned(),
                snapshot: None,
            })
        });
        let (sensor, kind) = (self.gateway.clone(), Kind::RootExpiry);
        self.alerting.tell(Event::Judged { sensor, kind, source: None, cohort: None, finding }).await;
    }
}
