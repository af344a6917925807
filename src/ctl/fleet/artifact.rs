//! A signed artifact that is to be published: what it is, and where it belongs.

use serde_json::Value;

use super::topic::{About, Branch};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::strict_json;
use crate::domain::trust::envelope::{Envelope, type_name};
use crate::domain::trust::reason::{Reason, Refusal};

/// A signed artifact, whoever signed it.
#[derive(Debug)]
pub struct Artifact {
    /// The envelope as it is published.
    pub bytes: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
    /// Its short type name.
    pub kind: String,
    payload: Value,
}

impl Artifact {
    /// Reads an envelope.
    ///
    /// # Errors
    /// `too_large`, `malformed`, `wrong_type`.
    pub fn parse(bytes: Vec<u8>) -> Result<Artifact, Refusal> {
        let envelope = Envelope::parse(&bytes)?;
        let Some(kind) = type_name(&envelope.payload_type).map(str::to_owned) else {
            return Err(Refusal::new(Reason::WrongType, "no artifact of calibd"));
        };
        let payload = strict_json::parse(&envelope.payload)
            .map_err(|fault| Refusal::new(Reason::Malformed, format!("{kind}: {fault}")))?;
        Ok(Artifact { digest: envelope.digest(), kind, payload, bytes })
    }

    fn id(&self, field: &str) -> Result<Id, Refusal> {
        let text = self.payload.get(field).and_then(Value::as_str).unwrap_or_default();
        Id::new(text)
            .map_err(|fault| Refusal::new(Reason::Malformed, format!("{}: {field}: {fault}", self.kind)))
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.payload.get(field)?.as_u64()
    }

