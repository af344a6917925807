//! `calibctl certificate list`

use clap::Args;

use super::super::client::get;
use super::super::show::{clean, time};
use super::Asked;
use crate::ctl::output::{Failure, note, print_json, print_table};
use crate::domain::id::SensorId;
use crate::wire::control::{CertificateHead, Certificates};

const EXAMPLES: &str = "examples:
  calibctl certificate list
  calibctl certificate list --sensor co-1 --json | jq '.certificates[0].number'";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// Those of this sensor only.
    #[arg(long, value_name = "ID")]
    sensor: Option<SensorId>,
    /// At most so many, the newest.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &ListArgs) -> Result<(), Failure> {
    let of = args.sensor.as_ref().map(|sensor| format!("&sensor={sensor}")).unwrap_or_default();
    let found: Certificates = get(&args.asked, &format!("/v1/certificates?limit={}{of}", args.limit))?;
    if args.asked.json {
        return print_json(&found);
    }
    if found.certificates.is_empty() {
        note("there are no certificates yet; a recalibration ends with one");
        return Ok(());
    }
    let head = ["NUMBER", "SENSOR", "ISSUED", "AS FOUND", "AS LEFT"].map(str::to_owned).to_vec();
    let rows = found.certificates.iter().map(row);
    print_table(&[head].into_iter().chain(rows).collect::<Vec<_>>(), 0)?;
    if found.before.is_some() {
        note("there are older ones: ask for more with --limit");
    }
    Ok(())
}

fn row(head: &CertificateHead) -> Vec<String> {
    let stated = |outcome: &Option<String>| {
        outcome.as_deref().map_or("-".to_owned(), |it| clean(it).replace('_', " "))
    };
    vec![
        clean(&head.number),
        head.sensor.to_string(),
        time(head.issued),
        stated(&head.as_found),
        stated(&head.as_left),
    ]
}
