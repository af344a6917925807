//! The maintenance key that the gateway holds: it signs what a session has made, on behalf of whoever has the session.

use super::Refused;
use super::run::Parts;
use crate::config::held_key::held_key;
use crate::domain::session::Session;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::envelope::{Envelope, payload_type, sign};
use crate::domain::trust::key::{KeyId, PrivateKey};

const NONE: &str = "this gateway holds no maintenance key: sign with one of your own (`--key FILE`), or name one as key_file in [recalibration] of its configuration";

impl Parts {
    /// The key, read for this one use: it lies in memory no longer than it signs.
    fn held_key(&self) -> Result<PrivateKey, Refused> {
        let path = self.held.borrow().clone().ok_or_else(|| Refused::Bad(NONE.to_owned()))?;
        held_key(&path).map_err(|fault| {
            Refused::Bad(format!("the maintenance key of this gateway cannot be used: {fault}"))
        })
    }

    /// Its id, if there is one that can be used.
    pub(super) fn held_id(&self) -> Option<KeyId> {
        self.held.borrow().as_ref()?;
        match self.held_key() {
            Ok(key) => Some(key.public().id()),
            Err(fault) => {
                // Whoever has it sign is told; here it is only asked for.
                tracing::debug!("{fault}");
                None
            }
        }
    }

    /// The new transform of a session with the signature of the held key. It has to name who asks as its author.
    pub(super) fn approved_for(&self, session: &Session, by: &str) -> Result<String, Refused> {
        session.in_hands_of(by)?;
        let payload = session.to_be_approved()?.payload.as_bytes();
        let author = Transform::parse(payload).ok().and_then(|transform| transform.provenance.author);
        if author.as_deref() != Some(by) {
            return Err(Refused::Bad(format!(
                "the new transform names {} as who made it: fit it again, so that it says on whose behalf it is signed",
                author.as_deref().unwrap_or("nobody")
            )));
        }
        let envelope = sign(&payload_type("transform"), payload, &[self.held_key()?]);
        Ok(String::from_utf8_lossy(&envelope).into_owned())
    }

    /// Adds the signature of the held key to the certificate of a session.
    pub(super) fn certified_for(
        &self,
        session: &Session,
        envelope: &mut Envelope,
        by: &str,
    ) -> Result<(), Refused> {
        session.in_hands_of(by)?;
        envelope.add_signatures(&[self.held_key()?]);
        Ok(())
    }
}