    /// What it is in words, such as `transform co 7`.
    pub fn name(&self) -> String {
        let id = ["id", "gateway", "model"].iter().find_map(|field| self.id(field).ok());
        let words = [
            Some(self.kind.clone()),
            self.payload.get("action").and_then(Value::as_str).map(str::to_owned),
            id.map(|id| id.to_string()),
            self.version().map(|version| version.to_string()),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The id of what it is about.
    pub fn about_id(&self) -> Option<Id> {
        ["id", "gateway", "model"].iter().find_map(|field| self.id(field).ok())
    }

    /// Its version or serial.
    pub fn version(&self) -> Option<u64> {
        self.number("version").or_else(|| self.number("serial"))
    }

    /// Whether the broker keeps it.
    pub fn is_retained(&self) -> bool {
        self.kind != "command"
    }

    /// The gateways that it names; none: it does not say.
    pub fn gateways(&self) -> Vec<Id> {
        let target = self.payload.get("target").or_else(|| self.payload.get("targets"));
        let named = target.and_then(|target| target.get("gateways")).and_then(Value::as_array);
        named.into_iter().flatten().filter_map(|it| Id::new(it.as_str()?).ok()).collect()
    }

    /// Where it is published for a branch.
    ///
    /// # Errors
    /// `malformed`, `wrong_type`, with what would be right.
    pub fn about(&self, branch: Branch) -> Result<About, Refusal> {
        let wrong = |text: &str| Err(Refusal::new(Reason::WrongType, text));
        match (self.kind.as_str(), branch) {
            ("transform", branch) => Ok(About::Transform(branch, self.id("id")?)),
            ("order", branch) => Ok(About::Order(branch, self.id("id")?)),
            ("manifest", branch) => self.manifest(branch),
            ("command", branch) => Ok(About::Command(branch)),
            ("prior", Branch::All) => Ok(About::Prior(self.id("model")?)),
            ("prior", _) => wrong("a prior is for all gateways with that model: say --all"),
            ("root", _) => wrong("holds a trust root; use `calibctl fleet root push`"),
            ("enrolment", _) => wrong("holds an enrolment; use `calibctl fleet enrol`"),
            _ => wrong("nothing that is published for gateways"),
        }
    }

    /// Through another branch than its own gateways refuse a manifest.
    fn manifest(&self, branch: Branch) -> Result<About, Refusal> {
        let named = self.payload.get("branch").and_then(Value::as_str).unwrap_or_default();
        let named: Branch = named
            .parse()
            .map_err(|fault| Refusal::new(Reason::Malformed, format!("manifest: branch: {fault}")))?;
        match named == branch {
            true => Ok(About::Manifest(branch)),
            false => {
                let text = format!("the manifest is for {}, not for {}", named.words(), branch.words());
                Err(Refusal::new(Reason::NotForThisGateway, text))
            }
        }
    }

    /// Where a root is published.
    ///
    /// # Errors
    /// `wrong_type`, `malformed`.
    pub fn root(&self) -> Result<About, Refusal> {
        match (self.kind.as_str(), self.number("version")) {
            ("root", Some(version)) => Ok(About::Root(version)),
            ("root", None) => Err(Refusal::new(Reason::Malformed, "root: version: missing")),
            (kind, _) => Err(Refusal::new(Reason::WrongType, format!("holds a {kind}, not a root"))),
        }
    }

    /// Where an enrolment is published, and whose it is.
    ///
    /// # Errors
    /// `wrong_type`, `malformed`.
    pub fn enrolment(&self) -> Result<(About, Id), Refusal> {
        if self.kind != "enrolment" {
            let text = format!("holds a {}, not an enrolment", self.kind);
            return Err(Refusal::new(Reason::WrongType, text));
        }
        let gateway = self.id("gateway")?;
        Ok((About::Enrolment(gateway.clone()), gateway))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trust::envelope::{payload_type, sign};

    fn artifact(kind: &str, payload: &str) -> Artifact {
        Artifact::parse(sign(&payload_type(kind), payload.as_bytes(), &[])).unwrap()
    }

    #[test]
    fn the_topic_is_that_of_the_payload() {
        let id = |text| Id::new(text).unwrap();
        let group = Branch::Group(id("north"));
        let transform = artifact("transform", r#"{"id":"co","version":7,"target":{"gateways":["a","b"]}}"#);
        assert_eq!(transform.about(group.clone()).unwrap().path(), "down/group/north/transform/co");
        assert_eq!(
            (transform.name(), transform.gateways()),
            ("transform co 7".into(), vec![id("a"), id("b")])
        );
        let order = artifact("order", r#"{"id":"co","serial":3,"action":"abort"}"#);
        assert_eq!(order.about(Branch::All).unwrap().path(), "down/all/order/co");
        assert_eq!(order.name(), "order abort co 3");
        assert_eq!(artifact("root", r#"{"version":2}"#).root().unwrap().path(), "down/root/2");
        let (about, gateway) =
            artifact("enrolment", r#"{"gateway":"gw-1","version":1}"#).enrolment().unwrap();
        assert_eq!((about.path(), gateway), ("down/gw/gw-1/enrolment".into(), id("gw-1")));
        assert!(!artifact("command", "{}").is_retained());
        let manifest = artifact("manifest", r#"{"branch":"gw/gw-1","version":4}"#);
        let own = Branch::Gateway(id("gw-1"));
        assert_eq!(manifest.about(own).unwrap().path(), "down/gw/gw-1/manifest");
        assert_eq!(manifest.name(), "manifest 4");
    }

    #[test]
    fn what_belongs_elsewhere_or_nowhere_is_refused() {
        let reason = |kind, payload, branch| artifact(kind, payload).about(branch).unwrap_err().reason;
        assert_eq!(reason("transform", r#"{"id":"../x"}"#, Branch::All), Reason::Malformed);
        assert_eq!(reason("transform", r#"{"id":["co"]}"#, Branch::All), Reason::Malformed);
        assert_eq!(reason("root", r#"{"version":2}"#, Branch::All), Reason::WrongType);
        assert_eq!(reason("ack", "{}", Branch::All), Reason::WrongType);
        let group = Branch::Group(Id::new("north").unwrap());
        assert_eq!(reason("prior", r#"{"model":"m"}"#, group), Reason::WrongType);
        assert_eq!(reason("manifest", r#"{"branch":"gw/a"}"#, Branch::All), Reason::NotForThisGateway);
        assert_eq!(reason("manifest", r#"{"branch":"b"}"#, Branch::All), Reason::Malformed);
        let twice = sign(&payload_type("transform"), br#"{"id":"a","id":"b"}"#, &[]);
        assert_eq!(Artifact::parse(twice).unwrap_err().reason, Reason::Malformed);
        assert_eq!(Artifact::parse(sign("text/plain", b"{}", &[])).unwrap_err().reason, Reason::WrongType);
    }
}
