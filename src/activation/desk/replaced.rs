//! What gave way to another transform does not come back by itself: the broker sends it again with every connection.

use tokio::sync::mpsc;

use super::{Desk, Item};
use crate::domain::trust::reason::{Reason, Refusal};
use crate::domain::trust::root::RoleName;
use crate::domain::trust::verify::{Refused, Verified};
use crate::pipeline::run::Request;
use crate::store::StoreError;
use crate::wire::message::{Ack, Verdict};

impl Desk {
    /// Puts a verified transform in force, but for sensors where it was before, until another one took its place.
    pub(super) async fn place_unless_replaced(
        &mut self,
        mut verified: Verified,
        item: Item,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, StoreError> {
        if verified.already_applied {
            self.leave_out_replaced(&mut verified).await?;
        }
        let left = !verified.sensors.is_empty();
        if left && verified.already_applied && self.stands(&verified).await? {
            let sentence = self.standing(&verified);
            return Ok(self.answer(&verified, Verdict::AlreadyApplied, sentence));
        }
        if left {
            return self.place(verified, item, pipeline).await;
        }
        let text = "it was in force here before, and another took its place; give it a new version";
        let refusal = Refusal::new(Reason::RolledBackVersion, text);
        let (id, version) = (Some(verified.transform.id), Some(verified.transform.version));
        let refused = Refused { refusal, digest: Some(verified.digest), id, version, by_known_key: true };
        Ok(self.refuse(&item.arrived.id, item.way.actor(), refused).await)
    }

    /// A local transform gave way to the fleet's wherever it is not in force; one of the fleet where another id has
    /// taken the sensor since.
    async fn leave_out_replaced(&self, verified: &mut Verified) -> Result<(), StoreError> {
        let mut stay = Vec::new();
        for sensor in std::mem::take(&mut verified.sensors) {
            let slot = self.slot(&sensor);
            let taken = match verified.role {
                RoleName::Maintenance => slot.local != Some(verified.digest),
                _ => slot.active_id.is_some_and(|owner| owner != verified.transform.id),
            };
            if !taken || !self.store.was_in_force(sensor.clone(), verified.digest).await? {
                stay.push(sensor);
            }
        }
        verified.sensors = stay;
        Ok(())
    }
}
