//! Finds the paths that a Rust source file names, without compiling it.
//!
//! A scanner, not a parser: it knows comments, literals, `use` trees and inline modules, which is
//! all that telling apart `crate::a::b` in code from the same words in a comment takes.

/// One path as written, with what is needed to resolve and to report it.
#[derive(Debug, PartialEq)]
pub struct Found {
    /// The path's names; the last is `*` for a glob.
    pub names: Vec<String>,
    /// Line of the path's first name, counted from 1.
    pub line: usize,
    /// The inline modules around it, outermost first.
    pub inside: Vec<String>,
}

#[derive(Debug, PartialEq, Clone)]
enum Token {
    Name(String),
    Colons,
    Sign(char),
}

/// Every path with at least two names in `source`, and every path of a `use`, trees expanded.
pub fn paths(source: &str) -> Vec<Found> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    let mut blocks: Vec<Option<String>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at].0 {
            Token::Sign('{') => blocks.push(opened_module(&tokens, at)),
            Token::Sign('}') => drop(blocks.pop()),
            Token::Name(_) if starts_path(&tokens, at) => {
                let line = tokens[at].1;
                let inside: Vec<String> = blocks.iter().flatten().cloned().collect();
                let mut collected = Vec::new();
                at = tree(&tokens, at, &[], &mut collected);
                found.extend(collected.into_iter().map(|names| Found {
                    names,
                    line,
                    inside: inside.clone(),
                }));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn name(tokens: &[(Token, usize)], at: usize) -> Option<&str> {
    match tokens.get(at) {
        Some((Token::Name(text), _)) => Some(text),
        _ => None,
    }
}

fn is(tokens: &[(Token, usize)], at: usize, token: &Token) -> bool {
    tokens.get(at).is_some_and(|(here, _)| here == token)
}

fn opened_module(tokens: &[(Token, usize)], brace: usize) -> Option<String> {
    let before = |back| brace.checked_sub(back).and_then(|at| name(tokens, at));
    (before(2) == Some("mod")).then(|| before(1).map(str::to_owned)).flatten()
}

fn starts_path(tokens: &[(Token, usize)], at: usize) -> bool {
    let used = at > 0 && name(tokens, at - 1) == Some("use");
    if name(tokens, at) == Some("use") || !used && !is(tokens, at + 1, &Token::Colons) {
        return false;
    }
    let Some(before) = at.checked_sub(1).map(|index| &tokens[index].0) else { return true };
    match before {
        // `a::here` goes on a path; a leading `::here` starts one.
        Token::Colons => {
            let further = at.checked_sub(2).map(|index| &tokens[index].0);
            !matches!(further, Some(Token::Name(word)) if word != "use") && further != Some(&Token::Sign('>'))
        }
        Token::Sign('.') => false,
        _ => true,
    }
}

/// Reads one path or `use` tree at `at` and returns where it ends.
fn tree(tokens: &[(Token, usize)], mut at: usize, prefix: &[String], out: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    while let Some(word) = name(tokens, at) {
        // `self` inside a tree is the tree's own path; `self::x` at the start is kept.
        if word != "self" || path.is_empty() {
            path.push(word.to_owned());
        }
        at += 1;
        if !is(tokens, at, &Token::Colons) {
            out.push(path);
            return at;
        }
        at += 1;
    }
    match tokens.get(at).map(|(token, _)| token) {
        Some(Token::Sign('*')) => {
            path.push("*".to_owned());
            out.push(path);
            at + 1
        }
        Some(Token::Sign('{')) => branches(tokens, at + 1, &path, out),
        // A turbofish or a macro's `$name` ends what can be told from here.
        _ => {
            out.push(path);
            at
        }
    }
}

fn branches(tokens: &[(Token, usize)], mut at: usize, path: &[String], out: &mut Vec<Vec<String>>) -> usize {
    while at < tokens.len() && !is(tokens, at, &Token::Sign('}')) {
        at = tree(tokens, at, path, out);
        if name(tokens, at) == Some("as") {
            at += 2;
        }
        // A comma; or something unheard of, which must not stop the walk.
        if !is(tokens, at, &Token::Sign('}')) {
            at += 1;
        }
    }
    at + 1
}

fn tokens(source: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = source.chars().collect();
    let mut out = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let end = match skipped(&chars, at) {
            Some(end) => end,
            None if chars[at].is_alphabetic() || chars[at] == '_' => {
                let end = run(&chars, at, |c| c.is_alphanumeric() || c == '_');
                out.push((Token::Name(chars[at..end].iter().collect()), line));
                end
            }
            None if chars[at..].starts_with(&[':', ':']) => {
                out.push((Token::Colons, line));
                at + 2
            }
            None => {
                out.push((Token::Sign(chars[at]), line));
                at + 1
            }
        };
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    out
}

fn run(chars: &[char], at: usize, belongs: impl Fn(char) -> bool) -> usize {
    at + chars[at..].iter().take_while(|c| belongs(**c)).count()
}

/// The end of the white space, comment or literal at `at`, if there is one.
fn skipped(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    match rest {
        [c, ..] if c.is_whitespace() => Some(run(chars, at, char::is_whitespace)),
        ['/', '/', ..] => Some(run(chars, at, |c| c != '\n')),
        ['/', '*', ..] => Some(block_comment(chars, at)),
        ['"', ..] => Some(quoted(chars, at + 1)),
        ['b' | 'c', '"', ..] => Some(quoted(chars, at + 2)),
        ['b' | 'c', 'r', '"' | '#', ..] => raw(chars, at + 2),
        ['r', '"' | '#', ..] => raw(chars, at + 1),
        ['\'', '\\', ..] => Some(run(chars, at + 3, |c| c != '\'') + 1),
        ['\'', _, '\'', ..] => Some(at + 3),
        ['0'..='9', ..] => Some(run(chars, at, |c| c.is_alphanumeric() || c == '_')),
        _ => None,
    }
}

fn block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// A raw string from its first `#` or quote; `None` for a raw identifier.
fn raw(chars: &[char], at: usize) -> Option<usize> {
    let hashes = run(chars, at, |c| c == '#') - at;
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let mut end = at + hashes + 1;
    while end < chars.len() {
        let closing =
            chars[end] == '"' && chars[end + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
        end += 1;
        if closing {
            return Some(end + hashes);
        }
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<String> {
        paths(source).into_iter().map(|found| found.names.join("::")).collect()
    }

    #[test]
    fn expands_trees_and_reads_inline_paths() {
        let source =
            "use crate::{a::{self, B as C, d::*}, e}; fn f() { let x = super::g::h(1); y.z::<u8>() }";
        let expected = ["crate::a", "crate::a::B", "crate::a::d::*", "crate::e", "super::g::h"];
        assert_eq!(found(source), expected);
    }

    #[test]
    fn skips_comments_literals_and_the_middle_of_a_path() {
        let source = r####"
            // crate::no
            /* crate::no /* nested */ crate::no */
            const A: &str = "crate::no \" crate::no"; const B: &str = r#"crate::"no"#;
            fn f<'a>(c: char) -> bool { c == '"' || c == '\'' || c == '\u{7f}' }
            use ::std::fs;
        "####;
        assert_eq!(found(source), ["std::fs"]);
    }

    #[test]
    fn knows_lines_and_inline_modules() {
        let source = "mod a {\n mod tests {\n  use super::x;\n }\n}\nuse crate::y;";
        let all = paths(source);
        assert_eq!((all[0].line, all[0].inside.join("::")), (3, "a::tests".to_owned()));
        assert_eq!((all[1].line, all[1].inside.len()), (6, 0));
    }
}
