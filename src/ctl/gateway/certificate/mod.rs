//! `calibctl certificate`

mod export;
mod list;
mod show;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::Asked;
use super::client::get;
use crate::ctl::files;
use crate::ctl::output::Failure;
use crate::domain::certificate::{Certificate, TYPE};
use crate::domain::digest::Digest;
use crate::domain::trust::envelope::{Envelope, payload_type};
use crate::wire::control::OneCertificate;

const EXAMPLES: &str = "examples:
  calibctl certificate list --sensor co-1
  calibctl certificate show gw-1-2026-0007
  calibctl certificate export gw-1-2026-0007 --format html -o gw-1-2026-0007.html";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum CertificateCommand {
    /// Lists the calibration certificates that this gateway issued.
    List(list::ListArgs),
    /// Shows a calibration certificate.
    Show(show::ShowArgs),
    /// Writes a calibration certificate as a page, as a DCC, as JSON, or as it was signed.
    Export(export::ExportArgs),
}

pub fn run(command: &CertificateCommand) -> Result<ExitCode, Failure> {
    match command {
        CertificateCommand::List(args) => list::run(args)?,
        CertificateCommand::Show(args) => show::run(args)?,
        CertificateCommand::Export(args) => export::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A certificate whose content was read, and whose signatures were not checked.
struct Read {
    certificate: Certificate,
    digest: Digest,
    /// The signed certificate.
    envelope: Vec<u8>,
}

/// Reads a certificate from a file or, by its number, from the gateway.
fn read(name: &str, asked: &Asked) -> Result<Read, Failure> {
    let is_file = name == "-" || name.contains('/') || Path::new(name).exists();
    let envelope = if is_file {
        files::read(Path::new(name))?
    } else {
        let one: OneCertificate = get(asked, &format!("/v1/certificates/{}", number(name)?))?;
        format!("{}\n", one.envelope).into_bytes()
    };
    let refused = |fault| Failure::refused(format!("{name}: {fault}"));
    let parsed = Envelope::parse(&envelope).map_err(refused)?;
    if parsed.payload_type != payload_type(TYPE) {
        return Err(Failure::refused(format!(
            "{name}: holds no certificate; `calibctl verify` says what it is"
        )));
    }
    let certificate = Certificate::parse(&parsed.payload).map_err(refused)?;
    Ok(Read { certificate, digest: parsed.digest(), envelope })
}

/// A number as it can stand in a path.
fn number(name: &str) -> Result<&str, Failure> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match !name.is_empty() && name.bytes().all(allowed) {
        true => Ok(name),
        false => Err(Failure::usage(format!("`{name}` is neither a file nor a certificate's number"))),
    }
}
