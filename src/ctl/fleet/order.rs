//! `calibctl fleet promote`, `rollback`, `abort` and `retire`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::artifact::Artifact;
use super::book::{Book, Kept, Names};
use super::publish::{Patience, publish};
use super::reach::{Reach, Session};
use super::topic::{About, Branch, Up};
use crate::ctl::files;
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note};
use crate::ctl::passphrase::PassphraseArgs;
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::rollout::OrderAction;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::order::{Order, SCHEMA, Targets};

/// The help of promote.
pub const PROMOTE: &str = "examples:
  calibctl fleet promote co --signing-key fleet.key.pem --root root.json \\
      --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key
  calibctl fleet promote co --percent 50 --signing-key fleet.key.pem --broker mqtt://127.0.0.1 --fleet plant-7

The order is about the transform that the broker keeps, and is published where that is.";

/// The help of rollback.
pub const ROLLBACK: &str = "examples:
  calibctl fleet rollback co --signing-key fleet.key.pem --root root.json \\
      --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key

  where the signing key is on another machine:
  calibctl fleet rollback co -o order.json --broker mqtt://127.0.0.1 --fleet plant-7
  calibctl sign order.json --key fleet.key.pem -o order.dsse.json
  calibctl fleet push order.dsse.json --all --broker mqtt://127.0.0.1 --fleet plant-7";

/// The help of abort.
pub const ABORT: &str = "examples:
  calibctl fleet abort co --signing-key fleet.key.pem --gateway gw-1 --root root.json \\
      --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key";

/// The help of retire.
pub const RETIRE: &str = "examples:
  calibctl fleet retire co --signing-key fleet.key.pem --root root.json \\
      --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key

The sensors give raw values then, unless another transform replaces it.";

#[derive(Args)]
pub struct OrderArgs {
    /// The transform's id.
    #[arg(value_name = "ID")]
    id: Id,
    /// The transform's digest; absent: of the one that the broker keeps.
    #[arg(long, value_name = "DIGEST", value_parser = Digest::parse)]
    digest: Option<Digest>,
    /// Private key of the fleet role, in PEM; may be given several times.
    #[arg(long = "signing-key", value_name = "FILE", required_unless_present = "output")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Writes the order unsigned instead of publishing it, to be signed elsewhere.
    #[arg(short, long, value_name = "FILE", conflicts_with = "keys")]
    output: Option<PathBuf>,
    /// One gateway; absent, as --group and --all: where the broker keeps the transform.
    #[arg(long, value_name = "ID", conflicts_with_all = ["group", "all"])]
    gateway: Option<Id>,
    /// The gateways of a group.
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    group: Option<Id>,
    /// Every gateway.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
pub struct PromoteArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// The share of the gateways that the candidate is to reach, in percent; absent: it comes into force where it is.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    percent: Option<f64>,
}

fn percent(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| *value > 0.0 && *value <= 100.0);
    value.ok_or_else(|| "a number above 0, 100 at most".to_owned())
}

pub fn promote(args: &PromoteArgs) -> Result<ExitCode, Failure> {
    order(&args.order, OrderAction::Promote, args.percent)
}

pub fn run(args: &OrderArgs, action: OrderAction) -> Result<ExitCode, Failure> {
    order(args, action, None)
}

