//! Transforms in files.

use std::path::Path;

use super::files;
use super::output::{Failure, note};
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::{Compiled, compile};
use crate::domain::trust::envelope::Envelope;

/// Reads a transform, from its own JSON or out of a signed envelope, whose signatures are not looked
/// at: a note says so.
pub fn transform(path: &Path) -> Result<(Transform, Compiled), Failure> {
    let bytes = files::read(path)?;
    let payload = match Envelope::parse(&bytes) {
        Ok(envelope) => {
            let name = path.display();
            note(&format!(
                "note: {name}: signed, but not verified here: see `calibctl verify {name} --root ROOT`"
            ));
            envelope.payload
        }
        Err(_) => bytes,
    };
    let read = Transform::parse(&payload).and_then(|it| compile(&it).map(|compiled| (it, compiled)));
    read.map_err(|fault| Failure::refused(format!("{}: {fault}", path.display())))
}
