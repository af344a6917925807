//! Residuals, over the reading and over time.

use super::axis::Axis;
use super::panel::{BELOW, HEIGHT, Mark, Panel, TOP, WIDTH, heading, left};
use super::svg::Svg;
use super::thin::{cloud, places, said};
use super::{Labels, drawable, range};

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Residual {
    /// Texts.
    pub labels: Labels,
    /// The readings.
    pub x: Vec<f64>,
    /// Their residuals, value less reference.
    pub residuals: Vec<f64>,
    /// Their times in seconds since 1970; a second panel shows the residuals over them.
    pub times: Option<Vec<f64>>,
}

/// Height of a panel where there are two.
const HALF: f64 = 220.0;

impl Residual {
    /// The picture.
    pub fn svg(&self) -> String {
        let ends = range(self.residuals.iter().copied());
        let far = ends[0].abs().max(ends[1].abs());
        let y = || Axis::around(&self.labels.y, [-far, far], 5);
        let margin = left(&[&y()]);
        let first = Axis::around(&self.labels.x, range(self.x.iter().copied()), 8);
        let height = if self.times.is_some() { TOP + 2.0 * (HALF + BELOW) } else { HEIGHT };
        let tall = if self.times.is_some() { HALF } else { HEIGHT - TOP - BELOW };
        let mut svg = Svg::new([WIDTH, height], &self.labels, &self.description());
        heading(&mut svg, &self.labels, margin, &self.legend());
        self.panel(&mut svg, "a", &self.x, Panel::new(margin, TOP, tall, first, y()));
        if let Some(times) = &self.times {
            let second = Axis::times("time (UTC)", range(times.iter().copied()), 6);
            let top = TOP + HALF + BELOW;
            self.panel(&mut svg, "b", times, Panel::new(margin, top, HALF, second, y()));
        }
        svg.end()
    }

    fn panel(&self, svg: &mut Svg, name: &str, over: &[f64], panel: Panel) {
        panel.draw(svg);
        panel.level(svg, "zero", 0.0);
        let (class, radius) = cloud(over.len());
        let points: Vec<[f64; 2]> =
            over.iter().copied().zip(self.residuals.iter().copied()).map(Into::into).collect();
        panel.inside(svg, name, |svg| {
            svg.dots(class, radius, places(points.len()).into_iter().map(|at| panel.at(points[at])));
        });
        if let Some((_, scatter)) = self.spread() {
            for limit in [-2.0 * scatter, 2.0 * scatter] {
                panel.level(svg, "limit", limit);
            }
        }
    }

    /// Mean and standard deviation.
    fn spread(&self) -> Option<(f64, f64)> {
        let drawn: Vec<f64> = self.residuals.iter().copied().filter(|value| drawable(*value)).collect();
        if drawn.len() < 2 {
            return None;
        }
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let squares: f64 = drawn.iter().map(|value| (value - mean) * (value - mean)).sum();
        Some((mean, (squares / (drawn.len() - 1) as f64).sqrt()))
    }

    fn legend(&self) -> Vec<(Mark, &'static str, String)> {
        let mut legend = vec![(Mark::Dot, "data", said("residuals", self.residuals.len()))];
        if self.spread().is_some() {
            legend.push((Mark::Line, "limit", "\u{b1} 2 standard deviations".to_owned()));
        }
        legend
    }

    fn description(&self) -> String {
        let spread = self
            .spread()
            .map_or(String::new(), |(mean, std)| format!("; mean {mean}, standard deviation {std}"));
        format!("{} residuals over {}{spread}", self.residuals.len(), self.labels.x)
    }
}
