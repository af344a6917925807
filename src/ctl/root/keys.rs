//! `calibctl root add-key`, `remove-key`, `retire-key`, `revoke-key`, `set-threshold`, `renew`: the next root.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::draft::{EditArgs, edit, named, role};
use super::init::root_key;
use crate::ctl::files;
use crate::ctl::output::Failure;
use crate::domain::time::Timestamp;
use crate::domain::trust::root::{KeyState, Role, RoleName, Root};

#[derive(Args)]
pub struct AddArgs {
    #[command(flatten)]
    edit: EditArgs,
    /// The role: root, enrol, fleet, maintenance or snapshot.
    #[arg(long, value_name = "ROLE", value_parser = parse_role)]
    role: RoleName,
    /// The public key, in PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Who or what holds it; absent: its file's name.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// It signs nothing before.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    not_before: Option<Timestamp>,
    /// It signs nothing from then on.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    not_after: Option<Timestamp>,
}

#[derive(Args)]
pub struct RemoveArgs {
    #[command(flatten)]
    edit: EditArgs,
    /// The role; absent: every role that the key has.
    #[arg(long, value_name = "ROLE", value_parser = parse_role)]
    role: Option<RoleName>,
    /// The key: its file, its label, or at least 8 digits of its id.
    #[arg(long, value_name = "KEY")]
    key: String,
}

#[derive(Args)]
pub struct StateArgs {
    #[command(flatten)]
    edit: EditArgs,
    /// The key: its file, its label, or at least 8 digits of its id.
    #[arg(long, value_name = "KEY")]
    key: String,
}

#[derive(Args)]
pub struct ThresholdArgs {
    #[command(flatten)]
    edit: EditArgs,
    /// The role: root, enrol, fleet, maintenance or snapshot.
    #[arg(long, value_name = "ROLE", value_parser = parse_role)]
    role: RoleName,
    /// How many distinct keys of the role must sign.
    #[arg(long, value_name = "N")]
    threshold: usize,
}

#[derive(Args)]
pub struct RenewArgs {
    #[command(flatten)]
    edit: EditArgs,
    /// The highest epoch that transforms may carry from then on.
    #[arg(long, value_name = "N")]
    epoch: Option<u64>,
}

fn parse_role(text: &str) -> Result<RoleName, String> {
    let all = [RoleName::Root, RoleName::Enrol, RoleName::Fleet, RoleName::Maintenance, RoleName::Snapshot];
    let unknown = || "write root, enrol, fleet, maintenance or snapshot".to_owned();
    all.into_iter().find(|name| name.as_str() == text).ok_or_else(unknown)
}

pub fn add(args: &AddArgs) -> Result<ExitCode, Failure> {
    edit(&args.edit, |root| add_to(root, args))?;
    Ok(ExitCode::SUCCESS)
}

fn add_to(root: &mut Root, args: &AddArgs) -> Result<(), Failure> {
    let key = files::public_key(&args.key)?;
    let id = key.id();
    if root.roles.get(&args.role).is_some_and(|role| role.keyids.contains(&id)) {
        let (name, role) = (args.key.display(), args.role);
        return Err(Failure::usage(format!("role {role} has the key {name} already")));
    }
    let known = root.keys.entry(id).or_insert_with(|| root_key(&args.key, key));
    let gone = match known.state {
        KeyState::Active => None,
        KeyState::Retired => Some("retired"),
        KeyState::Revoked => Some("revoked"),
    };
    if let Some(state) = gone {
        let name = args.key.display();
        return Err(Failure::usage(format!("the key {name} is {state} in this root; make another one")));
    }
    if let Some(label) = &args.label {
        known.label.clone_from(label);
    }
    known.not_before = args.not_before.or(known.not_before);
    known.not_after = args.not_after.or(known.not_after);
    let role = root.roles.entry(args.role);
    role.or_insert_with(|| Role { threshold: 1, keyids: Vec::new(), scopes: Vec::new() }).keyids.push(id);
    Ok(())
}

pub fn remove(args: &RemoveArgs) -> Result<ExitCode, Failure> {
    edit(&args.edit, |root| {
        let id = named(root, &args.key)?;
        if let Some(name) =
            args.role.filter(|name| !root.role(*name).is_some_and(|role| role.keyids.contains(&id)))
        {
            return Err(Failure::refused(format!("role {name} does not have the key {}", args.key)));
        }
        for (name, role) in &mut root.roles {
            if args.role.is_none_or(|wanted| wanted == *name) {
                role.keyids.retain(|keyid| *keyid != id);
            }
        }
        // A role without keys is none; that the root role stays is checked with the whole.
        root.roles.retain(|_, role| !role.keyids.is_empty());
        if !root.roles.values().any(|role| role.keyids.contains(&id)) {
            root.keys.remove(&id);
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Changes the state of a key; it keeps its roles, so that what it signed is known for what it is.
pub fn set_state(args: &StateArgs, state: KeyState) -> Result<ExitCode, Failure> {
    edit(&args.edit, |root| {
        let id = named(root, &args.key)?;
        let Some(key) = root.keys.get_mut(&id) else { return Ok(()) };
        if key.state == KeyState::Revoked && state == KeyState::Retired {
            return Err(Failure::usage(format!("the key {} is revoked, which is final", args.key)));
        }
        key.state = state;
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

pub fn set_threshold(args: &ThresholdArgs) -> Result<ExitCode, Failure> {
    edit(&args.edit, |root| {
        role(root, args.role)?.threshold = args.threshold;
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

pub fn renew(args: &RenewArgs) -> Result<ExitCode, Failure> {
    edit(&args.edit, |root| {
        let Some(epoch) = args.epoch else { return Ok(()) };
        if epoch < root.epoch {
            let before = root.epoch;
            return Err(Failure::usage(format!("the epoch is {before} already, and never falls")));
        }
        root.epoch = epoch;
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_as_in_a_root() {
        assert_eq!(parse_role("fleet"), Ok(RoleName::Fleet));
        assert!(parse_role("Fleet").is_err());
        assert!(parse_role("").is_err());
    }
}
