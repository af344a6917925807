//! MQTT topics: patterns that capture levels of what arrives, templates for what is published.

use std::fmt;

/// Longest topic or filter, in bytes (MQTT 5, 1.5.4: a UTF-8 string has a two-byte length).
const MAX_LEN: usize = 65_535;
/// Most captures of one pattern.
pub const MAX_CAPTURES: usize = 8;

/// Says why a text is not a topic pattern or template, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct TopicError {
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
}

fn wrong<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, TopicError> {
    Err(TopicError { problem: problem.into(), remedy: remedy.into() })
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Literal(String),
    Any,
    Capture(String),
    Rest,
}

/// A topic filter whose `+name` levels capture what stands there: `sensors/+name/raw`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern {
    text: String,
    levels: Vec<Level>,
}

/// What a pattern captured of one topic: names and values, without allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captures<'a> {
    pairs: [(&'a str, &'a str); MAX_CAPTURES],
    len: usize,
}

impl<'a> Captures<'a> {
    /// The names and values, in the order of the pattern.
    pub fn as_slice(&self) -> &[(&'a str, &'a str)] {
        &self.pairs[..self.len]
    }
}

impl TopicPattern {
    /// Reads a pattern: MQTT's wildcards `+` and `#` stand alone in a level, `+name` captures one.
    pub fn parse(text: &str) -> Result<TopicPattern, TopicError> {
        check_text(text)?;
        if text.starts_with("$share/") {
            return wrong("shared subscriptions are not available", "write the topic without `$share/.../`");
        }
        let levels: Vec<Level> = text.split('/').map(parse_level).collect::<Result<_, _>>()?;
        if levels.iter().rev().skip(1).any(|level| *level == Level::Rest) {
            return wrong("`#` stands before the last level", "use `#` only as the last level");
        }
        let pattern = TopicPattern { text: text.to_owned(), levels };
        let names: Vec<&str> = pattern.names().collect();
        if names.len() > MAX_CAPTURES {
            return wrong(
                format!("{} captures are too many", names.len()),
                format!("use at most {MAX_CAPTURES}"),
            );
        }
        if let Some(name) = names.iter().enumerate().find_map(|(i, n)| names[..i].contains(n).then_some(n)) {
            return wrong(format!("`+{name}` stands there twice"), "give each capture its own name");
        }
        Ok(pattern)
    }

