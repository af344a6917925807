//! The checks of an artifact, in the order of the specification; nothing here changes anything.

use super::content;
use super::enrolment::Enrolment;
use super::envelope::{Envelope, payload_type, type_name};
use super::key::KeyId;
use super::manifest::Freshness;
use super::reason::{Reason, Refusal};
use super::root::{KeyState, RoleName, Root, printable};
use super::scope::Place;
use super::signers::{self, Candidate, Judged};
use super::slot::{self, Changes, Floor, Slot};
use super::target::{self, Selected, SensorFacts};
use super::time::{Come, TimeView};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;
use crate::domain::transform::Compiled;
use crate::domain::transform::artifact::Transform;

/// How long maintenance may go on under an expired root: 90 days, in microseconds.
const MAINTENANCE_GRACE: i64 = 90 * 86_400 * 1_000_000;

/// What an artifact is judged against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The installed root.
    pub root: Option<&'a Root>,
    /// The fleet the gateway belongs to.
    pub fleet: &'a Id,
    /// This gateway. `None` away from any gateway: then nothing that depends on which one it is gets
    /// checked. The daemon always names its own.
    pub gateway: Option<&'a Id>,
    /// What the fleet says of this gateway.
    pub enrolment: Option<&'a Enrolment>,
    /// What is known about a sensor, those that a template would make included; `None`: there is no such.
    pub sensors: &'a dyn Fn(&SensorId) -> Option<SensorFacts>,
    /// What is known about the time.
    pub time: TimeView,
    /// What is in force on a sensor.
    pub slots: &'a dyn Fn(&SensorId) -> Slot,
    /// The newest that was accepted of a transform id.
    pub floors: &'a dyn Fn(&Id) -> Option<Floor>,
    /// Whether the ledger has accepted the artifact with this digest before.
    pub accepted: &'a dyn Fn(&Digest) -> bool,
    /// What it has to be listed in; `None`: nothing, or it did not come through a branch.
    pub freshness: Option<Freshness<'a>>,
}

/// A transform that passed every check, ready to be audited and put into force.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The envelope as it came.
    pub envelope: Vec<u8>,
    /// The artifact's digest.
    pub digest: Digest,
    /// The artifact.
    pub transform: Transform,
    /// Its compiled form.
    pub compiled: Compiled,
    /// The sensors of this gateway that it is for; at least one.
    pub sensors: Vec<SensorId>,
    /// The role that signed: fleet, or maintenance for an overlay.
    pub role: RoleName,
    /// The role's keys that signed.
    pub keyids: Vec<KeyId>,
    /// Whether these very bytes are already the newest accepted of their id.
    pub already_applied: bool,
    /// What gives way to it.
    pub changes: Changes,
}

/// A refused artifact, with as much as is known about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Its digest, if it was an envelope.
    pub digest: Option<Digest>,
    /// The id it claims; only to be believed if `by_known_key`.
    pub id: Option<Id>,
    /// The version it claims; only to be believed if `by_known_key`.
    pub version: Option<u64>,
    /// Whether a key of the root made a good signature on it.
    pub by_known_key: bool,
}

/// An envelope whose signers were checked and whose content was not.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The envelope.
    pub envelope: Envelope,
    /// The artifact's digest.
    pub digest: Digest,
    /// The roles whose keys signed; at least one of them with enough.
    pub candidates: Vec<Candidate>,
}

impl Signed {
    /// How it is refused for its content: the digest and that a known key signed it can be told, whatever it claims.
    pub(super) fn refused(&self) -> impl Fn(Refusal) -> Refused + use<> {
        let digest = self.digest;
        move |refusal| Refused { refusal, digest: Some(digest), id: None, version: None, by_known_key: true }
    }
}

/// What has been learnt on the way to a refusal.
#[derive(Default)]
struct Seen {
    digest: Option<Digest>,
    id: Option<Id>,
    version: Option<u64>,
    by_known_key: bool,
}

impl Seen {
    fn refused(self, refusal: Refusal) -> Refused {
        let Seen { digest, id, version, by_known_key } = self;
        Refused { refusal, digest, id, version, by_known_key }
    }
}

/// Why an artifact is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It came from outside.
    Incoming,
    /// It is in the ledger, accepted before.
    Stored,
}

/// Checks a transform that came from outside.
///
/// # Errors
/// The first check that failed, in the order of [`Reason::ALL`] (but `no_root` comes as soon as a signature
/// would have to be checked, since without a root none can be).
pub fn verify_transform(bytes: &[u8], ctx: &Context) -> Result<Verified, Refused> {
    let mut seen = Seen::default();
    judge(bytes, ctx, Purpose::Incoming, &mut seen).map_err(|refusal| seen.refused(refusal))
}

