//! The drift chart: errors over time with their limits.

use super::axis::Axis;
use super::panel::{BELOW, HEIGHT, Mark, Panel, TOP, WIDTH, heading, left};
use super::svg::Svg;
use super::thin::{MOST, cloud, places, said};
use super::{Labels, drawable, range};

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drift {
    /// Texts.
    pub labels: Labels,
    /// Times in seconds since 1970, or numbers of rows; not decreasing.
    pub at: Vec<f64>,
    /// Whether `at` are times.
    pub timed: bool,
    /// Errors, value less reference.
    pub errors: Vec<f64>,
    /// Over how many errors the bias is taken.
    pub window: usize,
    /// The largest error that is permitted, if one is stated.
    pub limit: Option<f64>,
}

impl Drift {
    /// The picture.
    pub fn svg(&self) -> String {
        let limits = self.limit.into_iter().flat_map(|limit| [-1.15 * limit, 1.15 * limit]);
        let y = range(self.errors.iter().copied().chain(limits).chain([0.0]));
        let y = Axis::around(&self.labels.y, y, 6);
        let x = range(self.at.iter().copied());
        let x = match self.timed {
            true => Axis::times(&self.labels.x, x, 6),
            false => Axis::around(&self.labels.x, x, 8),
        };
        let margin = left(&[&y]);
        let panel = Panel::new(margin, TOP, HEIGHT - TOP - BELOW, x, y);
        let mut svg = Svg::new([WIDTH, HEIGHT], &self.labels, &self.description());
        heading(&mut svg, &self.labels, margin, &self.legend());
        panel.draw(&mut svg);
        panel.level(&mut svg, "zero", 0.0);
        panel.inside(&mut svg, "c", |svg| self.draw(svg, &panel));
        for limit in self.limit.into_iter().flat_map(|limit| [-limit, limit]) {
            panel.level(&mut svg, "limit", limit);
        }
        svg.end()
    }

    fn draw(&self, svg: &mut Svg, panel: &Panel) {
        let (class, radius) = cloud(self.errors.len());
        let point = |at: usize| panel.at([self.at[at], self.errors[at]]);
        svg.dots(class, radius, places(self.len()).into_iter().map(point));
        // What is out of tolerance is never left out for being one of many.
        let outside: Vec<usize> = (0..self.len()).filter(|at| self.is_outside(*at)).take(MOST).collect();
        svg.dots("outside", radius + 1.6, outside.into_iter().map(point));
        svg.path("curve", self.bias().into_iter().map(|point| panel.at(point)));
    }

    fn len(&self) -> usize {
        self.errors.len().min(self.at.len())
    }

    fn is_outside(&self, at: usize) -> bool {
        self.limit.is_some_and(|limit| self.errors[at].abs() > limit)
    }

    /// The mean of each error and those before it in the window, once the window is full; where there
    /// are many, at the places that are drawn.
    fn bias(&self) -> Vec<[f64; 2]> {
        let window = self.window.max(1);
        let usable: Vec<usize> = (0..self.len()).filter(|at| drawable(self.errors[*at])).collect();
        let mean = |places: &[usize]| places.iter().map(|at| self.errors[*at]).sum::<f64>() / window as f64;
        let last = |places: &[usize]| places.last().map_or(0.0, |at| self.at[*at]);
        let full = (usable.len() + 1).saturating_sub(window);
        places(full).into_iter().map(|at| &usable[at..at + window]).map(|it| [last(it), mean(it)]).collect()
    }

    fn legend(&self) -> Vec<(Mark, &'static str, String)> {
        let mut legend = vec![(Mark::Dot, "data", said("errors", self.len()))];
        legend.push((Mark::Line, "curve", format!("bias over {}", self.window.max(1))));
        if let Some(limit) = self.limit {
            legend.push((Mark::Line, "limit", format!("limits \u{b1} {limit}")));
            let outside = (0..self.len()).filter(|at| self.is_outside(*at)).count();
            legend.push((Mark::Ring, "outside", format!("outside, n = {outside}")));
        }
        legend
    }

    fn description(&self) -> String {
        let limit = self.limit.map_or(String::new(), |limit| {
            let outside = (0..self.len()).filter(|at| self.is_outside(*at)).count();
            format!("; {outside} of them outside \u{b1} {limit}")
        });
        format!(
            "{} errors over {}, with their bias over {}{limit}",
            self.len(),
            self.labels.x,
            self.window.max(1)
        )
    }
}