    /// The names of the captures, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.levels.iter().filter_map(|level| match level {
            Level::Capture(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether one topic only fits: no wildcard.
    pub fn is_literal(&self) -> bool {
        self.levels.iter().all(|level| matches!(level, Level::Literal(_)))
    }

    /// The filter to subscribe to: the pattern without the names.
    pub fn filter(&self) -> String {
        let mut filter = String::with_capacity(self.text.len());
        for (index, level) in self.levels.iter().enumerate() {
            if index > 0 {
                filter.push('/');
            }
            filter.push_str(match level {
                Level::Literal(text) => text,
                Level::Any | Level::Capture(_) => "+",
                Level::Rest => "#",
            });
        }
        filter
    }

    /// What the pattern captures of `topic`; `None` if it doesn't fit.
    ///
    /// As MQTT 5, 4.7.1 and 4.7.2 say: `a/#` fits `a` too, and a leading wildcard fits no `$` topic.
    pub fn matches<'a>(&'a self, topic: &'a str) -> Option<Captures<'a>> {
        if topic.starts_with('$') && !matches!(self.levels.first(), Some(Level::Literal(_))) {
            return None;
        }
        let mut found = Captures { pairs: [("", ""); MAX_CAPTURES], len: 0 };
        let mut parts = topic.split('/');
        for level in &self.levels {
            if *level == Level::Rest {
                return Some(found);
            }
            let part = parts.next()?;
            match level {
                Level::Literal(text) if text != part => return None,
                Level::Capture(name) => {
                    found.pairs[found.len] = (name, part);
                    found.len += 1;
                }
                _ => {}
            }
        }
        parts.next().is_none().then_some(found)
    }

    /// Whether some topic that `template` can make fits this pattern.
    ///
    /// A placeholder of the template stands for any text without `/`; may say yes where only
    /// unlikely values would fit.
    pub fn overlaps(&self, template: &TopicTemplate) -> bool {
        let shape = template.shape();
        let mut parts = shape.split('/');
        for level in &self.levels {
            if *level == Level::Rest {
                return true;
            }
            let Some(part) = parts.next() else { return false };
            if let Level::Literal(text) = level
                && !fits(part, text)
            {
                return false;
            }
        }
        parts.next().is_none()
    }
}

/// Whether `text` has the form of `part`, in which a NUL stands for any text.
fn fits(part: &str, text: &str) -> bool {
    match (part.split_once('\0'), part.rsplit_once('\0')) {
        (Some((head, _)), Some((_, tail))) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
        _ => part == text,
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse_level(text: &str) -> Result<Level, TopicError> {
    match text {
        "+" => Ok(Level::Any),
        "#" => Ok(Level::Rest),
        _ => match text.strip_prefix('+') {
            Some(name) if is_name(name) => Ok(Level::Capture(name.to_owned())),
            Some(name) => wrong(
                format!("`+{name}` is not a capture"),
                "name captures with lower-case letters, digits and `_`, like `+name`",
            ),
            None if text.contains(['+', '#']) => wrong(
                format!("`{text}` holds a wildcard inside a level"),
                "let `+`, `+name` or `#` be a whole level between slashes",
            ),
            None => Ok(Level::Literal(text.to_owned())),
        },
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return wrong("is empty", "write a topic, like \"sensors/+name/raw\"");
    }
    if text.len() > MAX_LEN {
        return wrong("is longer than 65535 bytes", "write a shorter topic");
    }
    if text.chars().any(char::is_control) {
        return wrong("holds a control character", "use visible characters only");
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(String),
}

/// A topic to publish to, with placeholders: `calibd/1/{fleet}/up/{gateway}/reading/{sensor}`.
///
/// Also the pattern of template sensors' ids, `t-{name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicTemplate {
    text: String,
    parts: Vec<Part>,
}

impl TopicTemplate {
    /// Reads a template whose placeholders are all among `known`.
    pub fn parse(text: &str, known: &[&str]) -> Result<TopicTemplate, TopicError> {
        check_text(text)?;
        if text.contains(['+', '#']) {
            return wrong("holds a wildcard `+` or `#`", "publish to a topic without wildcards");
        }
        if text.starts_with('$') {
            return wrong("starts with `$`, which belongs to the broker", "choose another first level");
        }
        let template = TopicTemplate { text: text.to_owned(), parts: split(text)? };
        if let Some(name) = template.names().find(|name| !known.contains(name)) {
            let listed: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            let remedy = match listed.is_empty() {
                true => "remove it; there is nothing to fill in here".to_owned(),
                false => format!("use {}", listed.join(", ")),
            };
            return wrong(format!("`{{{name}}}` is not a known placeholder"), remedy);
        }
        Ok(template)
    }

    /// The names of the placeholders, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Whether two placeholders touch, so that their values could not be told apart.
    pub fn has_adjacent_holes(&self) -> bool {
        self.parts.windows(2).any(|pair| matches!(pair, [Part::Hole(_), Part::Hole(_)]))
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends the topic to `out`; a placeholder without a value becomes nothing.
    pub fn render(&self, values: &[(&str, &str)], out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole(name) => {
                    let value = values.iter().find(|(key, _)| key == name);
                    out.push_str(value.map_or("", |(_, value)| value));
                }
            }
        }
    }

    fn shape(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Hole(_) => "\0",
            })
            .collect()
    }
}

fn split(text: &str) -> Result<Vec<Part>, TopicError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        let name = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let Some((name, left)) = name else {
            return wrong("has a brace without its partner", "write placeholders like {sensor}");
        };
        if !is_name(name) {
            return wrong(format!("`{{{name}}}` is not a placeholder"), "write placeholders like {sensor}");
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Hole(name.to_owned()));
        rest = left;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
