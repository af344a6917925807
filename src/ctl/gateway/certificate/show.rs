//! `calibctl certificate show`

use std::fmt::Write as _;

use clap::Args;

use super::super::show::{clean, time};
use super::{Asked, Read, read};
use crate::ctl::output::{Failure, aligned, print_json, print_lines, print_table};
use crate::document::number::LastDigit;
use crate::document::words;
use crate::domain::certificate::{About, PointResult};

const EXAMPLES: &str = "examples:
  calibctl certificate show gw-1-2026-0007
  calibctl certificate show gw-1-2026-0007.certificate.json --json

What it says fits together; the signatures are checked by `calibctl verify`.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// A certificate's number, or a file with a signed certificate; `-` is stdin.
    #[arg(value_name = "NUMBER or FILE")]
    name: String,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &ShowArgs) -> Result<(), Failure> {
    let Read { certificate, digest, .. } = read(&args.name, &args.asked)?;
    if args.asked.json {
        return print_json(&certificate);
    }
    let (about, results) = (&certificate.about, &certificate.results);
    print_lines(&format!("{} {}\n", clean(&about.title), about.number))?;
    print_table(&facts(about, &digest.to_string()), 0)?;
    for (name, points) in [("as found", &results.as_found), ("as left", &results.as_left)] {
        if !points.is_empty() {
            print_lines(&format!("\n{name}, in {}\n", clean(&results.unit)))?;
            print_lines(&table(points))?;
        }
    }
    let mut said = String::new();
    for sentence in results.conformity.iter().flat_map(words::conformity) {
        // Writing to a string cannot fail.
        let _ = write!(said, "\n{sentence}\n");
    }
    for deviation in &about.deviations {
        let _ = write!(said, "\ndeviation: {}\n", clean(deviation));
    }
    print_lines(&said)
}

fn facts(about: &About, digest: &str) -> Vec<Vec<String>> {
    let instrument = about.item.instrument.as_ref();
    let instrument = instrument.map(|it| format!("{}, serial {}", clean(&it.model), clean(&it.serial)));
    let customer = about.customer.as_ref().map_or(&about.laboratory.party.name, |it| &it.name);
    let held = !about.signed_by.held.is_empty();
    let signed = if held { ", signed with a key that the gateway holds" } else { "" };
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    vec![
        line("sensor", format!("{} at {}", about.item.sensor, about.gateway)),
        line("instrument", instrument.unwrap_or_else(|| "-".to_owned())),
        line("issued", time(about.issued)),
        line("by", clean(&about.laboratory.party.name)),
        line("for", clean(customer)),
        line("authorised by", clean(&about.authorised_by.name) + signed),
        line("digest", digest.to_owned()),
    ]
}

fn table(points: &[PointResult]) -> String {
    let head = ["REFERENCE", "ERROR", "U", "K", "MPE", "STATEMENT"].map(str::to_owned).to_vec();
    let rows = points.iter().map(|point| {
        let last = LastDigit::of(point.expanded);
        let plain = |value: f64| last.show(value).replace('\u{2212}', "-");
        let stated = point.conformity;
        vec![
            plain(point.reference),
            plain(point.error),
            plain(point.expanded),
            format!("{:.2}", point.coverage_factor),
            stated.map_or("-".to_owned(), |it| plain(it.mpe)),
            stated.map_or("-".to_owned(), |it| words::outcome(it.outcome).to_owned()),
        ]
    });
    aligned(&[head].into_iter().chain(rows).collect::<Vec<_>>(), 4)
}
