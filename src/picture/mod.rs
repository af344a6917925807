//! Pictures of calibrations, as SVG that stands alone.
//!
//! Pure: numbers in, text out. Each picture reads in light, in dark and in print, tells its parts
//! apart by shape as well as by colour (the palette is that of Okabe and Ito, 2008), holds a title
//! and a description for screen readers, and no script. Colours are literals, not custom
//! properties: converters other than browsers know no `var()`.

mod axis;
pub mod calibration;
pub mod conformity;
pub mod drift;
mod panel;
pub mod reliability;
pub mod residual;
mod style;
mod svg;
#[cfg(test)]
mod tests;
mod thin;

pub use self::svg::escaped;

/// A sampled value and the interval it lies in, if one is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// Where.
    pub x: f64,
    /// The value there.
    pub value: f64,
    /// The interval's ends.
    pub interval: Option<[f64; 2]>,
}

/// What is written on a picture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Labels {
    /// Above it.
    pub title: String,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis.
    pub y: String,
    /// Where it stands in a page, which is light: what its names begin with there. Absent: it stands alone.
    pub page: Option<&'static str>,
}

/// Whether a number can be drawn: finite, and far enough from the largest that differences are too.
fn drawable(value: f64) -> bool {
    value.abs() < 1e150
}

/// The least range that holds all values that can be drawn; [0, 1] without any.
fn range(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let drawn = values.filter(|value| drawable(*value));
    let (low, high) =
        drawn.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low <= high { [low, high] } else { [0.0, 1.0] }
}
