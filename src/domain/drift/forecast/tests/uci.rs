//! A real year of a sensor's bias, for the tests and for the bench that shows it.

use std::collections::BTreeMap;

const TEXT: &str = include_str!("../../../../../tests/data/collocation/uci_air_quality/AirQualityUCI.csv");

/// CO in mg/m3 by a line through the sensor's signal, fitted to the first four weeks: its error as daily means with
/// their standard uncertainties, ascending by noon as RFC 3339; days with 18 hours at least.
pub fn daily_means() -> Vec<(String, f64, f64)> {
    let mut days: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in TEXT.lines().skip(1) {
        let cells: Vec<&str> = row.split(';').collect();
        let number =
            |at: usize| cells[at].replace(',', ".").parse::<f64>().ok().filter(|value| *value != -200.0);
        let date: Vec<&str> = cells[0].split('/').collect();
        if let ([day, month, year], Some(co), Some(signal)) = (&date[..], number(2), number(3)) {
            let noon = format!("{year}-{month}-{day}T12:00:00Z");
            days.entry(noon).or_default().push(-4.293_19 + 0.005_352_92 * signal - co);
        }
    }
    let point = |(noon, errors): (String, Vec<f64>)| {
        let n = errors.len() as f64;
        let bias = errors.iter().sum::<f64>() / n;
        let variance = errors.iter().map(|error| (error - bias).powi(2)).sum::<f64>() / (n - 1.0);
        (noon, bias, (variance / n).sqrt())
    };
    days.into_iter().filter(|(_, errors)| errors.len() >= 18).map(point).collect()
}
