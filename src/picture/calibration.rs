//! The calibration curve with its band.

use super::axis::Axis;
use super::panel::{BELOW, HEIGHT, Mark, Panel, TOP, WIDTH, heading, left};
use super::svg::Svg;
use super::thin::{cloud, places, said};
use super::{Labels, Sampled, drawable, range};

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calibration {
    /// Texts.
    pub labels: Labels,
    /// Pairs of sensor and reference values.
    pub pairs: Vec<[f64; 2]>,
    /// The curve, from left to right.
    pub curve: Vec<Sampled>,
    /// What the curve is, for the legend.
    pub curve_name: String,
    /// What the band is, for the legend.
    pub band_name: String,
}

impl Calibration {
    /// The picture.
    pub fn svg(&self) -> String {
        let ends = self.curve.iter().flat_map(|at| at.interval.into_iter().flatten().chain([at.value]));
        let x = range(self.pairs.iter().map(|pair| pair[0]).chain(self.curve.iter().map(|at| at.x)));
        let y = range(self.pairs.iter().map(|pair| pair[1]).chain(ends));
        let (x, y) = (Axis::around(&self.labels.x, x, 8), Axis::around(&self.labels.y, y, 6));
        let margin = left(&[&y]);
        let panel = Panel::new(margin, TOP, HEIGHT - TOP - BELOW, x, y);
        let mut svg = Svg::new([WIDTH, HEIGHT], &self.labels, &self.description());
        heading(&mut svg, &self.labels, margin, &self.legend());
        panel.draw(&mut svg);
        panel.inside(&mut svg, "c", |svg| self.draw(svg, &panel));
        svg.end()
    }

    fn draw(&self, svg: &mut Svg, panel: &Panel) {
        let banded: Vec<(f64, [f64; 2])> = self
            .curve
            .iter()
            .filter_map(|at| Some((at.x, at.interval?)))
            .filter(|(_, ends)| ends.iter().all(|end| drawable(*end)))
            .collect();
        if !banded.is_empty() {
            let below = banded.iter().map(|(x, ends)| panel.at([*x, ends[0]]));
            let above = banded.iter().rev().map(|(x, ends)| panel.at([*x, ends[1]]));
            svg.area("band", below.chain(above));
        }
        let (class, radius) = cloud(self.pairs.len());
        let drawn = places(self.pairs.len()).into_iter().map(|at| panel.at(self.pairs[at]));
        svg.dots(class, radius, drawn);
        svg.path("curve", self.curve.iter().map(|at| panel.at([at.x, at.value])));
    }

    fn legend(&self) -> Vec<(Mark, &'static str, String)> {
        let mut legend = vec![(Mark::Dot, "data", said("pairs", self.pairs.len()))];
        if !self.curve.is_empty() {
            legend.push((Mark::Line, "curve", self.curve_name.clone()));
        }
        if self.curve.iter().any(|at| at.interval.is_some()) {
            legend.push((Mark::Fill, "band", self.band_name.clone()));
        }
        legend
    }

    fn description(&self) -> String {
        format!(
            "{} pairs of {} and {}, with the calibration curve {} and its band: {}",
            self.pairs.len(),
            self.labels.x,
            self.labels.y,
            self.curve_name,
            self.band_name
        )
    }
}
