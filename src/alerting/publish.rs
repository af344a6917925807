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
    emptying: VecDeque<String>,
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
        self.link.retain(self.topic(&id), Vec::new());
        self.emptying.push_back(id);
    }

    /// The alerts of which the broker has nothing any more, and those that were given up.
    pub fn emptied(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        while self.emptying.len() > MOST {
            let Some(id) = self.emptying.pop_front() else { break };
            self.link.forget(&self.topic(&id));
            done.push(id);
        }
        if self.has_broker() {
            for id in std::mem::take(&mut self.emptying) {
                if self.link.holds(&self.topic(&id)) { self.emptying.push_back(id) } else { done.push(id) }
            }
        }
        done
    }

    /// Says again what waits to be taken away, as to a broker that has just been configured.
    pub fn empty_again(&self) {
        for id in &self.emptying {
            self.link.retain(self.topic(id), Vec::new());
        }
    }
}
