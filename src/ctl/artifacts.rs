//! Transforms in files.

use std::path::Path;

use super::files;
use super::output::{Failure, note};
use crate::domain::digest::Digest;
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::{Compiled, compile};
use crate::domain::trust::envelope::Envelope;

/// Reads a transform, from its own JSON or out of a signed envelope, whose signatures are not looked
/// at: a note says so.
pub fn transform(path: &Path) -> Result<(Transform, Compiled), Failure> {
    transform_and_digest(path).map(|(transform, compiled, _)| (transform, compiled))
}

/// The same, with the digest of a signed one.
pub fn transform_and_digest(path: &Path) -> Result<(Transform, Compiled, Option<Digest>), Failure> {
    let bytes = files::read(path)?;
    let name = path.display().to_string();
    let (payload, digest) = match Envelope::parse(&bytes) {
        Ok(envelope) => {
            note(&format!(
                "note: {name}: signed, but not verified here: see `calibctl verify {name} --root ROOT`"
            ));
            let digest = envelope.digest();
            (envelope.payload, Some(digest))
        }
        Err(_) => (bytes, None),
    };
    let (transform, compiled) = parsed(&payload, &name)?;
    Ok((transform, compiled, digest))
}

/// Reads a transform from its own JSON, which came from the place that is named.
pub fn parsed(payload: &[u8], name: &str) -> Result<(Transform, Compiled), Failure> {
    let read = Transform::parse(payload).and_then(|it| compile(&it).map(|compiled| (it, compiled)));
    read.map_err(|fault| Failure::refused(format!("{name}: {fault}")))
}
