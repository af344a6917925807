//! Real collocations, with numbers by statsmodels.

use serde_json::Value;

use super::golden::{list, matrix_close, number};
use super::{all_close, close, pairs};
use crate::domain::fit::linear::{affine, multilinear, polynomial};
use crate::domain::fit::method::{CovarianceKind, Options};
use crate::domain::fit::{Column, Fit, Pairs};

const UCI: &str = include_str!("../../../../../tests/data/collocation/uci_air_quality/AirQualityUCI.csv");
const SATVAM: &str = include_str!("../../../../../tests/data/collocation/satvam_no2_o3/DD1_Jun.csv");

/// The columns `names` of all rows where none is missing: decimal commas, -200 for what is missing.
fn uci(names: [&str; 2]) -> [Vec<f64>; 2] {
    let header: Vec<&str> = UCI.lines().next().unwrap().trim_start_matches('\u{feff}').split(';').collect();
    let places = names.map(|name| header.iter().position(|found| *found == name).unwrap());
    let mut out = [Vec::new(), Vec::new()];
    for line in UCI.lines().skip(1) {
        let cells: Vec<&str> = line.split(';').collect();
        let values = places
            .map(|at| cells.get(at).and_then(|cell| cell.replace(',', ".").parse().ok()).unwrap_or(-200.0));
        if values.iter().all(|value| *value != -200.0) {
            out.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
    }
    out
}

/// Columns of the rows flagged valid.
fn satvam<const N: usize>(names: [&str; N]) -> [Vec<f64>; N] {
    let header: Vec<&str> = SATVAM.lines().next().unwrap().trim().split(',').collect();
    let places = names.map(|name| header.iter().position(|found| *found == name).unwrap());
    let mut out = [(); N].map(|()| Vec::new());
    for line in SATVAM.lines().skip(1) {
        let cells: Vec<&str> = line.trim().split(',').collect();
        if cells.last() == Some(&"1") {
            for (column, at) in out.iter_mut().zip(places) {
                column.push(cells[at].parse().unwrap());
            }
        }
    }
    out
}

fn check(fit: &Fit, pairs: &Pairs, name: &str) {
    let text = include_str!("../../../../../tests/data/goldens/real_data_regression.json");
    let goldens: Value = serde_json::from_str(text).unwrap();
    let golden = &goldens[name];
    assert_eq!(fit.n as f64, number(&golden["n"]), "{name}");
    all_close(&fit.parameters, &list(&golden["params"]), name);
    all_close(&fit.standard_errors().unwrap(), &list(&golden["bse"]), name);
    matrix_close(fit.covariance.as_ref().unwrap(), &golden["cov"], name);
    close(fit.r_squared.unwrap(), number(&golden["r2"]), name);
    close(fit.residual_std.unwrap(), number(&golden["residual_sd"]), name);
    close((fit.rss.unwrap() / fit.n as f64).sqrt(), number(&golden["rmse"]), name);
    let values = fit.curve(pairs).unwrap().values(pairs);
    let mae = values.iter().zip(pairs.y()).map(|(v, y)| (v - y).abs()).sum::<f64>() / fit.n as f64;
    close(mae, number(&golden["mae"]), name);
}

fn thousandths(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value / 1000.0).collect()
}

#[test]
fn uci_carbon_monoxide() {
    let [x, y] = uci(["PT08.S1(CO)", "CO(GT)"]);
    let data = pairs(&thousandths(&x), &y);
    for degree in 1..=3 {
        let fit = polynomial::fit(&data, degree, &Options::default()).unwrap();
        check(&fit, &data, &format!("uci_CO_from_PT08S1_div1000_deg{degree}"));
    }
    check(&affine::fit(&data, &Options::default()).unwrap(), &data, "uci_CO_from_PT08S1_div1000_deg1");
}

#[test]
fn uci_benzene() {
    let [x, y] = uci(["PT08.S2(NMHC)", "C6H6(GT)"]);
    let data = pairs(&thousandths(&x), &y);
    let fit = polynomial::fit(&data, 2, &Options::default()).unwrap();
    check(&fit, &data, "uci_C6H6_from_PT08S2_div1000_deg2");
}

#[test]
fn satvam_nitrogen_dioxide() {
    let [y, working, auxiliary] = satvam(["Ref. NO2(ppb)", "no2op1(mV)", "no2op2(mV)"]);
    let x: Vec<f64> = working.iter().zip(&auxiliary).map(|(w, a)| w - a).collect();
    let data = pairs(&x, &y);
    let fit = affine::fit(&data, &Options::default()).unwrap();
    check(&fit, &data, "satvam_Jun_NO2_from_op1_minus_op2_deg1");
}

#[test]
fn satvam_ozone_by_six_columns() {
    let names = ["o3op1(mV)", "o3op2(mV)", "no2op1(mV)", "no2op2(mV)", "Temp(C)", "RH(%)"];
    let x = satvam(names).into_iter().zip(names).map(|(values, name)| Column::new(name, values)).collect();
    let [y] = satvam(["Ref. O3(ppb)"]);
    let data = Pairs::new(x, Column::new("o3", y)).unwrap();
    let fit = multilinear::fit(&data, &Options::default()).unwrap();
    check(&fit, &data, "satvam_Jun_O3_multilinear_o3op1_o3op2_no2op1_no2op2_T_RH");
}

/// The first 1,717 hours of UCI's CO, until the evening of 10 June 2004, are worth about 210: an
/// uncertainty that takes them for independent is too small by the root of 8.
#[test]
fn correlated_pairs_are_worth_less() {
    let [x, y] = uci(["PT08.S1(CO)", "CO(GT)"]);
    let data = pairs(&x[..1717], &y[..1717]);
    let plain = affine::fit(&data, &Options::default()).unwrap();
    assert!((plain.lag1_autocorrelation.unwrap() - 0.783).abs() < 5e-4);
    assert!((plain.n_effective.unwrap() - 208.96).abs() < 0.01, "{:?}", plain.n_effective);
    for covariance in [CovarianceKind::Hac, CovarianceKind::BlockBootstrap] {
        let fit = affine::fit(&data, &Options { covariance, ..Options::default() }).unwrap();
        let ratio = fit.standard_errors().unwrap()[1] / plain.standard_errors().unwrap()[1];
        println!("{covariance:?}: {ratio}, {:?}", fit.notes);
        assert!((1.5..4.0).contains(&ratio), "{covariance:?}: {ratio}");
        assert_eq!(fit.parameters, plain.parameters);
    }
}
