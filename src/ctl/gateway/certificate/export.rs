//! `calibctl certificate export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Asked, Read, read};
use crate::ctl::files;
use crate::ctl::output::{Failure, note};
use crate::document::Original;
use crate::document::dcc::dcc;
use crate::document::page::html;

const EXAMPLES: &str = "examples:
  calibctl certificate export gw-1-2026-0007 --format html -o gw-1-2026-0007.html
  calibctl certificate export gw-1-2026-0007 --format signed -o gw-1-2026-0007.certificate.json
  calibctl certificate export gw-1-2026-0007.certificate.json --format dcc -o gw-1-2026-0007.xml

The signed certificate counts: keep it, and check it with `calibctl verify`. html prints on A4, dcc is the digital
calibration certificate of the PTB, json is what was signed, without signatures. A file needs no gateway.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// A certificate's number, or a file with a signed certificate; `-` is stdin.
    #[arg(value_name = "NUMBER or FILE")]
    name: String,
    /// What to write.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// Where to write; absent or `-`: stdout.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A page that prints.
    Html,
    /// XML of the PTB's schema 3.3.0.
    Dcc,
    /// What was signed.
    Json,
    /// The signed certificate.
    Signed,
}

pub fn run(args: &ExportArgs) -> Result<(), Failure> {
    let Read { certificate, digest, envelope } = read(&args.name, &args.asked)?;
    let original = Original { digest, version: concat!("calibctl ", env!("CARGO_PKG_VERSION")) };
    let bytes = match args.format {
        Format::Html => html(&certificate, &original).into_bytes(),
        Format::Dcc => {
            dcc(&certificate, &original).map_err(|fault| Failure::refused(fault.to_string()))?.into_bytes()
        }
        Format::Json => {
            let payload = serde_json::to_string_pretty(&certificate);
            payload.map_err(|fault| Failure::usage(format!("json: {fault}")))?.into_bytes()
        }
        Format::Signed => envelope,
    };
    files::write_out(args.output.as_deref(), &bytes)?;
    if args.format != Format::Signed {
        note("note: the signatures were not checked; `calibctl verify` does");
    }
    Ok(())
}
