//! The layer rule of `docs/architecture.md`, held against every path that the sources name.

mod paths;

use std::fs;
use std::path::Path;

use crate::house::files::{repository, rust_files};
use paths::{Found, paths};

/// One row of a table: a module's pattern and the patterns it is related to.
struct Row {
    module: Vec<String>,
    others: Vec<Vec<String>>,
}

struct Rules {
    edges: Vec<Row>,
    never: Vec<Row>,
}

fn split(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

/// The rows of the table that follows `<!-- table: NAME -->`; every cell is a list of `code` spans.
fn table(document: &str, name: &str) -> Vec<Row> {
    let mark = format!("<!-- table: {name} -->");
    let rows =
        document.lines().skip_while(|line| *line != mark).skip(1).take_while(|line| line.starts_with('|'));
    rows.skip(2)
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|');
            let spans = |cell: Option<&str>| -> Vec<Vec<String>> {
                cell.unwrap_or_default().split('`').skip(1).step_by(2).map(split).collect()
            };
            let module = spans(cells.next()).pop().unwrap_or_else(|| panic!("no module in `{line}`"));
            Row { module, others: spans(cells.next()) }
        })
        .collect()
}

impl Rules {
    fn parse(document: &str) -> Rules {
        let rules = Rules { edges: table(document, "edges"), never: table(document, "never") };
        assert!(
            !rules.edges.is_empty() && !rules.never.is_empty(),
            "a table of docs/architecture.md is gone"
        );
        rules
    }

    fn of_repository() -> Rules {
        Rules::parse(&fs::read_to_string(repository().join("docs/architecture.md")).unwrap())
    }

    /// The faults of one file: `module` is its path, such as `source::serial::run`.
    fn faults(&self, module: &[String], source: &str) -> Vec<String> {
        let Some(row) = deciding(&self.edges, module) else {
            return vec![format!("`{}` has no row in the table of edges", module.join("::"))];
        };
        let own = &module[..row.module.len()];
        let mut faults = Vec::new();
        for found in paths(source) {
            let fault = match resolve(module, &found) {
                Some(path) => (!path.starts_with(own) && !row.others.iter().any(|edge| fits(edge, &path)))
                    .then(|| format!("may not import `{}`", path.join("::"))),
                None => self.named_never(module, &found),
            };
            faults.extend(fault.map(|text| format!("{}: line {}: {text}", module.join("::"), found.line)));
        }
        faults
    }

    fn named_never(&self, module: &[String], found: &Found) -> Option<String> {
        if module.iter().chain(&found.inside).any(|name| name == "tests") {
            return None;
        }
        let row = deciding(&self.never, module)?;
        let pattern = row.others.iter().find(|pattern| fits(pattern, &found.names))?;
        Some(format!("is pure and never names `{}`", pattern.join("::")))
    }
}

/// Whether `path` is what `pattern` names, or stands below it.
fn fits(pattern: &[String], path: &[String]) -> bool {
    path.len() >= pattern.len() && pattern.iter().zip(path).all(|(want, have)| want == "*" || want == have)
}

/// The longest row that fits; among equally long ones that with the fewest `*`.
fn deciding<'a>(rows: &'a [Row], module: &[String]) -> Option<&'a Row> {
    let literal = |row: &Row| row.module.iter().filter(|name| *name != "*").count();
    rows.iter().filter(|row| fits(&row.module, module)).max_by_key(|row| (row.module.len(), literal(row)))
}

/// The path from the crate's root; `None` if it leads outside the crate.
fn resolve(module: &[String], found: &Found) -> Option<Vec<String>> {
    let first = found.names.first()?.as_str();
    let in_binary = module.first().is_some_and(|name| name == "bin");
    let here: Vec<String> = module.iter().chain(&found.inside).cloned().collect();
    let ups =
        found.names.iter().skip_while(|name| *name == "self").take_while(|name| *name == "super").count();
    let base = match first {
        "calibd" if in_binary => Vec::new(),
        "crate" if in_binary => module.to_vec(),
        "crate" => Vec::new(),
        "self" | "super" => here[..here.len().saturating_sub(ups)].to_vec(),
        _ => return None,
    };
    let steps = found.names.iter().enumerate();
    let rest = steps.skip_while(|(at, name)| *at == 0 || *name == "super");
    Some(base.into_iter().chain(rest.map(|(_, name)| name.clone())).collect())
}

/// The module path of a file under `src`; empty for `lib.rs`.
fn module_of(file: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|name| name == "mod" || name == "lib") {
        names.pop();
    }
    names
}

#[test]
fn every_import_is_an_allowed_edge() {
    let rules = Rules::of_repository();
    let root = repository().join("src");
    let mut faults = Vec::new();
    for file in rust_files(&root) {
        let module = module_of(file.strip_prefix(&root).unwrap());
        if !module.is_empty() {
            faults.extend(rules.faults(&module, &fs::read_to_string(&file).unwrap()));
        }
    }
    assert!(faults.is_empty(), "see docs/architecture.md:\n{}", faults.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(module: &str, source: &str) -> usize {
        Rules::of_repository().faults(&split(module), source).len()
    }

    #[test]
    fn finds_a_forbidden_edge_however_it_is_written() {
        for source in [
            "use crate::store::Ledger;",
            "use crate::{domain::id::Id, store::Ledger};",
            "pub use super::super::daemon as d;",
            "fn f() { crate::store::open() }",
            "fn f() -> super::super::ctl::Client { todo!() }",
            "mod inner { use super::super::super::store; }",
            "use crate::*;",
            "use crate as all;",
        ] {
            assert_eq!(faults("domain::trust", source), 1, "{source}");
        }
        assert_eq!(faults("source::mqtt::run", "use crate::store::Ack;"), 1);
        assert_eq!(faults("unheard::of", ""), 1);
    }

    #[test]
    fn lets_allowed_edges_pass() {
        for (module, source) in [
            ("domain::trust", "use super::id::Id; use self::key::Key; use crate::domain::{digest, time};"),
            ("domain::trust", "// crate::store\nmod tests { use super::*; }"),
            ("config::load", "use crate::source::serial::config::SerialConfig; use crate::wire::format;"),
            ("source::serial::config", "use crate::config::reader::Section; mod tests { use super::*; }"),
            ("bin::calibd", "fn main() { calibd::daemon::cli::main() }"),
        ] {
            assert_eq!(faults(module, source), 0, "{module}: {source}");
        }
    }

    #[test]
    fn the_special_edges_reach_no_further_than_they_say() {
        assert_eq!(faults("config::load", "use crate::source::serial::run;"), 1);
        assert_eq!(faults("source::serial::config", "use crate::config::Config;"), 1);
        assert_eq!(faults("source::serial::config", "use super::run;"), 1);
        assert_eq!(faults("source::layout", "use crate::source::mqtt::config;"), 1);
        assert_eq!(faults("bin::calibd", "use calibd::store;"), 1);
    }

    #[test]
    fn pure_modules_name_no_clock_and_no_file_but_in_tests() {
        assert_eq!(faults("domain::time", "use std::time::{Duration, SystemTime};"), 1);
        assert_eq!(faults("wire::line", "fn f() { std::fs::read(p) }"), 1);
        assert_eq!(faults("domain::trust", "mod tests { use std::fs; }"), 0);
        assert_eq!(faults("domain::trust::tests", "use std::fs;"), 0);
    }
}
