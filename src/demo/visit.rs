//! The technician's visit: a recalibration beside the analyser that ends in a certificate, done with calibctl itself.

use std::path::Path;

use super::children::calibctl;
use super::dataset::ALL_ROWS;
use super::error::{DemoError, expect};
use super::operator::Operator;
use super::sensor::Sensor;
use super::site::{ROOT, TECHNICIAN_KEY};
use super::story::Story;
use super::table::{REFERENCE, SENSOR};
use super::voice::Tone;
use crate::wire::control::Certificates;

/// The certificate as it was signed.
pub const SIGNED: &str = "certificate.json";
/// The certificate as a page.
const PAGE: &str = "certificate.html";
/// How the lines begin that are passed on of what calibctl says.
const TOLD: [&str; 4] = ["linearity ", "as ", "local-", "certificate "];

/// What the visit came to, for the closing table.
#[derive(Debug)]
pub struct Visit {
    /// The certificate's number.
    pub number: String,
    /// What it states, like `pass`.
    pub as_found: String,
    /// The same after the adjustment.
    pub as_left: String,
}

impl Story<'_> {
    /// Has the technician come, and lets the sensor speak to its last line meanwhile. `None` without a socket.
    pub(super) async fn visit(
        &mut self,
        sensor: &Sensor,
        operator: &mut Operator,
    ) -> Result<Option<Visit>, DemoError> {
        // Below a directory with a very long name there is no socket to work at.
        let Some(control) = self.site.control() else {
            sensor.allow(ALL_ROWS);
            return Ok(None);
        };
        self.voice.says(Tone::Step, "24 days later a technician comes and recalibrates beside the analyser");
        let key = self.site.path(TECHNICIAN_KEY);
        let by = ["--method", "offset", "--key", path(&key)?, "--yes"];
        let session = [&["recalibrate", SENSOR, "--reference-source", REFERENCE][..], &by].concat();
        let said = self.technician(&control, &session, sensor, operator).await?;
        let told = said.lines().filter(|line| TOLD.iter().any(|head| line.starts_with(head)));
        told.for_each(|line| self.voice.says(Tone::Plain, line));

        let listed = calibctl(Some(&control), &["certificate", "list", "--json"]).await?;
        let listed: Certificates = serde_json::from_str(&listed)
            .map_err(|fault| DemoError::NotSo(format!("the list of certificates can be read ({fault})")))?;
        let head = listed.certificates.into_iter().next();
        let head = head.ok_or_else(|| DemoError::NotSo("the visit ends with a certificate".to_owned()))?;
        let (as_found, as_left) = (head.as_found.unwrap_or_default(), head.as_left.unwrap_or_default());
        expect(as_left == "pass", || {
            format!("{SENSOR} is within the maximum permissible error as left (it is stated: {as_left})")
        })?;
        self.verified(&control, &head.number).await?;
        Ok(Some(Visit { number: head.number, as_found, as_left }))
    }

    /// Runs the session. The sensor goes on as soon as it is open, not before: hours that go by unused would be missing.
    async fn technician(
        &mut self,
        control: &Path,
        words: &[&str],
        sensor: &Sensor,
        operator: &mut Operator,
    ) -> Result<String, DemoError> {
        let mut session = std::pin::pin!(calibctl(Some(control), words));
        loop {
            tokio::select! {
                said = &mut session => return said,
                heard = operator.hear() => self.take(heard?)?,
            }
            if self.session_is_open {
                sensor.allow(ALL_ROWS);
            }
        }
    }

    /// Takes the certificate along, and has it checked far from the gateway.
    async fn verified(&self, control: &Path, number: &str) -> Result<(), DemoError> {
        let (signed, page, root) = (self.site.path(SIGNED), self.site.path(PAGE), self.site.path(ROOT));
        for (format, file) in [("signed", &signed), ("html", &page)] {
            let export = ["certificate", "export", number, "--format", format, "-o", path(file)?];
            calibctl(Some(control), &export).await?;
        }
        let said = calibctl(None, &["verify", path(&signed)?, "--root", path(&root)?]).await?;
        let verdict = said.lines().next().unwrap_or_default();
        self.voice.says(Tone::Good, &format!("calibctl verify, which needs no gateway: {verdict}"));
        Ok(())
    }
}

fn path(path: &Path) -> Result<&str, DemoError> {
    path.to_str().ok_or_else(|| DemoError::Setup(format!("{}: not UTF-8", path.display())))
}
