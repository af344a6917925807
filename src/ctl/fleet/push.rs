//! `calibctl fleet push`, `fleet root push` and `fleet enrol`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::To;
use super::artifact::Artifact;
use super::publish::{Patience, publish};
use super::reach::Reach;
use super::topic::Branch;
use crate::ctl::files;
use crate::ctl::gateway::block_on;
use crate::ctl::output::Failure;
use crate::domain::trust::reason::Refusal;

const PUSH: &str = "examples:
  calibctl fleet push co-8.dsse.json --gateway gw-1 --root root.json --broker mqtts://broker.example:8884 \\
      --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key
  calibctl fleet push co-8.dsse.json --all --wait 10min --json --broker mqtt://127.0.0.1 --fleet plant-7

Where it belongs is read from the artifact: transforms, orders, manifests and priors are kept by the broker, for gateways that
come later; commands are not. With --root nothing is sent that gateways would refuse, and of a gateway that is enrolled
only answers count that are signed with its key. Exit code 0: somebody has taken it, and everybody who is connected has, or is not concerned.";

pub const ROOT: &str = "examples:
  calibctl fleet root push root-2.json --root root.json --broker mqtts://broker.example:8884 --fleet plant-7 \\
      --ca gateways-ca.pem --cert control.pem --key control.key

All versions stay with the broker, so that a gateway that was away gets through them one by one.";

const ENROL: &str = "examples:
  calibctl fleet enrol gw-1.enrolment.dsse.json --root root.json --broker mqtts://broker.example:8884 \\
      --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key";

#[derive(Args)]
#[command(after_help = PUSH)]
pub struct PushArgs {
    /// A signed artifact; `-` is stdin.
    #[arg(value_name = "ENVELOPE")]
    file: PathBuf,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
pub struct RootArgs {
    /// The signed root; `-` is stdin.
    file: PathBuf,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
#[command(after_help = ENROL)]
pub struct EnrolArgs {
    /// The signed enrolment; `-` is stdin.
    #[arg(value_name = "ENVELOPE")]
    file: PathBuf,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    reach: Reach,
}

fn read(path: &Path) -> Result<Artifact, Failure> {
    Artifact::parse(files::read(path)?).map_err(refused(path))
}

fn refused(path: &Path) -> impl Fn(Refusal) -> Failure + '_ {
    move |fault| Failure::refused(format!("{}: {fault}", path.display()))
}

pub fn run(args: &PushArgs) -> Result<ExitCode, Failure> {
    let artifact = read(&args.file)?;
    let branch = args.to.branch();
    let about = artifact.about(branch.clone()).map_err(refused(&args.file))?;
    block_on(async {
        let session = args.reach.open(None).await?;
        publish(session, &artifact, about, branch, &args.patience, args.reach.json).await
    })
}

pub fn root(args: &RootArgs) -> Result<ExitCode, Failure> {
    let artifact = read(&args.file)?;
    let about = artifact.root().map_err(refused(&args.file))?;
    block_on(async {
        let session = args.reach.open(None).await?;
        publish(session, &artifact, about, Branch::All, &args.patience, args.reach.json).await
    })
}

pub fn enrol(args: &EnrolArgs) -> Result<ExitCode, Failure> {
    let artifact = read(&args.file)?;
    let (about, gateway) = artifact.enrolment().map_err(refused(&args.file))?;
    block_on(async {
        let mut session = args.reach.open(None).await?;
        // Its answer is signed with the key that is about to be enrolled.
        if let Some(enrolled) = session.book.trust.enrolment(&gateway, &artifact.bytes) {
            session.book.enrol(&gateway, enrolled);
        }
        let branch = Branch::Gateway(gateway);
        publish(session, &artifact, about, branch, &args.patience, args.reach.json).await
    })
}
