//! The configuration's files as they were last taken over, and the way to the next.

use std::path::PathBuf;

use super::run::Running;
use crate::config::difference::difference;
use crate::config::tree::Table;
use crate::config::{Loaded, load};
use crate::runtime::notify::Notifier;
use crate::wire::control::Reloaded;

/// The files, and what stood in them.
#[derive(Debug)]
pub struct Files {
    /// The main file.
    pub main: PathBuf,
    /// What is in force.
    pub tree: Table,
}

impl Files {
    /// Reads the files again and has `running` take them over, or says why not.
    pub async fn reload(&mut self, running: &mut Running, notifier: &Notifier, actor: &str) -> Reloaded {
        notifier.reloading();
        let reloaded = self.take_over(running).await;
        notifier.tell("READY=1");
        tell(&reloaded, actor);
        if reloaded.applied && !reloaded.changes.is_empty() {
            running.audit_reload(actor, &reloaded.changes).await;
        }
        reloaded
    }

    async fn take_over(&mut self, running: &mut Running) -> Reloaded {
        let mut reloaded = Reloaded { applied: false, changes: vec![], faults: vec![], warnings: vec![] };
        match load(&self.main) {
            Err(refused) => {
                reloaded.faults = texts(&refused.faults);
                reloaded.warnings = texts(&refused.warnings);
            }
            Ok(Loaded { config, warnings, tree }) => {
                reloaded.changes = difference(&self.tree, &tree);
                reloaded.warnings = texts(&warnings);
                match running.reload(config).await {
                    Err(faults) => reloaded.faults = faults,
                    Ok(()) => {
                        reloaded.applied = true;
                        self.tree = tree;
                    }
                }
            }
        }
        reloaded
    }
}

fn texts(faults: &[impl ToString]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

fn tell(reloaded: &Reloaded, actor: &str) {
    for warning in &reloaded.warnings {
        tracing::warn!("{warning}");
    }
    if !reloaded.applied {
        let faults = reloaded.faults.join("; ");
        tracing::warn!(actor, "the configuration is not taken over, the one before stays in force: {faults}");
        return;
    }
    match reloaded.changes.as_slice() {
        [] => tracing::info!(actor, "the configuration is as it was"),
        changes => tracing::info!(actor, "the configuration is taken over: {}", changes.join("; ")),
    }
}
