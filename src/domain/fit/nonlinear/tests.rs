//! Tests of the families: certified sets with own starts, exact data, invariances, bad data.

use super::nist::{certified, digits};
use crate::domain::fit::method::{Method, Options};
use crate::domain::fit::{Column, Fit, FitError, Pairs};

fn pairs(x: &[f64], y: &[f64]) -> Pairs {
    Pairs::new(vec![Column::new("x", x.to_vec())], Column::new("y", y.to_vec())).unwrap()
}

fn fit_with(method: Method, pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    match method {
        Method::Exponential => super::exponential::fit(pairs, options),
        Method::Saturation => super::saturation::fit(pairs, options),
        Method::Power => super::power::fit(pairs, options),
        Method::Logistic => super::logistic::fit(pairs, options),
        Method::Rational(above, below) => super::rational::fit(pairs, above, below, options),
        _ => panic!("{method}"),
    }
}

fn fit(method: Method, pairs: &Pairs) -> Result<Fit, FitError> {
    fit_with(method, pairs, &Options::default())
}

const CERTIFIED: [(&str, Method); 7] = [
    ("Misra1a", Method::Saturation),
    ("BoxBOD", Method::Saturation),
    ("DanWood", Method::Power),
    ("Rat42", Method::Logistic),
    ("Hahn1", Method::Rational(3, 3)),
    ("Thurber", Method::Rational(3, 3)),
    ("Kirby2", Method::Rational(2, 2)),
];

#[test]
fn certified_sets_from_own_starts_and_from_given_ones() {
    for (name, method) in CERTIFIED {
        let set = certified(name);
        let x: Vec<f64> = set.x.iter().map(|x| x[0]).collect();
        let pairs = pairs(&x, &set.y);
        for start in [None, Some(set.start1.clone()), Some(set.start2.clone())] {
            let options = Options { start: start.clone(), ..Options::default() };
            let fit = fit_with(method, &pairs, &options)
                .unwrap_or_else(|error| panic!("{name} {start:?}: {error}"));
            let all = [
                digits(&fit.parameters, &set.beta),
                digits(&fit.standard_errors().unwrap(), &set.sd),
                digits(&[fit.rss.unwrap()], &[set.rss]),
            ];
            println!("{name} {start:?} {all:.1?}");
            assert!(all.iter().all(|digits| *digits >= 8.5), "{name} {start:?}: {all:?}");
        }
    }
}
