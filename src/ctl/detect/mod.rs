//! `calibctl detect`: where the values of a column change.

mod how;
mod report;

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::data::{DataArgs, RowArgs, Wanted, load};
use super::number::finite;
use super::output::{Failure, note, print, print_json};

use how::How;

const EXAMPLES: &str = "examples:
  calibctl detect errors.csv --x error --detector whitened-cusum
  calibctl detect errors.csv --x error --detector cusum --k 0.5 --h 5 --json
  calibctl detect errors.csv --x error --detector page-hinkley --baseline 1000
  calibctl detect raw.csv --x no2_mv --detector ks --block 1000 --p 0.0001
  calibctl detect raw.csv --x no2_mv --detector adwin --delta 0.002

Values are standardised by the mean and the standard deviation of the first rows, the baseline; adwin,
ks and psi take them as they are. whitened-cusum is what calibd runs: it learns the dependence of a
value on the one before it, too, chooses k and h by that, and tells one alarm an excursion.

exit codes: 0 done, 1 the data are of no use for it, 2 usage";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DetectArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    rows: RowArgs,
    /// The values. Absent: the first column.
    #[arg(long, value_name = "COL")]
    x: Option<String>,
    /// What looks for changes.
    #[arg(long, value_enum)]
    detector: Which,
    /// Rows at the beginning that say what is usual; absent: 500, whitened-cusum: 2000.
    #[arg(long, value_name = "N")]
    baseline: Option<usize>,
    /// Takes the values as they are, not standardised by the baseline.
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    options: Options,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// What only some detectors heed.
#[derive(Args)]
pub struct Options {
    /// cusum: half the shift that is looked for, in standard deviations; absent: 0.5.
    #[arg(long, value_name = "K", value_parser = finite, help_heading = "Detectors")]
    k: Option<f64>,
    /// cusum: the limit of the sums, in standard deviations; absent: 5.
    #[arg(long, value_name = "H", value_parser = finite, help_heading = "Detectors")]
    h: Option<f64>,
    /// ewma: the weight of the newest value; absent: 0.2.
    #[arg(long, value_name = "L", value_parser = finite, help_heading = "Detectors")]
    lambda: Option<f64>,
    /// ewma: the limit in standard deviations of the average; absent: 3. psi: that of the index; absent: 0.25.
    #[arg(long, value_name = "L", value_parser = finite, help_heading = "Detectors")]
    limit: Option<f64>,
    /// page-hinkley: deviations that are allowed; absent: 0.25. adwin: chance of a false cut; absent: 0.002.
    #[arg(long, value_name = "D", value_parser = finite, help_heading = "Detectors")]
    delta: Option<f64>,
    /// page-hinkley: the limit of the sums; absent: 20.
    #[arg(long, value_name = "T", value_parser = finite, help_heading = "Detectors")]
    threshold: Option<f64>,
    /// page-hinkley: the factor by which older deviations count less; absent: 1.
    #[arg(long, value_name = "A", value_parser = finite, help_heading = "Detectors")]
    alpha: Option<f64>,
    /// ks, psi: rows that are compared with the baseline at a time; absent: 500.
    #[arg(long, value_name = "N", help_heading = "Detectors")]
    block: Option<u32>,
    /// ks: the chance of a false alarm in a block; absent: 0.001.
    #[arg(long, value_name = "P", value_parser = finite, help_heading = "Detectors")]
    p: Option<f64>,
}

/// The detectors by name.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    WhitenedCusum,
    Cusum,
    Ewma,
    PageHinkley,
    Adwin,
    Ks,
    Psi,
}

pub fn run(args: &DetectArgs) -> Result<ExitCode, Failure> {
    let how = How::stated(args)?;
    let mut rows = args.data.open()?;
    let x = rows.find_or(args.x.as_deref(), 0)?;
    let mut loaded = load(&mut rows, &Wanted { numbers: vec![x], text: None }, &args.rows)?;
    let column = loaded.take();
    let refused = |problem: String| {
        Failure::refused(format!("{}: column `{}`: {problem}", args.data.name(), column.name()))
    };
    let found = how.detect(column.values()).map_err(refused)?;
    let report = report::Report::new(&how, found, column.values().len(), loaded);
    report.notes.iter().for_each(|text| note(&format!("note: {text}")));
    match args.json {
        true => print_json(&report)?,
        false => print(report.text(column.values()).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
