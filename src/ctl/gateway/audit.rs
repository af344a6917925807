//! `calibctl audit`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::show::{clean, time};
use super::{Asked, client};
use crate::ctl::output::{Failure, print_json, print_table};
use crate::domain::audit::AuditRow;
use crate::wire::control::Audit;

const EXAMPLES: &str = "examples:
  calibctl audit list
  calibctl audit list --after 120 --limit 50 --json";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum AuditCommand {
    /// Lists who did what, from the oldest.
    List(ListArgs),
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    #[command(flatten)]
    asked: Asked,
    /// Rows with numbers above this one.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// At most so many rows; absent: all.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

pub fn run(command: &AuditCommand) -> Result<ExitCode, Failure> {
    let AuditCommand::List(args) = command;
    let audit = gather(args)?;
    if args.asked.json {
        print_json(&audit)?;
    } else {
        let head = ["NUMBER", "TIME", "ACTOR", "ACTION", "SUBJECT", "DETAIL"].map(str::to_owned);
        let rows: Vec<Vec<String>> = [head.to_vec()].into_iter().chain(audit.rows.iter().map(row)).collect();
        print_table(&rows, 0)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn gather(args: &ListArgs) -> Result<Audit, Failure> {
    const PAGE: usize = 10_000;
    let wanted = args.limit.unwrap_or(usize::MAX);
    let mut found = Audit { rows: Vec::new(), after: Some(args.after) };
    while let Some(after) = found.after.filter(|_| found.rows.len() < wanted) {
        let limit = (wanted - found.rows.len()).min(PAGE);
        let mut page: Audit = client::get(&args.asked, &format!("/v1/audit?after={after}&limit={limit}"))?;
        found.rows.append(&mut page.rows);
        found.after = page.after;
    }
    Ok(found)
}

fn row(row: &AuditRow) -> Vec<String> {
    let texts = [&row.actor, &row.action, &row.subject, &row.detail].map(|text| clean(text));
    [row.seq.to_string(), time(row.time)].into_iter().chain(texts).collect()
}
