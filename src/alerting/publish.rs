//! The retained messages of alerts.

use std::collections::VecDeque;

use crate::domain::alert::Alert;
use crate::sync::link::Link;

/// Messages that wait to be emptied; beyond it the one that waits for longest is left at the broker.
const MOST: usize = 1024;

/// Tells the broker of alerts.
#[derive(Debug)]
pub struct Publisher {
    branch: String,
    link: Link,
    /// What waits to be emptied, and whether the link has been told so.
    emptying: VecDeque<(String, bool)>,
}

impl Publisher {
    /// Publishes below `branch`, where the gateway's own messages are.
    pub fn new(branch: String, link: Link) -> Publisher {
        Publisher { branch, link, emptying: VecDeque::new() }
    }

    /// Whether there is a broker to be told.
    pub fn has_broker(&self) -> bool {
        self.link.is_configured()
    }

    fn topic(&self, id: &str) -> String {
        format!("{}/alert/{id}", self.branch)
    }

    /// Tells how an alert is.
    pub fn publish(&self, alert: &Alert) {
        if self.has_broker() {
            // Structs of texts and finite numbers always serialise.
            self.link.retain(self.topic(&alert.id), serde_json::to_vec(alert).unwrap_or_default());
        }
    }

    /// Takes away what the broker has of an alert, as soon as it can be reached.
    pub fn empty(&mut self, id: String) {
        let told = self.ask_to_empty(&id);
        self.emptying.push_back((id, told));
    }

    /// Whether the link has been told; without a broker it keeps nothing for later.
    fn ask_to_empty(&self, id: &str) -> bool {
        // Asked first: a broker that comes in between is told once more.
        let told = self.has_broker();
        self.link.retain(self.topic(id), Vec::new());
        told
    }

    /// The alerts of which the broker has nothing any more. Those that are given up are not among them: the next
    /// start takes them away.
    pub fn emptied(&mut self) -> Vec<String> {
        while self.emptying.len() > MOST {
            let Some((id, _)) = self.emptying.pop_front() else { break };
            self.link.forget(&self.topic(&id));
        }
        let mut done = Vec::new();
        let is_there = self.has_broker();
        for (id, told) in std::mem::take(&mut self.emptying) {
            if is_there && told && !self.link.holds(&self.topic(&id)) {
                done.push(id);
                continue;
            }
            // What waits at the link is lost with its broker.
            let told = is_there && (told || self.ask_to_empty(&id));
            self.emptying.push_back((id, told));
        }
        done
    }

    /// Says again what waits to be taken away, as to a broker that has just been configured.
    pub fn empty_again(&mut self) {
        for (id, told) in std::mem::take(&mut self.emptying) {
            // Of two changes at once this may see the last one only.
            let told = told && self.link.holds(&self.topic(&id));
            let told = told || self.ask_to_empty(&id);
            self.emptying.push_back((id, told));
        }
    }
}
