//! Three collocations of a sensor with a reference, as hourly pairs.

use std::collections::BTreeMap;

/// A pair of one hour.
#[derive(Debug, Clone, Copy)]
pub struct Hour {
    /// Hours since 1970, on the site's clock.
    pub hour: i64,
    /// Months since year 0.
    pub month: i64,
    pub x: f64,
    pub y: f64,
}

/// Fewest minutes of an hour: 75 %.
const MINUTES: usize = 45;

/// CO (mg/m3) from the resistance of PT08.S1; -200 is missing.
pub fn uci() -> Vec<Hour> {
    let text = include_str!("../../../../tests/data/collocation/uci_air_quality/AirQualityUCI.csv");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(';').collect();
        let number =
            |at: usize| cells[at].replace(',', ".").parse::<f64>().ok().filter(|value| *value != -200.0);
        let date: Vec<i64> = integers(cells[0]);
        let time: Vec<i64> = integers(cells.get(1)?);
        let (y, x) = (number(2)?, number(3)?);
        Some(hour(days(date[2], date[1], date[0]) * 24 + time[0], date[2] * 12 + date[1] - 1, x, y))
    };
    text.lines().skip(1).filter_map(row).collect()
}

/// NO2 (ppb) from the difference of the electrodes (mV); rows marked valid, averaged to hours.
pub fn satvam() -> Vec<Hour> {
    let text = include_str!("../../../../tests/data/collocation/satvam_no2_o3/DD1_Jun.csv");
    let mut hours = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |at: usize| cells[at].parse::<f64>().ok();
        if let (Some("1"), Some(y), Some(op1), Some(op2)) =
            (cells.get(9).copied(), number(2), number(5), number(6))
        {
            let at = integers(cells[0]);
            add(&mut hours, (days(at[2], at[1], at[0]) * 24 + at[3], at[2] * 12 + at[1] - 1), op1 - op2, y);
        }
    }
    let full = hours.into_iter().filter(|(_, (count, ..))| *count >= MINUTES);
    full.map(|((at, month), (count, x, y))| hour(at, month, x / count as f64, y / count as f64)).collect()
}

/// O3 (ppb) of a sensor averaged to the reference's hours, which carry the time at which they begin;
/// reference values with QC code 9 are left out.
pub fn epa() -> Vec<Hour> {
    let sensor =
        include_str!("../../../../tests/data/collocation/epa_sensortoolkit/toco_toucan_RT01_raw.csv");
    let mut hours = BTreeMap::new();
    for line in sensor.lines().skip_while(|line| !line.starts_with("Time,")).skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if let Some(x) = cells.get(2).and_then(|cell| cell.parse::<f64>().ok()) {
            add(&mut hours, american(cells[0]), x, 0.0);
        }
    }
    let reference = include_str!(
        "../../../../tests/data/collocation/epa_sensortoolkit/airnowtech_example_reference_data.csv"
    );
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[3] != "O3" || cells[15].trim() == "9" {
            return None;
        }
        let at = american(&format!("{} {}", cells[10], cells[11]));
        let (count, sum, _) = hours.get(&at).filter(|(count, ..)| *count >= MINUTES)?;
        Some(hour(at.0, at.1, sum / *count as f64, cells[13].parse().ok()?))
    };
    let mut all: Vec<Hour> = reference.lines().skip(1).filter_map(row).collect();
    all.sort_by_key(|one| one.hour);
    all
}

type Sums = BTreeMap<(i64, i64), (usize, f64, f64)>;

fn add(hours: &mut Sums, at: (i64, i64), x: f64, y: f64) {
    let sums = hours.entry(at).or_default();
    *sums = (sums.0 + 1, sums.1 + x, sums.2 + y);
}

fn hour(hour: i64, month: i64, x: f64, y: f64) -> Hour {
    Hour { hour, month, x, y }
}

/// Hour and month of 8/31/2019 7:11.
fn american(text: &str) -> (i64, i64) {
    let at = integers(text);
    (days(at[2], at[0], at[1]) * 24 + at[3], at[2] * 12 + at[0] - 1)
}

fn integers(text: &str) -> Vec<i64> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // years from March on, so that the leap day is the last
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469
}

#[test]
fn the_pairs_are_those_of_the_sources() {
    let counts = [uci().len(), satvam().len(), epa().len()];
    assert_eq!(counts, [7344, 554, 665]);
    assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(2004, 2, 29)), (0, 11_017, 12_477));
}
