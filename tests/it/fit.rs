//! `calibctl fit` on files.

mod written;

use std::fs;

use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::compile;
use serde_json::Value;

use crate::house::files::repository;
use crate::support::desk::{Desk, shipped, stderr};

fn norris() -> String {
    shipped("docs/examples/norris.csv")
}

/// Whether they agree to so many digits.
fn near(value: &Value, certified: f64, digits: i32) {
    let value = value.as_f64().unwrap();
    let agreement = -((value - certified) / certified).abs().log10();
    assert!(agreement >= f64::from(digits), "{value} is not {certified} to {digits} digits");
}

fn is_certified(fit: &Value) {
    near(&fit["parameters"][0], -0.262323073774029, 12);
    near(&fit["parameters"][1], 1.00211681802045, 12);
    near(&fit["standard_errors"][0], 0.232818234301152, 11);
    near(&fit["standard_errors"][1], 0.429796848199937e-3, 11);
    near(&fit["residual_std"], 0.884796396144373, 11);
    near(&fit["r_squared"], 0.999993745883712, 12);
    near(&fit["rss"], 26.6173985294224, 11);
    assert_eq!((fit["n"].as_u64(), fit["degrees_of_freedom"].as_f64()), (Some(36), Some(34.0)));
}

#[test]
fn the_shipped_example_is_the_set_of_nist() {
    let numbers = |text: &str| -> Vec<f64> {
        text.split([' ', ',', '\r'])
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().unwrap())
            .collect()
    };
    let set = fs::read_to_string(repository().join("tests/data/nist_lls/Norris.dat")).unwrap();
    let set: Vec<Vec<f64>> =
        set.lines().skip(60).take(36).map(numbers).map(|row| vec![row[1], row[0]]).collect();
    let shipped = fs::read_to_string(norris()).unwrap();
    let shipped: Vec<Vec<f64>> = shipped.lines().skip(1).map(numbers).collect();
    assert_eq!(shipped, set);
}

