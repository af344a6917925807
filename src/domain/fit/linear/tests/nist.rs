//! Certified values of the NIST Statistical Reference Datasets for linear regression.

use super::digits;
use crate::domain::fit::linear::{affine, multilinear, polynomial};
use crate::domain::fit::method::Options;
use crate::domain::fit::{Column, Fit, Pairs};

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../../../../tests/data/nist_lls/", $name, ".dat"))
    };
}

/// What NIST certifies.
struct Certified {
    parameters: Vec<f64>,
    deviations: Vec<f64>,
    residual_std: f64,
    r_squared: f64,
}

fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn read(text: &str) -> (Pairs, Certified) {
    let lines: Vec<&str> = text.lines().collect();
    let (head, data) = lines.split_at(60);
    let rows: Vec<Vec<f64>> = data.iter().map(|line| numbers(line)).filter(|row| row.len() > 1).collect();
    let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>();
    let x = (1..rows[0].len()).map(|at| Column::new(format!("x{at}"), column(at))).collect();
    let of = |line: &&&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() == 3 && words[0].starts_with('B') && words[0][1..].parse::<u8>().is_ok()
    };
    let table: Vec<Vec<f64>> = head.iter().filter(of).map(|line| numbers(line)).collect();
    let after = |start: &str| numbers(head.iter().find(|line| line.trim().starts_with(start)).unwrap())[0];
    let certified = Certified {
        parameters: table.iter().map(|row| row[0]).collect(),
        deviations: table.iter().map(|row| row[1]).collect(),
        residual_std: after("Standard Deviation  "),
        r_squared: after("R-Squared"),
    };
    (Pairs::new(x, Column::new("y", column(0))).unwrap(), certified)
}

/// Fewest digits of the parameters and of their standard deviations.
fn worst(fit: &Fit, certified: &Certified) -> (f64, f64) {
    let least = |found: &[f64], right: &[f64]| {
        assert_eq!(found.len(), right.len());
        found.iter().zip(right).map(|(found, right)| digits(*found, *right)).fold(16.0, f64::min)
    };
    (
        least(&fit.parameters, &certified.parameters),
        least(&fit.standard_errors().unwrap(), &certified.deviations),
    )
}

fn check(name: &str, text: &str, fit: impl Fn(&Pairs) -> Fit) {
    let (pairs, certified) = read(text);
    let fit = fit(&pairs);
    let (parameters, deviations) = worst(&fit, &certified);
    println!("{name}: {parameters:.1} digits of the parameters, {deviations:.1} of their deviations");
    assert!(parameters >= 12.0, "{name}: {parameters:.1} digits of the parameters: {:?}", fit.parameters);
    assert!(deviations >= 11.0, "{name}: {deviations:.1} digits of the deviations");
    assert!(
        digits(fit.residual_std.unwrap(), certified.residual_std) >= 11.0,
        "{name}: {:?}",
        fit.residual_std
    );
    assert!(digits(fit.r_squared.unwrap(), certified.r_squared) >= 11.0, "{name}: {:?}", fit.r_squared);
    let curve = fit.curve(&pairs).unwrap();
    let largest = pairs.y().iter().fold(0.0, |most: f64, y| most.max(y.abs()));
    let mut rss = 0.0;
    for (at, y) in pairs.y().iter().enumerate() {
        rss += (y - curve.value(&pairs, at)).powi(2);
    }
    assert!(
        (rss.sqrt() - fit.rss.unwrap().sqrt()).abs() < 1e-13 * largest,
        "{name}: the stage does what was fitted"
    );
}

fn of_degree(degree: usize) -> impl Fn(&Pairs) -> Fit {
    move |pairs| polynomial::fit(pairs, degree, &Options::default()).unwrap()
}

#[test]
fn lines_and_parabolas() {
    check("Norris", data!("Norris"), |pairs| affine::fit(pairs, &Options::default()).unwrap());
    check("Norris", data!("Norris"), of_degree(1));
    check("Pontius", data!("Pontius"), of_degree(2));
}

#[test]
fn through_the_origin() {
    let options = Options { intercept: false, ..Options::default() };
    check("NoInt1", data!("NoInt1"), |pairs| multilinear::fit(pairs, &options).unwrap());
    check("NoInt2", data!("NoInt2"), |pairs| multilinear::fit(pairs, &options).unwrap());
}

#[test]
fn six_columns_that_follow_each_other() {
    check("Longley", data!("Longley"), |pairs| multilinear::fit(pairs, &Options::default()).unwrap());
}

#[test]
fn polynomials_of_degree_five() {
    check("Wampler1", data!("Wampler1"), of_degree(5));
    check("Wampler2", data!("Wampler2"), of_degree(5));
    check("Wampler3", data!("Wampler3"), of_degree(5));
    check("Wampler4", data!("Wampler4"), of_degree(5));
    check("Wampler5", data!("Wampler5"), of_degree(5));
}

#[test]
fn a_polynomial_of_degree_ten() {
    check("Filip", data!("Filip"), of_degree(10));
}

/// The same data so often that doubles do the work: an error counts in parts of the parameter or of its
/// standard deviation, whichever is larger, because rounding is spread like noise.
#[test]
fn doubles_with_corrections_lose_nothing() {
    for (text, degree) in
        [(data!("Norris"), 1), (data!("Pontius"), 2), (data!("Wampler4"), 5), (data!("Filip"), 10)]
    {
        let (pairs, certified) = read(text);
        let places: Vec<usize> = (0..20_000 / pairs.len() * pairs.len()).map(|at| at % pairs.len()).collect();
        let fit = polynomial::fit(&pairs.select(&places).unwrap(), degree, &Options::default()).unwrap();
        let deviations = fit.standard_errors().unwrap();
        for ((found, right), deviation) in fit.parameters.iter().zip(&certified.parameters).zip(deviations) {
            let error = (found - right).abs() / right.abs().max(deviation);
            assert!(error < 1e-12, "degree {degree}: {found} instead of {right}");
        }
    }
}
