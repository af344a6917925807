//! `[trust]`: whose transforms are believed, and what happens when that ends.

use std::path::PathBuf;

use super::reader::Section;
use crate::domain::digest::Digest;
use crate::domain::rollout::plan::Fallback;

/// Whose transforms are believed, and what happens when that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustConfig {
    /// The file of the first trust root; never replaces an installed one.
    pub root: Option<PathBuf>,
    /// The digest that the first root must have.
    pub root_sha256: Option<Digest>,
    /// When the active transform expires.
    pub on_expired: Fallback,
    /// When a key that signed the active transform is revoked.
    pub on_revoked: Fallback,
    /// Whether what comes through a branch has to be listed in its manifest.
    pub require_manifest: bool,
}

const FALLBACKS: [(&str, Fallback); 3] =
    [("keep", Fallback::Keep), ("previous", Fallback::Previous), ("uncalibrated", Fallback::Uncalibrated)];

/// Reads `[trust]`; absent means that every transform is refused for want of a root.
pub fn read_trust(root: &mut Section<'_>) -> TrustConfig {
    let mut trust = TrustConfig {
        root: None,
        root_sha256: None,
        on_expired: Fallback::Keep,
        on_revoked: Fallback::Keep,
        require_manifest: false,
    };
    let Some(mut section) = root.table("trust") else { return trust };
    trust.root = section.path_buf("root");
    trust.root_sha256 = digest(&mut section);
    trust.on_expired = section.choice("on_expired", &FALLBACKS).unwrap_or(Fallback::Keep);
    trust.on_revoked = section.choice("on_revoked", &FALLBACKS).unwrap_or(Fallback::Keep);
    trust.require_manifest = section.boolean("require_manifest").unwrap_or(false);
    if trust.on_expired == Fallback::Previous {
        section.fault(
            "on_expired",
            "\"previous\" is not offered: the transform before has mostly expired, too",
            "write \"keep\" or \"uncalibrated\"",
        );
    }
    trust
}

fn digest(section: &mut Section<'_>) -> Option<Digest> {
    let text = section.string("root_sha256")?;
    let digest = Digest::parse(&text);
    if digest.is_err() {
        section.fault(
            "root_sha256",
            "is not a SHA-256 digest",
            "write the 64 lower-case hexadecimal digits that `calibctl root show` prints",
        );
    }
    digest.ok()
}