/// Checks again a transform that the ledger holds as accepted: at start, after a change of the root, before a
/// rollback.
///
/// What has run out since does not count against it ("expiry blocks activation, never what is active nor an
/// automatic rollback"; retired keys keep what was accepted), and neither do floors, slots and steps. A revoked
/// key does, and so does every change of the bytes, the fleet, the scopes, the sensors or their units.
///
/// # Errors
/// The first check that failed.
pub fn verify_stored(bytes: &[u8], ctx: &Context) -> Result<Verified, Refused> {
    let mut seen = Seen::default();
    judge(bytes, ctx, Purpose::Stored, &mut seen).map_err(|refusal| seen.refused(refusal))
}

/// Checks the form, the type and the signers of any artifact, and nothing of its content.
///
/// # Errors
/// The first check that failed.
pub fn verify_envelope(bytes: &[u8], root: Option<&Root>, time: &TimeView) -> Result<Signed, Refused> {
    let mut seen = Seen::default();
    open(bytes, None, root, time, &|_| false, &mut seen).map_err(|refusal| seen.refused(refusal))
}

/// The same for an artifact of this short type name, `wrong_type` for others.
///
/// # Errors
/// The first check that failed.
pub fn verify_typed(
    bytes: &[u8],
    type_name: &str,
    root: Option<&Root>,
    time: &TimeView,
) -> Result<Signed, Refused> {
    verify_returning(bytes, type_name, root, time, &|_| false)
}

/// The same for one that may have been accepted before: "`retired` keys keep what the ledger already accepted".
///
/// # Errors
/// The first check that failed.
pub fn verify_returning(
    bytes: &[u8],
    type_name: &str,
    root: Option<&Root>,
    time: &TimeView,
    accepted: &dyn Fn(&Digest) -> bool,
) -> Result<Signed, Refused> {
    let mut seen = Seen::default();
    open(bytes, Some(type_name), root, time, accepted, &mut seen).map_err(|refusal| seen.refused(refusal))
}

/// Checks the form and the signers of a transform that a ledger holds as accepted: what can be checked
/// without knowing the gateway, its sensors and its time.
///
/// # Errors
/// The first check that failed.
pub fn verify_kept(bytes: &[u8], root: &Root) -> Result<(Digest, Transform), Refusal> {
    let signed = kept(bytes, "transform", root)?;
    let transform = Transform::parse(&signed.envelope.payload).map_err(|fault| content::refusal(&fault))?;
    target::role_for(&transform, &signed.candidates)?;
    Ok((signed.digest, transform))
}

/// Checks the form and the signers of what was accepted before, of this short type name.
///
/// # Errors
/// The first check that failed.
pub fn kept(bytes: &[u8], type_name: &str, root: &Root) -> Result<Signed, Refusal> {
    let time = TimeView { now: root.issued_at, trusted: false, floor: root.issued_at };
    open(bytes, Some(type_name), Some(root), &time, &|_| true, &mut Seen::default())
}

/// The roles that may sign an artifact of this short type name.
pub fn roles_for(type_name: &str) -> &'static [RoleName] {
    match type_name {
        "root" => &[RoleName::Root],
        "enrolment" => &[RoleName::Enrol],
        "transform" => &[RoleName::Fleet, RoleName::Maintenance],
        "order" | "command" | "prior" => &[RoleName::Fleet],
        "manifest" => &[RoleName::Snapshot],
        _ => &[],
    }
}

/// From bytes to an envelope signed by a role that may, up to and including "key validity".
fn open(
    bytes: &[u8],
    expected: Option<&str>,
    root: Option<&Root>,
    time: &TimeView,
    accepted: &dyn Fn(&Digest) -> bool,
    seen: &mut Seen,
) -> Result<Signed, Refusal> {
    // "size (`too_large`) -> envelope (`malformed`)"
    let envelope = Envelope::parse(bytes)?;
    let digest = envelope.digest();
    seen.digest = Some(digest);
    // "payload type fits (`wrong_type`)"
    let roles = expected_roles(&envelope.payload_type, expected)?;
    // "Without a root every artifact is `no_root`"
    let root = root.ok_or_else(|| {
        Refusal::new(Reason::NoRoot, "no trust root is installed; set trust.root in the configuration")
    })?;
    // "distinct keys reach the threshold of one role [...] -> key validity"
    let keys = signers::signing_keys(&envelope, root);
    // A revoked key may be in anybody's hands: what it signs is treated like a stranger's.
    let unrevoked = |id| root.keys.get(id).is_some_and(|key| key.state != KeyState::Revoked);
    seen.by_known_key = keys.iter().any(unrevoked);
    let judged = if accepted(&digest) { Judged::Accepted } else { Judged::New };
    let candidates = signers::authorise(&envelope, root, &keys, roles, time, judged)?;
    Ok(Signed { envelope, digest, candidates })
}