#[test]
fn the_readmes_line_reproduces_the_certified_values() {
    let line = crate::house::readme_command("fit");
    let args: Vec<&str> = line.strip_prefix("calibctl ").unwrap().split(' ').collect();
    let mut command = Desk::new().command(&args);
    let output = command.current_dir(repository()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    for figure in ["-0.262323073774", "1.00211681802", "0.2328182343", "0.00042979684", "0.88479639614"] {
        assert!(text.contains(figure), "`{figure}` is not in\n{text}");
    }
    is_certified(&Desk::new().json(&["fit", &norris(), "--method", "affine"]));
}

#[test]
fn the_json_has_the_fields_of_the_interface() {
    let fit = Desk::new().json(&["fit", &norris(), "--method", "affine"]);
    let fields = fit.as_object().unwrap();
    for name in [
        "method",
        "parameters",
        "parameter_names",
        "standard_errors",
        "covariance",
        "residual_std",
        "degrees_of_freedom",
        "r_squared",
        "rss",
        "aicc",
        "cross_validation_rmse",
        "n",
        "n_effective",
        "lag1_autocorrelation",
        "x",
        "y",
        "holdout",
        "skipped",
        "notes",
    ] {
        assert!(fields.contains_key(name), "{name}");
    }
    assert_eq!(fit["parameters"].as_array().unwrap().len(), fit["parameter_names"].as_array().unwrap().len());
    assert_eq!(fit["covariance"][0].as_array().unwrap().len(), 2);
    assert!(fit["x"].is_null());
}

#[test]
fn a_file_as_a_spreadsheet_writes_it_gives_the_same_to_the_last_bit() {
    let desk = Desk::new();
    let plain = fs::read_to_string(norris()).unwrap();
    let row = |line: &str| format!("\"a;\"\"b\"\"\nc\";{};;\r\n", line.replace(',', ";").replace('.', ","));
    let rows: String = plain.lines().skip(1).map(row).collect();
    desk.write("excel.csv", format!("\u{feff}note;\"raw; mV\";reference;;\r\n{rows};;;;\r\n;;;;\r\n"));
    let wanted = desk.json(&["fit", &norris(), "--method", "affine"]);
    let fit = desk.json(&["fit", "excel.csv", "--method", "affine", "--x", "raw; mV", "--y", "reference"]);
    assert_eq!(fit["parameters"], wanted["parameters"]);
    assert_eq!(fit["covariance"], wanted["covariance"]);
}

#[test]
fn held_out_rows_are_the_last_in_time_and_are_scored() {
    let desk = Desk::new();
    // y = 2 x, but for the last two in time, which stand first: y = 2 x + 1.
    let mut text = "t,x,y\n2026-01-02T00:00:00Z,1,3\n2026-01-02T01:00:00Z,5,11\n".to_owned();
    for at in 0..8 {
        text.push_str(&format!("2026-01-01T0{at}:00:00Z,{at},{}\n", 2 * at));
    }
    desk.write("t.csv", text);
    let args =
        ["fit", "t.csv", "--method", "affine", "--x", "x", "--y", "y", "--time", "t", "--holdout", "0.2"];
    let fit = desk.json(&args);
    assert_eq!((fit["n"].as_u64(), fit["holdout"]["n"].as_u64()), (Some(8), Some(2)));
    assert!((fit["holdout"]["bias"].as_f64().unwrap() + 1.0).abs() < 1e-9, "{fit}");
    assert!((fit["holdout"]["rmse"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    for share in ["0", "1", "0.01", "-1", "nan"] {
        desk.refuses(&[&args[..10], &[&format!("--holdout={share}")]].concat(), &["--holdout", "share"]);
    }
}

#[test]
fn another_file_may_judge() {
    let desk = Desk::new();
    desk.write("t.csv", "a,x,y,u\n0,1,2,1\n0,2,4,1\n0,5,10,2\n");
    desk.write("later.csv", "y,x\n7,3\n,4\n9,4\n");
    let args = ["fit", "t.csv", "--method", "affine", "--x", "x", "--y", "y", "--uy", "u", "--skip-missing"];
    let fit = desk.json(&[&args[..], &["--holdout", "later.csv"]].concat());
    assert_eq!((fit["n"].as_u64(), fit["holdout"]["n"].as_u64()), (Some(3), Some(2)));
    assert!((fit["holdout"]["bias"].as_f64().unwrap() + 1.0).abs() < 1e-9, "{fit}");
    assert_eq!(fit["skipped"], 1);
    desk.write("odd.csv", "y\n7\n");
    desk.refuses(&[&args[..], &["--holdout", "odd.csv"]].concat(), &["odd.csv"]);
    desk.refuses(&[&args[..], &["--holdout", "none.csv"]].concat(), &["none.csv"]);
}

#[test]
fn bad_input_is_refused_with_its_place_and_a_remedy() {
    let desk = Desk::new();
    let cases: [(&str, &str, &[&str], &[&str]); 16] = [
        ("empty", "", &["affine"], &["bad.csv", "line 1", "header"]),
        ("no rows", "x,y\n", &["affine"], &["bad.csv", "rows"]),
        ("missing", "x,y\n1,2\n3,\n", &["affine"], &["line 3", "`y`", "--skip-missing"]),
        ("text", "x,y\n1,2\nzwei,3\n", &["affine"], &["line 3", "`x`", "`zwei`", "--missing"]),
        ("infinite", "x,y\n1,2\n3,inf\n4,5\n", &["affine"], &["line 3", "`y`", "finite"]),
        ("too large", "x,y\n1,2\n3,1e999\n4,5\n", &["affine"], &["line 3", "`y`", "finite"]),
        ("decimal comma", "x,y\n\"1,5\",2\n", &["affine"], &["line 2", "`x`", "--decimal ,"]),
        ("one pair", "x,y\n1,2\n", &["affine"], &["pairs"]),
        ("few pairs", "x,y\n1,2\n2,3\n3,5\n", &["polynomial:4"], &["polynomial:4", "pairs"]),
        ("equal x", "x,y\n1,2\n1,3\n1,5\n", &["affine"], &["`x`"]),
        ("no column", "x,y\n1,2\n", &["affine", "--x", "z"], &["`z`", "`x`, `y`"]),
        ("no method", "x,y\n1,2\n", &["cubic"], &["cubic", "polynomial:N"]),
        (
            "zero weight",
            "x,y,w\n1,2,1\n2,3,0\n3,4,1\n",
            &["affine", "--weights", "w"],
            &["line 3", "`w`", "above 0"],
        ),
        ("zero u", "x,y,u\n1,2,1\n2,3,0\n3,4,1\n", &["affine", "--uy", "u"], &["line 3", "`u`", "above 0"]),
        ("open quote", "x,y\n1,2\n\"3,4\n", &["affine"], &["line 3", "quote"]),
        ("one column", "x\n1\n2\n", &["affine"], &["1 column", "--separator"]),
    ];
    for (name, text, args, words) in cases {
        desk.write("bad.csv", text);
        let args = [&["fit", "bad.csv", "--json", "--method"], args].concat();
        desk.refuses(&args, words);
        assert!(!desk.path("t.json").exists(), "{name}");
    }
    desk.refuses(&["fit", "none.csv", "--method", "affine"], &["none.csv"]);
}

#[test]
fn data_that_support_no_such_fit_are_refused() {
    let desk = Desk::new();
    let collinear: String = (0..9).map(|at| format!("{at},{},{}\n", 2 * at + 1, at * at)).collect();
    desk.write("collinear.csv", format!("a,b,y\n{collinear}"));
    let args = ["fit", "collinear.csv", "--method", "multilinear", "--x", "a", "--x", "b", "--y", "y"];
    desk.refuses(&args, &["`b`"]);
    let labels = |label: fn(usize) -> f64| -> String {
        let rows = (0..40).map(|at| format!("{},{}\n", at as f64 / 40.0, label(at)));
        ["p,label\n".to_owned()].into_iter().chain(rows).collect()
    };
    desk.write("ones.csv", labels(|_| 1.0));
    desk.write("odd.csv", labels(|at| if at == 7 { 0.5 } else { f64::from(u8::from(at > 20)) }));
    desk.write("outside.csv", labels(|at| f64::from(u8::from(at > 20))).replace("0.95,", "1.5,"));
    for method in ["platt", "beta", "temperature"] {
        desk.refuses(&["fit", "ones.csv", "--method", method, "--label", "label"], &["label"]);
    }
    desk.refuses(&["fit", "odd.csv", "--method", "platt", "--label", "label"], &["line 9", "`label`"]);
    desk.refuses(&["fit", "outside.csv", "--method", "beta", "--label", "label"], &["line 40", "`p`"]);
    desk.write("twice.csv", "x,y\n1,2\n1,3\n2,4\n");
    desk.refuses(&["fit", "twice.csv", "--method", "pchip"], &["line 3", "`x`"]);
}

#[test]
fn skipped_rows_are_counted_and_said() {
    let desk = Desk::new();
    desk.write("t.csv", "x,y\n1,2\n2,-200\n3,4\n4,5\n5,\n6,7\n");
    let args = ["fit", "t.csv", "--method", "affine", "--missing", "-200", "--skip-missing"];
    assert_eq!(desk.json(&args)["skipped"], 2);
    assert!(stderr(&desk.run(&args)).contains("left out because a needed cell was missing: 2"));
}

/// A line with some noise, its rows in this order.
fn line_of(order: impl Iterator<Item = u32>) -> String {
    let row = |at: u32| format!("{at},{}\n", 2.0 * f64::from(at) + 1.0 + f64::from(at * 7 % 5) / 10.0);
    "x,y\n".to_owned() + &order.map(row).collect::<String>()
}

#[test]
fn sorted_rows_are_points_of_a_session_unless_said_otherwise() {
    let desk = Desk::new();
    desk.write("up.csv", line_of(0..20));
    desk.write("down.csv", line_of((0..20).rev()));
    desk.write("mixed.csv", line_of((0..20).map(|at| at * 7 % 20)));
    desk.write("long.csv", line_of(0..501));
    let rmse = |more: &[&str]| {
        let args = [&["fit"], more, &["--method", "affine"]].concat();
        let fit = desk.json(&args);
        let says = fit["notes"].to_string().contains("points of one session");
        assert_eq!(says, stderr(&desk.run(&args)).contains("--validation forward"), "{more:?}");
        (fit["cross_validation_rmse"].as_f64().unwrap(), says)
    };
    let (left_out, _) = rmse(&["up.csv", "--validation", "leave-one-out"]);
    let (forward, _) = rmse(&["up.csv", "--validation", "forward"]);
    assert!(left_out != forward);
    assert_eq!(rmse(&["up.csv"]), (left_out, true));
    let (down, says) = rmse(&["down.csv"]);
    assert!(says && (down - left_out).abs() < 1e-12);
    assert_eq!(rmse(&["up.csv", "--folds", "5"]), (forward, false));
    assert!(!rmse(&["mixed.csv"]).1 && !rmse(&["long.csv"]).1);
    // A column of times says what follows what.
    assert!(!rmse(&["up.csv", "--time", "x", "--x", "x", "--y", "y"]).1);
    desk.refuses(
        &["fit", "up.csv", "--method", "affine", "--folds", "3", "--validation", "leave-one-out"],
        &["--folds"],
    );
}

#[test]
fn an_earlier_fit_makes_three_pairs_enough() {
    let desk = Desk::new();
    desk.write("first.csv", line_of((0..40).map(|at| at * 7 % 40)));
    desk.write("three.csv", "x,y\n10,21.9\n10.5,22.1\n11,24.3\n");
    let affine = ["--method", "affine"];
    desk.write("first.json", desk.done(&[&["fit", "first.csv", "--json"], &affine[..]].concat()));
    let alone = desk.json(&[&["fit", "three.csv"], &affine[..]].concat());
    let prior = [&["fit", "three.csv", "--prior", "first.json"], &affine[..]].concat();
    let fit = desk.json(&prior);
    let number = |fit: &Value, name: &str, at: usize| fit[name][at].as_f64().unwrap();
    assert!((number(&fit, "parameters", 1) - 2.0).abs() < 0.01, "{fit}");
    assert!(number(&fit, "standard_errors", 1) < 0.01 * number(&alone, "standard_errors", 1), "{fit}");
    assert_eq!((fit["n"].as_u64(), fit["degrees_of_freedom"].as_f64()), (Some(3), Some(41.0)));
    // The pairs that are left out are predicted by prior and the other two: much better than by two alone.
    let unseen = |fit: &Value| fit["cross_validation_rmse"].as_f64().unwrap();
    assert!(unseen(&fit) < 0.5 * unseen(&alone), "{fit} {alone}");
    // One after the other is both at once.
    let both = desk.read("first.csv") + "10,21.9\n10.5,22.1\n11,24.3\n";
    desk.write("both.csv", both);
    let both = desk.json(&[&["fit", "both.csv"], &affine[..]].concat());
    for name in ["parameters", "standard_errors"] {
        for at in 0..2 {
            let (a, b) = (number(&fit, name, at), number(&both, name, at));
            assert!((a - b).abs() < 1e-9 * a.abs(), "{name} {at}: {a} {b}");
        }
    }
    desk.done(&[&prior[..], &["--out", "t.json"]].concat());
    compile(&Transform::parse(desk.read("t.json").as_bytes()).unwrap()).unwrap();
}

#[test]
fn a_prior_of_several_columns_and_what_is_none() {
    let desk = Desk::new();
    let row = |at: i32| format!("{},{},{}\n", at * 7 % 11, at * 5 % 13, at * 7 % 11 - at * 5 % 13 + at % 2);
    desk.write("m.csv", "a,b,y\n".to_owned() + &(0..30).map(row).collect::<String>());
    let args = ["fit", "m.csv", "--method", "multilinear", "--x", "a", "--x", "b", "--y", "y"];
    let first = desk.json(&args);
    desk.write("m.json", first.to_string());
    let again = desk.json(&[&args[..], &["--prior", "m.json"]].concat());
    assert!(again["standard_errors"][1].as_f64().unwrap() < first["standard_errors"][1].as_f64().unwrap());

    let with = |field: &str, value: Value| {
        let mut broken = first.clone();
        broken[field] = value;
        broken.to_string()
    };
    let null = Value::Null;
    let cases: [(String, &str); 12] = [
        (String::new(), "bad.json"),
        ("[]".to_owned(), "bad.json"),
        ("{}".to_owned(), "parameters"),
        (with("parameters", serde_json::json!(["1"])), "parameters[0]"),
        (with("parameters", serde_json::json!([1.0, 2.0])), "parameter_names"),
        (with("parameter_names", serde_json::json!(["a", "b", "c"])), "expected a, b1, b2, found a, b, c"),
        (with("covariance", null.clone()), "covariance: is needed"),
        (with("covariance", serde_json::json!([[1.0]])), "covariance: expected as many"),
        (
            with("covariance", serde_json::json!([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]])),
            "covariance: expected a symmetric",
        ),
        (with("residual_std", serde_json::json!(0.0)), "residual_std: expected a number above 0"),
        (with("residual_std", null.clone()), "residual_std: is needed"),
        (with("degrees_of_freedom", null), "degrees_of_freedom: is needed"),
    ];
    for (text, words) in cases {
        desk.write("bad.json", text);
        desk.refuses(&[&args[..], &["--prior", "bad.json"]].concat(), &["bad.json", words, "give"]);
    }
    desk.refuses(&[&args[..], &["--prior", "none.json"]].concat(), &["none.json"]);
    let base = ["fit", "m.csv", "--x", "a", "--y", "y", "--prior", "m.json", "--method"];
    desk.refuses(&[&base[..], &["affine"]].concat(), &["m.json: parameter_names: expected a, b"]);
    for method in ["auto", "huber", "polynomial:2", "platt", "offset"] {
        desk.refuses(&[&base[..], &[method]].concat(), &["--prior", method, "affine or multilinear"]);
    }
    for option in [&["--no-intercept"][..], &["--covariance", "hac"], &["--direction", "sensor-on-reference"]]
    {
        desk.refuses(&[&args[..], &["--prior", "m.json"], option].concat(), &["prior", "leave that out"]);
    }
}

#[test]
fn isotonic_falls_only_where_it_is_asked_to() {
    let desk = Desk::new();
    desk.write("falling.csv", "ohm,degrees\n100,40\n200,31\n300,33\n400,12\n");
    let falling = desk.json(&["fit", "falling.csv", "--method", "isotonic", "--falling"]);
    assert_eq!(falling["y"], serde_json::json!([40.0, 32.0, 32.0, 12.0]));
    let rising = desk.json(&["fit", "falling.csv", "--method", "isotonic"]);
    assert!(rising["notes"].to_string().contains("ask for a falling trend"), "{}", rising["notes"]);
    desk.refuses(&["fit", "falling.csv", "--method", "affine", "--falling"], &["affine", "trend"]);
}
