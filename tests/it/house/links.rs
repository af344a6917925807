//! Checks the relative links of a Markdown file.

use std::fs;
use std::path::Path;

use super::files::shown;

/// The links of `path` that lead to no file, or to no heading of it.
pub fn faults(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let folder = path.parent().unwrap();
    let broken = targets(&text).into_iter().filter(|target| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let there = if file.is_empty() { path.to_path_buf() } else { folder.join(file) };
        if heading.is_empty() {
            return !there.exists();
        }
        !fs::read_to_string(&there).is_ok_and(|text| headings(&text).any(|found| found == heading))
    });
    broken.map(|target| format!("{}: `{target}` leads nowhere", shown(path))).collect()
}

/// The targets of `[text](target)` outside code, but those with a scheme.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        // Odd pieces stand between backticks.
        let plain: String = line.split('`').step_by(2).collect();
        for piece in plain.split("](").skip(1) {
            let target = piece.split([')', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target.to_owned());
            }
        }
    }
    found
}

/// The lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The headings' anchors: lower case, blanks as `-`, other signs dropped.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_but_not_in_code_and_not_elsewhere() {
        let text = "[a](b.md) `[c](d.md)` [e](f.md#g)\n```\n[h](i.md)\n```\n[j](https://k.example)";
        assert_eq!(targets(text), ["b.md", "f.md#g"]);
    }

    #[test]
    fn makes_anchors_as_the_renderers_do() {
        assert_eq!(headings("## Who may, then?\n").next().as_deref(), Some("who-may-then"));
    }
}
