//! The text of an SVG picture.

use std::fmt::Write as _;

use super::{Labels, style};

/// Where a text stands relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// A picture being written. Places are pixels from the upper left corner.
pub struct Svg {
    text: String,
    prefix: &'static str,
}

impl Svg {
    /// Begins a picture of this size.
    pub fn new([width, height]: [f64; 2], labels: &Labels, description: &str) -> Svg {
        let prefix = labels.page.unwrap_or_default();
        let dark = if labels.page.is_some() { "" } else { style::DARK };
        let mut svg = Svg { text: String::with_capacity(32 * 1024), prefix };
        svg.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"calibd\" role=\"img\" \
             aria-labelledby=\"{prefix}t {prefix}d\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <title id=\"{prefix}t\">{}</title>\n<desc id=\"{prefix}d\">{}</desc>\n<style>{}{dark}</style>\n",
            escaped(&labels.title),
            escaped(description),
            style::LIGHT
        ));
        svg.rect("paper", [0.0, 0.0], [width, height]);
        svg
    }

    /// Ends the picture.
    pub fn end(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(arguments);
    }

    /// A rectangle from its upper left corner.
    pub fn rect(&mut self, class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
        let (x, y, width, height) = (pixel(x), pixel(y), pixel(width.max(0.0)), pixel(height.max(0.0)));
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\n"
        ));
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: [f64; 2], to: [f64; 2]) {
        let [x1, y1, x2, y2] = [from[0], from[1], to[0], to[1]].map(pixel);
        self.put(format_args!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>\n"));
    }

    /// A line through points; broken where one cannot be drawn.
    pub fn path(&mut self, class: &str, points: impl Iterator<Item = [f64; 2]>) {
        self.put(format_args!("<path class=\"{class}\" d=\""));
        let mut pen = 'M';
        for [x, y] in points {
            if !(x.is_finite() && y.is_finite()) {
                pen = 'M';
                continue;
            }
            self.put(format_args!("{pen}{} {}", pixel(x), pixel(y)));
            pen = 'L';
        }
        self.text.push_str("\"/>\n");
    }

    /// A filled shape.
    pub fn area(&mut self, class: &str, points: impl Iterator<Item = [f64; 2]>) {
        self.put(format_args!("<polygon class=\"{class}\" points=\""));
        for [x, y] in points.filter(|[x, y]| x.is_finite() && y.is_finite()) {
            self.put(format_args!("{},{} ", pixel(x), pixel(y)));
        }
        self.text.push_str("\"/>\n");
    }

    /// Dots, in one group.
    pub fn dots(&mut self, class: &str, radius: f64, points: impl Iterator<Item = [f64; 2]>) {
        self.put(format_args!("<g class=\"{class}\">\n"));
        for [x, y] in points.filter(|[x, y]| x.is_finite() && y.is_finite()) {
            self.put(format_args!("<circle cx=\"{}\" cy=\"{}\" r=\"{radius}\"/>\n", pixel(x), pixel(y)));
        }
        self.text.push_str("</g>\n");
    }

    /// A text.
    pub fn text(&mut self, class: &str, [x, y]: [f64; 2], anchor: Anchor, text: &str) {
        let (x, y, anchor, text) = (pixel(x), pixel(y), anchor.name(), escaped(text));
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>\n"
        ));
    }

    /// A text that runs upwards, centred.
    pub fn upward(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let (x, y, text) = (pixel(x), pixel(y), escaped(text));
        self.put(format_args!(
            "<text class=\"{class}\" text-anchor=\"middle\" transform=\"translate({x} {y}) rotate(-90)\">{text}</text>\n"
        ));
    }

    /// What follows is cut off at this rectangle, until [`Svg::unclip`].
    pub fn clip(&mut self, name: &str, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
        let prefix = self.prefix;
        self.put(format_args!(
            "<clipPath id=\"{prefix}{name}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>\n\
             <g clip-path=\"url(#{prefix}{name})\">\n",
            pixel(x),
            pixel(y),
            pixel(width),
            pixel(height)
        ));
    }

    /// Ends what [`Svg::clip`] began.
    pub fn unclip(&mut self) {
        self.text.push_str("</g>\n");
    }
}

/// A tenth of a pixel is finer than anybody sees.
fn pixel(value: f64) -> f64 {
    let rounded = (value.clamp(-1e6, 1e6) * 10.0).round() / 10.0;
    // no "-0"
    rounded + 0.0
}

/// The text with what HTML and XML take for markup escaped, and without what XML forbids.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// The text cut to about this many pixels.
pub fn shortened(text: &str, width: f64) -> String {
    let room = (width / CHARACTER).max(4.0) as usize;
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['\u{2026}']).collect()
}

/// About how wide a character of the small text is, in pixels.
pub const CHARACTER: f64 = 7.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_controls_are_left_out() {
        assert_eq!(escaped("a<b> & \"c\"\u{0}\n"), "a&lt;b&gt; &amp; &quot;c&quot; ");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shortened("abc", 70.0), "abc");
        assert_eq!(shortened("abcdefghijkl", 70.0), "abcdefghi\u{2026}");
    }
}