fn order(args: &OrderArgs, action: OrderAction, percent: Option<f64>) -> Result<ExitCode, Failure> {
    let keys = args.passphrase.private_keys(&args.keys)?;
    block_on(async {
        let mut session = args.reach.open(None).await?;
        let (branch, digest) = subject(&mut session, args).await?;
        let kept = transforms(&session.book, &args.id).into_iter().find(|(_, kept)| kept.digest == digest);
        let names = kept.map(|(_, kept)| kept.names).unwrap_or_default();
        let serial = next_serial(&session.book, &args.id);
        let order = Order {
            schema: SCHEMA,
            fleet: args.reach.fleet().clone(),
            id: args.id.clone(),
            serial,
            action,
            digest,
            percent,
            targets: targets(&branch, names),
            issued_at: session.now,
        };
        let payload =
            serde_json::to_vec_pretty(&order).map_err(|fault| Failure::usage(format!("json: {fault}")))?;
        if let Some(path) = &args.output {
            session.link.leave().await;
            files::write_out(Some(path), &payload)?;
            note(&format!(
                "note: sign it with `calibctl sign`, publish it with `calibctl fleet push` for {}",
                branch.words()
            ));
            return Ok(ExitCode::SUCCESS);
        }
        let bytes = sign(&payload_type("order"), &payload, &keys);
        let artifact = Artifact::parse(bytes).map_err(|fault| Failure::refused(fault.to_string()))?;
        let about = About::Order(branch.clone(), args.id.clone());
        publish(session, &artifact, about, branch, &args.patience, args.reach.json).await
    })
}

/// The same as the branch says, and whom the transform names: a gateway that is not enrolled takes only orders that name
/// it and its sensors.
fn targets(branch: &Branch, names: Names) -> Targets {
    let Names { gateways, sensors } = names;
    let (gateways, groups) = match branch {
        Branch::All => (gateways, Vec::new()),
        Branch::Group(group) => (gateways, vec![group.clone()]),
        Branch::Gateway(gateway) => (vec![gateway.clone()], Vec::new()),
    };
    Targets { gateways, groups, sensors, ..Targets::default() }
}

/// For whom the order is, and which transform it is about.
async fn subject(session: &mut Session, args: &OrderArgs) -> Result<(Branch, Digest), Failure> {
    let id = &args.id;
    for kind in ["transform", "order"] {
        let below = ["down/all", "down/group/+", "down/gw/+"].map(|branch| format!("{branch}/{kind}/{id}"));
        session.fetch(&below.each_ref().map(String::as_str)).await?;
    }
    let branch = match (&args.gateway, &args.group, args.all) {
        (Some(gateway), ..) => Some(Branch::Gateway(gateway.clone())),
        (_, Some(group), _) => Some(Branch::Group(group.clone())),
        (_, _, true) => Some(Branch::All),
        _ => None,
    };
    let kept = transforms(&session.book, id);
    let branch = match branch {
        Some(branch) => branch,
        None => only(&kept.iter().map(|(branch, _)| branch.clone()).collect(), id)?,
    };
    if let Some(digest) = args.digest {
        return Ok((branch, digest));
    }
    // The order may be for a part of those that the transform is for.
    let here =
        kept.iter().find(|(other, _)| *other == branch).or_else(|| kept.first().filter(|_| kept.len() == 1));
    if let Some((_, kept)) = here {
        if session.book.trust.root().is_some() && !kept.verified {
            return Err(Failure::refused(format!(
                "transform {id} that the broker keeps is not signed by the fleet; name the right one with --digest"
            )));
        }
        return Ok((branch, kept.digest));
    }
    session.gateways(&[Up::Reported]).await?;
    reported(&session.book, id).map(|digest| (branch, digest))
}

fn transforms(book: &Book, wanted: &Id) -> Vec<(Branch, Kept)> {
    let ours = |(about, kept): (&About, &Kept)| match about {
        About::Transform(branch, id) if id == wanted => Some((branch.clone(), kept.clone())),
        _ => None,
    };
    book.desired.iter().filter_map(ours).collect()
}

fn only(branches: &BTreeSet<Branch>, id: &Id) -> Result<Branch, Failure> {
    let mut found = branches.iter();
    match (found.next(), found.next()) {
        (Some(branch), None) => Ok(branch.clone()),
        (None, _) => Err(Failure::refused(format!(
            "the broker keeps no transform {id}; say for whom the order is: --gateway, --group or --all"
        ))),
        _ => {
            let words: Vec<String> = branches.iter().map(Branch::words).collect();
            Err(Failure::refused(format!(
                "the broker keeps transform {id} for {}; say which with --gateway, --group or --all",
                words.join(" and for ")
            )))
        }
    }
}