fn expected_roles(found: &str, expected: Option<&str>) -> Result<&'static [RoleName], Refusal> {
    let name = type_name(found);
    let roles = name.map_or(&[][..], roles_for);
    let wrong = |message| Err(Refusal::new(Reason::WrongType, message));
    match expected {
        Some(expected) if name != Some(expected) => {
            wrong(format!("the envelope holds `{}`, not `{}`", printable(found), payload_type(expected)))
        }
        _ if roles.is_empty() => {
            wrong(format!("no role of a root signs `{}`; it cannot be checked with one", printable(found)))
        }
        _ => Ok(roles),
    }
}

fn judge(bytes: &[u8], ctx: &Context, purpose: Purpose, seen: &mut Seen) -> Result<Verified, Refusal> {
    let stored = purpose == Purpose::Stored;
    let accepted = |digest: &Digest| stored || (ctx.accepted)(digest);
    let signed = open(bytes, Some("transform"), ctx.root, &ctx.time, &accepted, seen)?;
    let Some(root) = ctx.root else {
        return Err(Refusal::new(Reason::NoRoot, "no trust root is installed"));
    };
    // "strict parse: no duplicate keys at any depth, no trailing bytes, integers below 2^53, unknown fields
    // refused (`malformed`, `unknown_schema`, `unknown_stage`)"
    let transform = Transform::parse(&signed.envelope.payload).map_err(|fault| content::refusal(&fault))?;
    seen.id = Some(transform.id.clone());
    seen.version = Some(transform.version);
    let (role, keyids) = target::role_for(&transform, &signed.candidates)?;
    // "fleet, scope, target"
    let place = Place { gateway: ctx.gateway, enrolment: ctx.enrolment };
    let selected = target::select(&transform, root, role, ctx.fleet, place, ctx.sensors)?;
    // "root and time"
    if !stored {
        check_time(&transform, root, role, &ctx.time)?;
    }
    // "floor"
    let slots = slots(selected, stored, ctx);
    let mut already_applied = stored;
    let mut changes = Changes::default();
    if !stored {
        already_applied = slot::check_floor(&transform, signed.digest, (ctx.floors)(&transform.id))?;
        let pairs = slots.iter().map(|(selected, slot)| (&selected.sensor, slot));
        changes = slot::check_slots(&transform, role, pairs)?;
    }
    // "manifest where required": what was accepted before is nothing that anybody could have held back.
    if let Some(freshness) = ctx.freshness.filter(|_| !already_applied && role == RoleName::Fleet) {
        freshness.check(&transform.id, transform.version, signed.digest, root, &ctx.time)?;
    }
    // "content"
    let compiled = content::check(&transform, role, &slots)?;
    Ok(Verified {
        envelope: bytes.to_vec(),
        digest: signed.digest,
        compiled,
        sensors: slots.into_iter().map(|(selected, _)| selected.sensor).collect(),
        role,
        keyids,
        already_applied,
        changes,
        transform,
    })
}

/// The selected sensors with what is in force on them; for stored artifacts that does not matter.
fn slots(selected: Vec<Selected>, stored: bool, ctx: &Context) -> Vec<(Selected, Slot)> {
    let unknown = || Slot { before: slot::Before::Unknown, ..Slot::default() };
    selected
        .into_iter()
        .map(|selected| {
            let slot = if stored { unknown() } else { (ctx.slots)(&selected.sensor) };
            (selected, slot)
        })
        .collect()
}

fn check_time(transform: &Transform, root: &Root, role: RoleName, time: &TimeView) -> Result<(), Refusal> {
    // "An expired root still lets successors in, always, and maintenance for 90 days."
    if time.is_past(root_end(root, role)) {
        let text = format!("the trust root expired at {}; install its successor", root.expires);
        return Err(Refusal::new(Reason::RootExpired, text));
    }
    if time.is_past(transform.expires) {
        let text = format!("expired at {}; sign a new version", transform.expires);
        return Err(Refusal::new(Reason::Expired, text));
    }
    // "`not_before` without trusted time waits."
    let Some(begin) = transform.not_before else { return Ok(()) };
    match time.has_come(begin) {
        Come::Yes => Ok(()),
        Come::No => Err(Refusal::new(Reason::NotYetValid, format!("not in force before {begin}"))),
        Come::Unknown => {
            let text = format!("not in force before {begin}, and the clock is not trusted yet");
            Err(Refusal::new(Reason::ClockUntrusted, text))
        }
    }
}

/// Until when a role may sign under a root.
pub(super) fn root_end(root: &Root, role: RoleName) -> Timestamp {
    let grace = if role == RoleName::Maintenance { MAINTENANCE_GRACE } else { 0 };
    root.expires.saturating_add_micros(grace)
}
