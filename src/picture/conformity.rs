//! Errors before and after an adjustment, with their expanded uncertainties and what is permitted.

use super::axis::Axis;
use super::panel::{BELOW, HEIGHT, Mark, Panel, TOP, WIDTH, heading, left};
use super::svg::Svg;
use super::{Labels, drawable, range};

/// An error at a reference value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    /// The reference value.
    pub reference: f64,
    /// The error.
    pub error: f64,
    /// Its expanded uncertainty.
    pub expanded: f64,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conformity {
    /// Texts.
    pub labels: Labels,
    /// Errors as found.
    pub found: Vec<Stated>,
    /// Errors as left.
    pub left: Vec<Stated>,
    /// Reference values, rising, and the size of the error that is permitted there.
    pub limits: Vec<[f64; 2]>,
}

/// How far the whiskers' ends reach to either side, in pixels.
const END: f64 = 4.0;

impl Conformity {
    /// The picture.
    pub fn svg(&self) -> String {
        let all = || self.found.iter().chain(&self.left);
        let reach = |it: &Stated| [it.error - it.expanded, it.error + it.expanded];
        let permitted = self.limits.iter().flat_map(|[_, size]| [-size, *size]);
        let x = range(all().map(|it| it.reference).chain(self.limits.iter().map(|[at, _]| *at)));
        let y = range(all().flat_map(reach).chain(permitted).chain([0.0]));
        let (x, y) = (Axis::around(&self.labels.x, x, 8), Axis::around(&self.labels.y, y, 6));
        let margin = left(&[&y]);
        let panel = Panel::new(margin, TOP, HEIGHT - TOP - BELOW, x, y);
        let mut svg = Svg::new([WIDTH, HEIGHT], &self.labels, &self.description());
        heading(&mut svg, &self.labels, margin, &self.legend());
        panel.draw(&mut svg);
        panel.level(&mut svg, "zero", 0.0);
        panel.inside(&mut svg, "e", |svg| self.draw(svg, &panel));
        svg.end()
    }

    fn draw(&self, svg: &mut Svg, panel: &Panel) {
        if !self.limits.is_empty() {
            for sign in [-1.0, 1.0] {
                svg.path("limit", self.limits.iter().map(|[at, size]| panel.at([*at, sign * size])));
            }
        }
        for (points, class, bar, radius) in
            [(&self.found, "before", "spoke", 4.5), (&self.left, "after", "reach", 3.5)]
        {
            let drawn = |it: &&Stated| [it.reference, it.error, it.expanded].into_iter().all(drawable);
            for it in points.iter().filter(drawn) {
                let [low, high] =
                    [it.error - it.expanded, it.error + it.expanded].map(|end| panel.at([it.reference, end]));
                let ends = [low, high].map(|[x, y]| [[x - END, y], [x + END, y]]);
                let whisker = [ends[0][0], ends[0][1], low, high, ends[1][0], ends[1][1]];
                svg.path(bar, whisker.into_iter());
                svg.dots(class, radius, [panel.at([it.reference, it.error])].into_iter());
            }
        }
    }

    fn legend(&self) -> Vec<(Mark, &'static str, String)> {
        let mut legend = Vec::new();
        if !self.found.is_empty() {
            legend.push((Mark::Ring, "before", "as found, with U".to_owned()));
        }
        if !self.left.is_empty() {
            legend.push((Mark::Dot, "after", "as left, with U".to_owned()));
        }
        if !self.limits.is_empty() {
            legend.push((Mark::Line, "limit", "maximum permissible error".to_owned()));
        }
        legend
    }

    fn description(&self) -> String {
        let worst = |points: &[Stated]| {
            points.iter().map(|it| it.error.abs()).filter(|it| drawable(*it)).fold(0.0, f64::max)
        };
        let part = |name: &str, points: &[Stated]| match points.len() {
            0 => String::new(),
            count => format!("{count} errors {name}, the largest {}; ", worst(points)),
        };
        let (found, left) = (part("as found", &self.found), part("as left", &self.left));
        format!("{found}{left}over {}", self.labels.x)
    }
}
