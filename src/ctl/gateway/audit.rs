//! `calibctl audit`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::events::Events;
use super::show::{clean, count, time};
use super::{Asked, client};
use crate::ctl::output::{Failure, print_json, print_lines, print_table};
use crate::ctl::progress::Progress as Bar;
use crate::domain::audit::AuditRow;
use crate::wire::control::{Audit, Progress, Verified};

const EXAMPLES: &str = "examples:
  calibctl audit list
  calibctl audit list --after 120 --limit 50 --json";

const VERIFY_EXAMPLES: &str = "examples:
  calibctl audit verify
  calibctl audit verify --json | jq .audit.head

Every row has to continue the one before it, every trust root and transform to be stored as it was signed, and
the audit to name each. Keep the head elsewhere: an audit that was cut off at its end, or written anew from
its beginning, shows by its head only. Exit code 1: it is not whole.";

#[derive(Subcommand)]
#[command(after_help = "examples:\n  calibctl audit list\n  calibctl audit verify")]
pub enum AuditCommand {
    /// Lists who did what, from the oldest.
    List(ListArgs),
    /// Checks the whole ledger: its pages, the chain of the audit, every envelope.
    Verify(VerifyArgs),
}

#[derive(Args)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct VerifyArgs {
    #[command(flatten)]
    asked: Asked,
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
    match command {
        AuditCommand::List(args) => list(args),
        AuditCommand::Verify(args) => verify(args),
    }
}

fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let (mut events, mut found) = (Events::default(), None);
    let mut bar = Bar::new("verifying");
    let unreadable = |fault| Failure::refused(format!("an event of calibd cannot be read: {fault}"));
    client::follow(&args.asked, "/v1/audit/verify", |bytes| {
        for event in events.take(bytes)? {
            match event.name.as_str() {
                "progress" => {
                    let Progress { done, total } = serde_json::from_str(&event.data).map_err(unreadable)?;
                    bar.of(done, total);
                }
                "result" => found = Some(serde_json::from_str(&event.data).map_err(unreadable)?),
                // A newer calibd may have more to say.
                _ => {}
            }
        }
        Ok(found.is_none())
    })?;
    drop(bar);
    let found: Verified = found.ok_or_else(|| Failure::unreachable("calibd has ended the connection"))?;
    if args.asked.json {
        print_json(&found)?;
    }
    match (&found.audit, &found.fault) {
        (_, fault) if !found.whole => {
            let fault = fault.as_deref().unwrap_or("calibd does not say where");
            Err(Failure::refused(format!("the ledger is not whole: {}", clean(fault))))
        }
        (Some(audit), _) if !args.asked.json => {
            let counts = [audit.rows, found.transforms, found.roots].map(count);
            let [rows, transforms, roots] = counts;
            let head = audit.head;
            let text = format!(
                "the ledger is whole: {rows} audit rows, {transforms} transforms, {roots} trust roots\nhead {head}\n"
            );
            print_lines(&text).map(|()| ExitCode::SUCCESS)
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
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
