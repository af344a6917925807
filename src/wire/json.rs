//! JSON documents, read only where the pointers lead.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cells::Cells;
use super::fault::{DecodeError, FaultKind};
use super::format::{Layout, Locator, SpecError, Target, wrong_locator};

/// A step of the pointers, with all pointers that lead through it.
#[derive(Debug, Default)]
struct Node {
    /// In the order of their keys: a message may have a thousand, and is looked through for each of its own.
    children: Vec<Child>,
    /// What is wanted here; empty if the pointers lead on.
    targets: Vec<Target>,
}

#[derive(Debug)]
struct Child {
    key: String,
    index: Option<usize>,
    node: Node,
}

/// Reads the pointed values of a document without building the rest.
#[derive(Debug)]
pub(super) struct JsonReader {
    root: Node,
}

impl JsonReader {
    pub(super) fn new(layout: &Layout) -> Result<JsonReader, SpecError> {
        let mut root = Node::default();
        for (target, name, locator) in layout.locators() {
            let Locator::Pointer(pointer) = locator else {
                return Err(wrong_locator(name, "pointer", "json"));
            };
            let wrong = |problem: &str| {
                SpecError::field(name, "pointer", problem, "write a JSON pointer such as `/data/0/value`")
            };
            let steps = steps(pointer).ok_or_else(|| wrong("is not a JSON pointer"))?;
            if steps.len() > 32 {
                return Err(wrong("has more than 32 steps"));
            }
            root.insert(&steps, target).ok_or_else(|| wrong("leads through the value of another field"))?;
        }
        Ok(JsonReader { root })
    }

    pub(super) fn read(&self, text: &str, cells: &mut Cells) -> Result<(), DecodeError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let read = Seed { node: &self.root, cells }.deserialize(&mut json);
        read.and_then(|()| json.end()).map_err(|_| DecodeError::new(FaultKind::BadJson, text.as_bytes()))
    }
}

/// The unescaped steps of a pointer (RFC 6901); `None` if it is not one.
fn steps(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let escapes_end =
        |step: &str| step.split('~').skip(1).all(|after| after.starts_with('0') || after.starts_with('1'));
    let steps = pointer.strip_prefix('/')?.split('/');
    steps.map(|step| escapes_end(step).then(|| step.replace("~1", "/").replace("~0", "~"))).collect()
}

impl Node {
    /// `None` if a value would have to be a number and an object at once.
    fn insert(&mut self, steps: &[String], target: Target) -> Option<()> {
        let Some((step, rest)) = steps.split_first() else {
            self.targets.push(target);
            return self.children.is_empty().then_some(());
        };
        if !self.targets.is_empty() {
            return None;
        }
        let at = find(&self.children, step).unwrap_or_else(|at| {
            let plain = step == "0" || !step.starts_with('0');
            let index = step.parse().ok().filter(|_| plain && !step.starts_with('+'));
            self.children.insert(at, Child { key: step.clone(), index, node: Node::default() });
            at
        });
        self.children[at].node.insert(rest, target)
    }
}

/// Where the child of this key is, or where it would have to be.
fn find(children: &[Child], key: &str) -> Result<usize, usize> {
    children.binary_search_by(|child| child.key.as_str().cmp(key))
}

/// Reads one value at a node of the pointers.
struct Seed<'a> {
    node: &'a Node,
    cells: &'a mut Cells,
}

impl Seed<'_> {
    fn each(self, field: impl Fn(&mut Cells, usize), time: impl Fn(&mut Cells), event: impl Fn(&mut Cells)) {
        for target in &self.node.targets {
            match target {
                Target::Field(index) => field(self.cells, *index),
                Target::Time => time(self.cells),
                Target::Event => event(self.cells),
            }
        }
    }

    fn no_number(self, shown: &'static [u8]) {
        self.each(
            |cells, field| cells.fault(field, FaultKind::BadNumber, shown),
            |cells| cells.bad_time(shown),
            |cells| cells.bad_event(shown),
        );
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        // A fraction is no name: another program would write it with other digits.
        let event = |cells: &mut Cells| cells.bad_event(number.to_string().as_bytes());
        self.each(|cells, field| cells.number(field, number), |cells| cells.time_float(number), event);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        let time = |cells: &mut Cells| cells.time_integer(Some(number));
        let event = |cells: &mut Cells| cells.event(&number.to_string());
        self.each(|cells, field| cells.number(field, number as f64), time, event);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        let time = |cells: &mut Cells| cells.time_integer(i64::try_from(number).ok());
        let event = |cells: &mut Cells| cells.event(&number.to_string());
        self.each(|cells, field| cells.number(field, number as f64), time, event);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let event = |cells: &mut Cells| cells.event(text);
        self.each(|cells, field| cells.text(field, text), |cells| cells.time_part(text), event);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.each(Cells::null, |_| (), |_| ());
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.no_number(if truth { b"true" } else { b"false" });
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(found) = map.next_key_seed(Key(&self.node.children))? {
            match found {
                Some(child) => map.next_value_seed(Seed { node: &child.node, cells: self.cells })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        self.no_number(b"{");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for index in 0.. {
            let child = self.node.children.iter().find(|child| child.index == Some(index));
            let more = match child {
                Some(child) => list.next_element_seed(Seed { node: &child.node, cells: self.cells })?,
                None => list.next_element::<IgnoredAny>()?.map(drop),
            };
            if more.is_none() {
                break;
            }
        }
        self.no_number(b"[");
        Ok(())
    }
}

/// Finds the child that a key leads to.
struct Key<'a>(&'a [Child]);

impl<'de, 'a> DeserializeSeed<'de> for Key<'a> {
    type Value = Option<&'a Child>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a> {
    type Value = Option<&'a Child>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(find(self.0, key).ok().map(|at| &self.0[at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_unescaped_or_refused() {
        assert_eq!(steps(""), Some(vec![]));
        assert_eq!(steps("/"), Some(vec![String::new()]));
        assert_eq!(steps("/a~1b/~01/0"), Some(vec!["a/b".into(), "~1".into(), "0".into()]));
        for bad in ["a", "/~", "/~2", "/a~/b"] {
            assert_eq!(steps(bad), None, "{bad}");
        }
    }
}
