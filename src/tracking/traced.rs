//! What the values of pairs and their references have in common, by the transforms that made the values.

use std::collections::HashMap;

use crate::domain::digest::Digest;
use crate::domain::drift::traced::Traced;
use crate::domain::pairing::Pair;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::envelope::Envelope;
use crate::store::Store;

/// Transforms that are remembered.
const MOST: usize = 1024;

/// What transforms have from their standards, by digest: it never changes.
#[derive(Debug, Default)]
pub struct Traces(HashMap<Digest, Traced>);

impl Traces {
    /// The standard uncertainty that value and reference of a pair have in common. A ledger that does not answer is no
    /// reason to lose the pair: then nothing is known to be shared.
    pub async fn shared(&mut self, store: &Store, pair: &Pair) -> Option<f64> {
        let digest = pair.transform.as_ref()?.digest;
        // Most pairs have none of these, and nothing is looked up for them.
        let (standard, u, u_reference) = (pair.standard.as_ref()?, pair.u?, pair.reference_u?);
        if !self.0.contains_key(&digest) {
            let stored = store.transforms_named(&digest.to_string()).await.ok()?.pop()?;
            let payload = Envelope::parse(&stored.envelope).ok()?.payload;
            if self.0.len() >= MOST {
                self.0.clear();
            }
            self.0.insert(digest, Traced::of(&Transform::parse(&payload).ok()?));
        }
        self.0.get(&digest)?.shared(Some(standard), Some(u), Some(u_reference))
    }
}
