//! Artifacts that wait: for their time, for the root before them, for the transform that they are about.

use tokio::sync::mpsc;

use super::{Desk, Item, Way};
use crate::domain::id::Id;
use crate::pipeline::run::Request;
use crate::store::StoreError;
use crate::sync::downlink::Artifact;

/// Artifacts that may wait for their time ...
const MOST: usize = 64;
/// ... and of these so many orders about transforms that this gateway has never had.
const MOST_STRANGE: usize = 16;
/// What an order is called among those that wait begins with this, for its transform may wait, too.
const ORDER: &str = "order/";

/// What found no place.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct LeftOut {
    /// Something that concerns this gateway: it is asked for again when a place is free.
    ours: bool,
    /// An order about a transform that was never here: it is asked for again when a new one comes.
    strange: bool,
}

impl Desk {
    /// Keeps an artifact to be judged again, if there is room; a later one of the same id takes its place.
    ///
    /// What somebody brought here is never kept: they have the answer, and what was refused must not come into force
    /// behind their back.
    ///
    /// What concerns this gateway comes first: a fleet may retain any number of orders about transforms of others.
    pub(super) fn wait(&mut self, item: Item) -> bool {
        if matches!(item.way, Way::Local(_)) {
            return false;
        }
        self.waiting.retain(|waiting| waiting.arrived.id != item.arrived.id);
        let strange = self.is_strange(&item);
        let places: Vec<usize> =
            (0..self.waiting.len()).filter(|at| self.is_strange(&self.waiting[*at])).collect();
        let full = self.waiting.len() >= MOST;
        match places.first() {
            Some(place) if full && !strange => {
                self.waiting.remove(*place);
                self.leave_out(true);
            }
            _ if full || strange && places.len() >= MOST_STRANGE => {
                self.leave_out(strange);
                return false;
            }
            _ => {}
        }
        self.waiting.push(item);
        true
    }

    /// Tells of what was verified and could not be written about a transform, and keeps it under this name, to be tried
    /// again. Whoever brought it here has the error, and nothing comes again that could end an alarm.
    pub(super) fn not_written(&mut self, mut item: Item, name: String, transform: &Id, error: &StoreError) {
        if let Way::Local(user) = &item.way {
            tracing::warn!(%transform, "what {user} brought is verified, but has no effect: {error}");
            return;
        }
        self.events.not_activated(transform.as_str(), &error.to_string());
        item.arrived.id = name;
        self.wait(item);
    }

    fn leave_out(&mut self, strange: bool) {
        self.events.found_no_place();
        if strange { self.left_out.strange = true } else { self.left_out.ours = true }
    }

    /// Whether it is an order about a transform of which nothing was ever accepted here, nor waits.
    fn is_strange(&self, item: &Item) -> bool {
        let Some(name) = item.arrived.id.strip_prefix(ORDER).filter(|_| item.is_order()) else {
            return false;
        };
        let known = Id::new(name).is_ok_and(|id| self.floors.contains_key(&id));
        !known && self.waiting.iter().all(|waiting| waiting.arrived.id != name)
    }

    /// A transform was accepted; `new`: not the one that was the newest of its id. Orders about it may have been left out.
    pub(super) fn has_come(&mut self, new: bool) {
        if new && std::mem::take(&mut self.left_out.strange) {
            self.asking.want();
        }
    }

    /// Judges again what had to wait, in the order of arrival.
    pub(super) async fn judge_waiting(&mut self, pipeline: &mpsc::Sender<Request>) {
        self.succeed_by_waiting(pipeline).await;
        for item in std::mem::take(&mut self.waiting) {
            let goes_on = match item.arrived.what {
                Artifact::Order => self.order_goes_on(&item.arrived.payload),
                Artifact::Manifest => self.manifest_goes_on(&item),
                _ => self.verify(&item).map_or_else(|refused| !refused.refusal.reason.waits(), |_| true),
            };
            match goes_on {
                // It has been answered already, and nothing has changed.
                false => self.waiting.push(item),
                // Its answer goes up; what could not be done is in the log, and is tried again.
                true => drop(self.judge(item, pipeline).await),
            }
        }
        if self.waiting.len() < MOST && std::mem::take(&mut self.left_out.ours) {
            self.asking.want();
        }
    }
}

/// What an order about this transform is called among those that wait.
pub(super) fn order_about(id: &Id) -> String {
    format!("{ORDER}{id}")
}
