//! A plotting area with its axes, and the texts around it.

use super::Labels;
use super::axis::Axis;
use super::svg::{Anchor, CHARACTER, Svg, shortened};

/// Width of every picture, in pixels.
pub const WIDTH: f64 = 760.0;
/// Height of a picture with one panel, in pixels.
pub const HEIGHT: f64 = 480.0;
/// Where the first panel begins: below title and legend.
pub const TOP: f64 = 66.0;
/// Room below a panel for ticks and label.
pub const BELOW: f64 = 52.0;
const RIGHT: f64 = 24.0;

/// A rectangle in which values are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Upper left corner.
    pub corner: [f64; 2],
    /// Width and height.
    pub size: [f64; 2],
    x: Axis,
    y: Axis,
}

/// Room at the left for the labels of these axes.
pub fn left(axes: &[&Axis]) -> f64 {
    let longest = axes.iter().map(|axis| axis.longest()).max().unwrap_or(0);
    (longest as f64 * CHARACTER + 44.0).clamp(60.0, 160.0)
}

impl Panel {
    /// A panel over the whole width, from `top`, with `left` pixels for labels.
    pub fn new(left: f64, top: f64, height: f64, x: Axis, y: Axis) -> Panel {
        Panel { corner: [left, top], size: [WIDTH - RIGHT - left, height], x, y }
    }

    /// The place of a pair of values.
    pub fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let share = |axis: &Axis, value: f64| (value - axis.low) / (axis.high - axis.low);
        [
            self.corner[0] + share(&self.x, x) * self.size[0],
            self.corner[1] + (1.0 - share(&self.y, y)) * self.size[1],
        ]
    }

    /// A level line over the whole panel.
    pub fn level(&self, svg: &mut Svg, class: &str, y: f64) {
        if self.y.low <= y && y <= self.y.high {
            svg.line(class, self.at([self.x.low, y]), self.at([self.x.high, y]));
        }
    }

    /// Draws grid, axes, ticks and labels.
    pub fn draw(&self, svg: &mut Svg) {
        let [left, top] = self.corner;
        let (right, bottom) = (left + self.size[0], top + self.size[1]);
        for tick in &self.y.ticks {
            let y = self.at([self.x.low, tick.at])[1];
            svg.line("grid", [left, y], [right, y]);
            svg.text("tick", [left - 8.0, y + 4.0], Anchor::End, &tick.text);
        }
        let mut free = f64::NEG_INFINITY;
        for tick in &self.x.ticks {
            let x = self.at([tick.at, self.y.low])[0];
            svg.line("grid", [x, top], [x, bottom]);
            // Texts that would run into each other are left out, their lines stay.
            let half = tick.text.chars().count() as f64 * CHARACTER / 2.0;
            if x - half > free && x + half < WIDTH {
                svg.text("tick", [x, bottom + 18.0], Anchor::Middle, &tick.text);
                free = x + half + CHARACTER;
            }
        }
        svg.line("axis", [left, bottom], [right, bottom]);
        svg.line("axis", [left, top], [left, bottom]);
        let (label_x, label_y) =
            (shortened(&self.x.label, self.size[0]), shortened(&self.y.label, self.size[1]));
        svg.text("label", [left + self.size[0] / 2.0, bottom + 40.0], Anchor::Middle, &label_x);
        svg.upward("label", [18.0, top + self.size[1] / 2.0], &label_y);
    }

    /// Draws what must not leave the panel.
    pub fn inside(&self, svg: &mut Svg, name: &str, draw: impl FnOnce(&mut Svg)) {
        svg.clip(name, self.corner, self.size);
        draw(svg);
        svg.unclip();
    }
}

/// How a part of the picture is shown in the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Dot,
    Line,
    Fill,
    Ring,
}

/// Writes the title, and below it what the parts mean.
pub fn heading(svg: &mut Svg, labels: &Labels, left: f64, legend: &[(Mark, &str, String)]) {
    svg.text("title", [left, 26.0], Anchor::Start, &shortened(&labels.title, 0.78 * (WIDTH - left - RIGHT)));
    let mut x = left;
    let y = 48.0;
    for (mark, class, text) in legend {
        let text = shortened(text, WIDTH - RIGHT - x - 24.0);
        match mark {
            Mark::Dot => svg.dots(class, 4.0, [[x + 8.0, y - 4.0]].into_iter()),
            Mark::Ring => svg.dots(class, 5.0, [[x + 8.0, y - 4.0]].into_iter()),
            Mark::Line => svg.line(class, [x, y - 4.0], [x + 18.0, y - 4.0]),
            Mark::Fill => svg.rect(class, [x, y - 10.0], [18.0, 12.0]),
        }
        svg.text("small", [x + 24.0, y], Anchor::Start, &text);
        x += 24.0 + text.chars().count() as f64 * CHARACTER + 16.0;
    }
}
