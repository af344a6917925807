//! The reliability diagram: what was observed where a probability was predicted.

use super::Labels;
use super::axis::Axis;
use super::panel::{BELOW, Mark, Panel, TOP, WIDTH, heading, left};
use super::svg::Svg;

/// One bin of predicted probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Its ends.
    pub range: [f64; 2],
    /// How many predictions fell into it.
    pub count: u64,
    /// Their mean.
    pub predicted: f64,
    /// The share of them that came true.
    pub observed: f64,
    /// The interval of that share, if one is known.
    pub interval: Option<[f64; 2]>,
}

/// The 95 % interval of a probability of which the `share` was observed in `count` cases (Wilson 1927).
pub fn wilson(count: f64, share: f64) -> [f64; 2] {
    /// The 97.5 % quantile of the normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    let square = Z * Z / count;
    let middle = (share + square / 2.0) / (1.0 + square);
    let half = Z / (1.0 + square) * (share * (1.0 - share) / count + square / (4.0 * count)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reliability {
    /// Texts.
    pub labels: Labels,
    /// The bins, from low to high.
    pub bins: Vec<Bin>,
    /// What the vertical lines are, for the legend.
    pub interval_name: String,
}

const TALL: f64 = 320.0;
const LOW: f64 = 110.0;

impl Reliability {
    /// The picture.
    pub fn svg(&self) -> String {
        let most = self.bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1) as f64;
        let unit = || Axis::exactly(&self.labels.x, [0.0, 1.0], 10);
        let observed = Axis::exactly(&self.labels.y, [0.0, 1.0], 5);
        let counts = Axis::exactly("count", [0.0, most * 1.05], 3);
        let margin = left(&[&observed, &counts]);
        let mut above = unit();
        above.label.clear();
        let upper = Panel::new(margin, TOP, TALL, above, observed);
        let lower = Panel::new(margin, TOP + TALL + 36.0, LOW, unit(), counts);
        let height = TOP + TALL + 36.0 + LOW + BELOW;
        let mut svg = Svg::new([WIDTH, height], &self.labels, &self.description());
        heading(&mut svg, &self.labels, margin, &self.legend());
        upper.draw(&mut svg);
        svg.line("ideal", upper.at([0.0, 0.0]), upper.at([1.0, 1.0]));
        self.curve(&mut svg, &upper);
        lower.draw(&mut svg);
        lower.inside(&mut svg, "h", |svg| self.counts(svg, &lower));
        svg.end()
    }

    fn filled(&self) -> impl Iterator<Item = &Bin> + Clone {
        self.bins.iter().filter(|bin| bin.count > 0)
    }

    fn curve(&self, svg: &mut Svg, panel: &Panel) {
        for bin in self.filled() {
            if let Some([low, high]) = bin.interval {
                svg.line("spoke", panel.at([bin.predicted, low]), panel.at([bin.predicted, high]));
            }
        }
        let points = self.filled().map(|bin| panel.at([bin.predicted, bin.observed]));
        svg.path("curve", points.clone());
        svg.dots("data", 4.5, points);
    }

    fn counts(&self, svg: &mut Svg, panel: &Panel) {
        for bin in self.filled() {
            let [left, top] = panel.at([bin.range[0], bin.count as f64]);
            let [right, bottom] = panel.at([bin.range[1], 0.0]);
            svg.rect("bar", [left + 0.5, top], [right - left - 1.0, bottom - top]);
        }
    }

    fn legend(&self) -> Vec<(Mark, &'static str, String)> {
        let total: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let mut legend = vec![(Mark::Dot, "data", format!("observed in a bin, n = {total}"))];
        if self.bins.iter().any(|bin| bin.interval.is_some()) {
            legend.push((Mark::Line, "spoke", self.interval_name.clone()));
        }
        legend.push((Mark::Line, "ideal", "perfect".to_owned()));
        legend
    }

    fn description(&self) -> String {
        let told = |bin: &Bin| {
            format!("{:.2} predicted, {:.2} observed of {}", bin.predicted, bin.observed, bin.count)
        };
        let bins: Vec<String> = self.filled().map(told).collect();
        format!("reliability diagram: {}", bins.join("; "))
    }
}
