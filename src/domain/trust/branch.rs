//! The branches of a fleet's topics: for whom something is published.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::id::Id;

/// For whom something is published. Written as in topics: `all`, `group/north`, `gw/gw-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Branch {
    /// Every gateway.
    All,
    /// The gateways of a group.
    Group(Id),
    /// One gateway.
    Gateway(Id),
}

impl Branch {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Branch::All => "all gateways".to_owned(),
            Branch::Group(id) => format!("group {id}"),
            Branch::Gateway(id) => format!("gateway {id}"),
        }
    }

    /// The branch in which a topic is, such as `calibd/1/plant-7/down/group/north/transform/co`.
    pub fn of_topic(topic: &str) -> Option<Branch> {
        let mut levels = topic.split('/').skip(3);
        if levels.next() != Some("down") {
            return None;
        }
        let id = |text: Option<&str>| Id::new(text?).ok();
        match levels.next()? {
            "all" => Some(Branch::All),
            "group" => id(levels.next()).map(Branch::Group),
            "gw" => id(levels.next()).map(Branch::Gateway),
            _ => None,
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Branch::All => f.write_str("all"),
            Branch::Group(id) => write!(f, "group/{id}"),
            Branch::Gateway(id) => write!(f, "gw/{id}"),
        }
    }
}

impl FromStr for Branch {
    type Err = String;
    fn from_str(text: &str) -> Result<Branch, String> {
        let wrong = || "must be \"all\", \"group/NAME\" or \"gw/ID\"".to_owned();
        let id = |text: &str| Id::new(text).map_err(|_| wrong());
        match text.split_once('/') {
            None if text == "all" => Ok(Branch::All),
            Some(("group", name)) => id(name).map(Branch::Group),
            Some(("gw", name)) => id(name).map(Branch::Gateway),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Branch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Branch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Branch, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_written_as_in_its_topics() {
        for text in ["all", "group/north", "gw/gw-1"] {
            let branch: Branch = text.parse().unwrap();
            assert_eq!(branch.to_string(), text);
            let topic = format!("calibd/1/plant-7/down/{text}/transform/co");
            assert_eq!(Branch::of_topic(&topic), Some(branch));
        }
        for text in ["", "ALL", "all/", "group", "group/", "group/a/b", "gw/..", "root/1"] {
            assert!(text.parse::<Branch>().is_err(), "{text}");
        }
        for topic in
            ["calibd/1/plant-7/down/root/1", "calibd/1/plant-7/up/all/ack", "down/all", "", "a/b/c/down/gw"]
        {
            assert_eq!(Branch::of_topic(topic), None, "{topic}");
        }
    }
}
