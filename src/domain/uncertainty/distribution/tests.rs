use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn goldens(name: &str) -> Vec<Value> {
    let text = include_str!("../../../../tests/data/goldens/uncertainty.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all[name].as_array().unwrap().clone()
}

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap()
}

fn close(found: f64, wanted: f64, digits: f64, what: &str) {
    let off = (found - wanted).abs();
    assert!(off <= digits * wanted.abs(), "{what}: {found:e}, expected {wanted:e}, off {:e}", off / wanted);
}

#[test]
fn quantiles_are_those_of_the_goldens() {
    for row in goldens("chi2") {
        let found = chi_squared_quantile(number(&row, "p"), number(&row, "dof"));
        close(found, number(&row, "x"), 1e-12, &row.to_string());
    }
    for row in goldens("F") {
        let found = f_quantile(number(&row, "p"), number(&row, "d1"), number(&row, "d2"));
        close(found, number(&row, "x"), 1e-12, &row.to_string());
    }
    for row in goldens("normal") {
        let found = normal_quantile(0.5 + number(&row, "p") / 2.0);
        close(found, number(&row, "k"), 1e-12, &row.to_string());
    }
    let rows = goldens("t_quantiles");
    assert_eq!(rows.len(), 114);
    for row in rows {
        let found = student_quantile(0.5 + number(&row, "p") / 2.0, number(&row, "dof"));
        close(found, number(&row, "k"), 1e-12, &row.to_string());
    }
}

// computed with mpmath at 40 digits
#[test]
fn ln_gamma_is_exact() {
    let rows = [
        (1e-8, 18.42068073818021),
        (0.1, 2.252712651734206),
        (0.5, 0.5723649429247001),
        (0.9, 0.06637623973474296),
        (1.5, -0.12078223763524522),
        (3.7, 1.428072326665388),
        (9.99, 12.779315214350193),
        (10.5, 13.940625219403764),
        (57.25, 173.36191283062724),
        (1234.5, 7550.550901077895),
        (5e5, 6061176.046459176),
        (1e9, 19723265827.503716),
    ];
    for (z, wanted) in rows {
        let off = (ln_gamma(z) - wanted).abs();
        assert!(off <= 1e-14 * f64::max(wanted.abs(), 1.0), "ln_gamma({z}) off {off:e}");
    }
}

#[test]
fn tails_keep_their_digits() {
    let student_rows = [
        (0.001, 3.0, 0.49963244748473046),
        (0.7, 1.5, 0.28821912044134335),
        (2.0, 2.7, 0.074711719035251),
        (5.0, 7.31, 0.0006885892273201552),
        (40.0, 4.0, 1.1670081613006343e-06),
        (1e-9, 12.0, 0.4999999996092737),
        (12.0, 1234.5, 9.261619423081789e-32),
        (3.0, 0.3, 0.25066884484380975),
        (1.96, 123456.7, 0.02499901817185551),
    ];
    for (t, dof, upper) in student_rows {
        close(student(t, dof).upper, upper, 1e-12, &format!("t {t} {dof}"));
        close(student(-t, dof).lower, upper, 1e-12, &format!("t -{t} {dof}"));
    }
    let chi_rows = [
        (0.01, 0.3, 0.4837955343018532, 0.5162044656981468),
        (1.0, 1.0, 0.6826894921370859, 0.3173105078629141),
        (3.5, 4.2, 0.4915275557909798, 0.5084724442090202),
        (100.0, 60.0, 0.999083171138544, 0.0009168288614560798),
        (1000.0, 900.5, 0.9886656763049984, 0.011334323695001694),
        (250.0, 60.0, 1.0, 4.9017479615631475e-25),
        (1e-5, 5.0, 1.6820823405667358e-14, 0.9999999999999831),
        (99000.0, 1e5, 0.012478315638082799, 0.9875216843619172),
    ];
    for (x, dof, lower, upper) in chi_rows {
        close(chi_squared(x, dof).lower, lower, 1e-12, &format!("chi2 {x} {dof}"));
        close(chi_squared(x, dof).upper, upper, 1e-12, &format!("chi2 {x} {dof}"));
    }
    let f_rows = [
        (0.2, 2.5, 7.0, 0.13587708999083747, 0.8641229100091625),
        (1.0, 10.0, 10.0, 0.5, 0.5),
        (4.0, 3.0, 31.7, 0.9840466374755968, 0.015953362524403124),
        (1.2, 500.0, 700.5, 0.9866360865692876, 0.013363913430712438),
        (100.0, 1.0, 5.0, 0.999829052424257, 0.0001709475757429636),
    ];
    for (x, a, b, lower, upper) in f_rows {
        close(f_distribution(x, a, b).lower, lower, 1e-12, &format!("F {x} {a} {b}"));
        close(f_distribution(x, a, b).upper, upper, 1e-12, &format!("F {x} {a} {b}"));
    }
    let normal_rows = [
        (1e-6, 0.4999996010577196),
        (0.5, 0.3085375387259869),
        (1.96, 0.024997895148220435),
        (5.0, 2.866515718791939e-07),
        (30.0, 4.906713927148187e-198),
    ];
    for (z, upper) in normal_rows {
        close(normal(z).upper, upper, 1e-12, &format!("normal {z}"));
    }
}

