//! What is different between two configurations, key by key, and what of it needs a restart.

use super::Config;
use super::tree::{Kind, Node, Table, join};

/// Characters of a value that are shown.
const SHOWN: usize = 60;

/// One line for each key that was added, removed or changed, in the order of `old`, then of `new`.
pub fn difference(old: &Table, new: &Table) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", old, new, &mut lines);
    lines
}

fn compare(path: &str, old: &Table, new: &Table, lines: &mut Vec<String>) {
    for (key, before) in &old.entries {
        let path = join(path, key);
        match (&before.kind, new.get(key).map(|node| &node.kind)) {
            (Kind::Table(before), Some(Kind::Table(after))) => compare(&path, before, after, lines),
            (before, Some(after)) => {
                let (before, after) = (shown(before), shown(after));
                if before != after {
                    lines.push(format!("{path}: {} -> {}", cut(before), cut(after)));
                }
            }
            (before, None) => whole(&path, before, "removed", lines),
        }
    }
    for (key, node) in new.entries.iter().filter(|(key, _)| old.get(key).is_none()) {
        whole(&join(path, key), &node.kind, "added", lines);
    }
}

/// Names what was added or removed as a whole; of a table of tables, such as `source`, each.
fn whole(path: &str, kind: &Kind, what: &str, lines: &mut Vec<String>) {
    match kind {
        Kind::Table(table) if table.entries.iter().all(|(_, node)| matches!(node.kind, Kind::Table(_))) => {
            for (key, node) in &table.entries {
                whole(&join(path, key), &node.kind, what, lines);
            }
        }
        _ => lines.push(format!("{path}: {what}{}", value(kind))),
    }
}

/// The value after `added` or `removed`; a table is named and no more.
fn value(kind: &Kind) -> String {
    match kind {
        Kind::Table(_) => String::new(),
        other => format!(", {}", cut(shown(other))),
    }
}

fn shown(kind: &Kind) -> String {
    let list = |nodes: &[Node]| nodes.iter().map(|node| shown(&node.kind)).collect::<Vec<_>>().join(", ");
    match kind {
        Kind::String(text) => format!("{text:?}"),
        Kind::Integer(number) => number.to_string(),
        Kind::TooLarge => "too large a number".to_owned(),
        Kind::Float(number) => format!("{number:?}"),
        Kind::Boolean(flag) => flag.to_string(),
        Kind::Time(text) => text.clone(),
        Kind::Array(nodes) => format!("[{}]", list(nodes)),
        Kind::Table(table) => {
            let entries = table.entries.iter().map(|(key, node)| format!("{key} = {}", shown(&node.kind)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn cut(text: String) -> String {
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN - 3).chain("...".chars()).collect()
}

/// What is different and cannot change while the daemon runs: who it is, where its files are, its store.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let listen = |config: &Config| config.http.as_ref().map(|http| http.listen);
    // The new address is bound while the old one still is, which a port allows only once.
    let same_port =
        Option::zip(listen(old), listen(new)).is_some_and(|(o, n)| o != n && o.port() == n.port());
    let changed = [
        ("gateway.id", old.gateway.id != new.gateway.id),
        ("gateway.fleet", old.gateway.fleet != new.gateway.fleet),
        ("[store]", old.store != new.store),
        ("trust.root", old.trust.root != new.trust.root),
        ("trust.root_sha256", old.trust.root_sha256 != new.trust.root_sha256),
        ("control.dir", old.control != new.control),
        ("http.listen, with the same port,", same_port),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fault::Faults;

    fn table(text: &str) -> Table {
        Table::parse("calibd.toml", text, &Faults::new())
    }

    #[test]
    fn every_key_is_named_with_what_it_was_and_is() {
        let old = table("[a]\nb = 1\nc = \"x\"\nd = [1, 2]\n[e.f]\ng = 1\n[h]\ni = true\n");
        let new = table(
            "[a]\nd = [1, 3]\nb = 1\nc = { k = 1.0 }\n[h]\ni = true\nj = 2026-01-01\n[\"{n}\"]\nx = 1\n",
        );
        assert_eq!(
            difference(&old, &new),
            [
                "a.c: \"x\" -> { k = 1.0 }",
                "a.d: [1, 2] -> [1, 3]",
                "e.f: removed",
                "h.j: added, 2026-01-01",
                "\"{n}\": added",
            ]
        );
        assert_eq!(difference(&new, &new), [""; 0]);
    }

    #[test]
    fn long_values_are_cut() {
        let long = format!("a = \"{}\"", "ü".repeat(500));
        let lines = difference(&table("a = 1"), &table(&long));
        assert!(lines[0].starts_with("a: 1 -> \"ü") && lines[0].ends_with("ü..."), "{lines:?}");
        assert_eq!(lines[0].chars().count(), SHOWN + "a: 1 -> ".len());
    }
}
