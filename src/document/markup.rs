//! Text with tags, for HTML and XML: whatever is not a tag is escaped.

use crate::picture::escaped;

/// A document being written.
#[derive(Default)]
pub struct Markup {
    text: String,
    depth: usize,
}

impl Markup {
    /// Begins with text that stands as it is.
    pub fn new(head: &str) -> Markup {
        Markup { text: head.to_owned(), depth: 0 }
    }

    /// The document.
    pub fn end(self) -> String {
        self.text
    }

    /// Text that is markup already.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn line(&mut self) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', self.depth));
    }

    fn begin(&mut self, tag: &str, attributes: &[(&str, &str)]) {
        self.line();
        self.text.push('<');
        self.text.push_str(tag);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.text.push_str(&escaped(value));
            self.text.push('"');
        }
        self.text.push('>');
    }

    fn finish(&mut self, tag: &str) {
        self.text.push_str("</");
        self.text.push_str(tag);
        self.text.push('>');
    }

    /// An element with others in it.
    pub fn element(&mut self, tag: &str, attributes: &[(&str, &str)], content: impl FnOnce(&mut Markup)) {
        self.begin(tag, attributes);
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.line();
        self.finish(tag);
    }

    /// An element with a text in it.
    pub fn leaf(&mut self, tag: &str, text: &str) {
        self.leaf_with(tag, &[], text);
    }

    /// The same with attributes.
    pub fn leaf_with(&mut self, tag: &str, attributes: &[(&str, &str)], text: &str) {
        self.begin(tag, attributes);
        self.text.push_str(&escaped(text));
        self.finish(tag);
    }

    /// The same, where there is a text.
    pub fn optional(&mut self, tag: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(tag, text);
        }
    }
}