#[test]
fn the_ends_are_the_ends() {
    assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(normal_quantile(1.0), f64::INFINITY);
    assert_eq!(normal_quantile(0.5), 0.0);
    assert_eq!(student_quantile(0.5, 3.0), 0.0);
    assert_eq!(chi_squared_quantile(0.0, 4.0), 0.0);
    assert_eq!(f_quantile(1.0, 4.0, 4.0), f64::INFINITY);
    assert_eq!(normal(f64::INFINITY), Tails { lower: 1.0, upper: 0.0 });
    assert_eq!(student(f64::NEG_INFINITY, 5.0), Tails { lower: 0.0, upper: 1.0 });
    assert_eq!(f_distribution(f64::INFINITY, 2.0, 2.0).upper, 0.0);
    assert_eq!(chi_squared(-1.0, 2.0), Tails { lower: 0.0, upper: 1.0 });
}

#[test]
fn many_degrees_of_freedom_join_the_normal() {
    let at = |dof| student_quantile(0.975, dof) / normal_quantile(0.975) - 1.0;
    assert!(at(INFINITE).abs() < 1e-15);
    // the first term of the Cornish-Fisher expansion: (z^2 + 1) / (4 dof); the second is 1.4 / dof^2
    for dof in [1e5, 1e6, INFINITE * 0.99] {
        let expected = (1.959963984540054f64.powi(2) + 1.0) / (4.0 * dof);
        assert!(
            (at(dof) - expected).abs() < 2.0 / dof / dof + 1e-14,
            "{dof}: {:e}, expected {expected:e}",
            at(dof)
        );
    }
}

proptest! {
    #[test]
    fn quantiles_invert_probabilities(p in 1e-6..0.999999f64, a in 0.3..500.0f64, b in 0.3..500.0f64) {
        let off = |tails: Tails| (tails.lower - p).abs() / p.min(1.0 - p);
        prop_assert!(off(normal(normal_quantile(p))) < 1e-11);
        prop_assert!(off(student(student_quantile(p, a), a)) < 1e-11);
        prop_assert!(off(chi_squared(chi_squared_quantile(p, a), a)) < 1e-11);
        prop_assert!(off(f_distribution(f_quantile(p, a, b), a, b)) < 1e-11);
    }

    #[test]
    fn probabilities_rise_and_add_up(x in -40.0..40.0f64, step in 0.0..5.0f64, dof in 0.1..1e4f64) {
        for at in [|x, _| normal(x), student, |x: f64, dof| chi_squared(x * x, dof)] {
            let (here, there) = (at(x.abs(), dof), at(x.abs() + step, dof));
            prop_assert!(here.lower <= there.lower * (1.0 + 1e-13));
            prop_assert!(here.upper >= there.upper * (1.0 - 1e-13));
            prop_assert!((here.lower + here.upper - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn no_number_hangs_or_panics(x in any::<f64>(), a in any::<f64>(), b in any::<f64>()) {
        let _ = (student(x, a), chi_squared(x, a), f_distribution(x, a, b), normal(x), ln_gamma(x));
        let _ = (student_quantile(x, a), chi_squared_quantile(x, a), f_quantile(x, a, b));
    }
}