/// The one transform of this id that sensors have.
fn reported(book: &Book, id: &Id) -> Result<Digest, Failure> {
    let held = book.gateways.values().flat_map(|gateway| gateway.sensors.values());
    let held = held.flat_map(|sensor| [&sensor.active, &sensor.candidate]).flatten();
    let found: BTreeSet<Digest> = held.filter(|held| held.id == *id).map(|held| held.digest).collect();
    let mut digests = found.iter();
    match (digests.next(), digests.next()) {
        (Some(digest), None) => Ok(*digest),
        (None, _) => Err(Failure::refused(format!("no gateway reports a transform {id}"))),
        _ => {
            let listed: Vec<String> = found.iter().map(Digest::to_string).collect();
            Err(Failure::refused(format!(
                "gateways report several transforms {id}; name one with --digest: {}",
                listed.join(", ")
            )))
        }
    }
}

/// One above the highest serial of the orders about an id that the broker keeps; of those only that the root's keys
/// signed, if it is known: anybody else could use up the numbers.
fn next_serial(book: &Book, wanted: &Id) -> u64 {
    let known = book.trust.root().is_some();
    let ours = |(about, kept): (&About, &Kept)| match about {
        About::Order(_, id) if id == wanted && (kept.verified || !known) => Some(kept.number),
        _ => None,
    };
    book.desired.iter().filter_map(ours).max().unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::fleet::trusted::Trust;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn kept(number: u64, verified: bool) -> Kept {
        Kept {
            digest: Digest::of(&[b"x"]),
            number,
            action: None,
            on: None,
            verified,
            names: Names::default(),
        }
    }

    #[test]
    fn the_serial_is_one_above_the_highest_of_the_id() {
        let mut book = Book::new(id("f"), Trust::new(None), None);
        assert_eq!(next_serial(&book, &id("co")), 1);
        let group = Branch::Group(id("north"));
        book.desired.insert(About::Order(Branch::All, id("co")), kept(3, false));
        book.desired.insert(About::Order(group.clone(), id("co")), kept(7, false));
        book.desired.insert(About::Order(Branch::All, id("other")), kept(70, false));
        book.desired.insert(About::Transform(group, id("co")), kept(700, false));
        assert_eq!(next_serial(&book, &id("co")), 8);
    }

    #[test]
    fn an_order_names_whom_its_transform_names() {
        let names = Names { gateways: vec![id("gw-1"), id("gw-2")], sensors: vec![id("co-1")] };
        let all = targets(&Branch::All, names.clone());
        assert_eq!((all.gateways, all.sensors), (names.gateways.clone(), names.sensors.clone()));
        let one = targets(&Branch::Gateway(id("gw-2")), names.clone());
        assert_eq!((one.gateways, one.sensors), (vec![id("gw-2")], names.sensors.clone()));
        let group = targets(&Branch::Group(id("north")), Names::default());
        assert_eq!((group.gateways, group.groups, group.sensors), (vec![], vec![id("north")], vec![]));
    }

    #[test]
    fn the_branch_is_that_of_the_transform_if_there_is_one() {
        let branches = |list: &[Branch]| only(&list.iter().cloned().collect(), &id("co"));
        assert_eq!(branches(&[Branch::All]).unwrap(), Branch::All);
        assert!(branches(&[]).unwrap_err().message().contains("keeps no transform co"));
        let two = branches(&[Branch::All, Branch::Group(id("north"))]).unwrap_err();
        assert!(two.message().contains("for all gateways and for group north"), "{}", two.message());
    }

    #[test]
    fn shares_are_percents() {
        assert_eq!(percent("12.5"), Ok(12.5));
        for bad in ["0", "-1", "101", "NaN", "inf", "x"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
