//! Bad data, every method: an error with place and remedy, or a result that is all numbers.

use serde_json::Value;

use crate::support::desk::{Desk, stderr};

/// What is fitted to x, y and the uncertainties of both.
const VALUES: [&str; 19] = [
    "offset",
    "affine",
    "polynomial:2",
    "polynomial:5",
    "piecewise:1",
    "piecewise:3",
    "pchip",
    "isotonic",
    "multilinear",
    "deming",
    "york",
    "theil-sen",
    "huber",
    "rational:1/1",
    "exponential",
    "saturation",
    "power",
    "logistic",
    "auto",
];
/// What is fitted to x and labels.
const LABELS: [&str; 6] = ["platt", "temperature", "beta", "histogram:4", "venn-abers", "isotonic"];

/// One of them is in every message.
const REMEDIES: [&str; 19] = [
    "add ",
    "take ",
    "mend ",
    "save ",
    "state ",
    "fill ",
    "say ",
    "correct ",
    "check ",
    "leave ",
    "give ",
    "name ",
    "write ",
    "exchange ",
    "count ",
    "choose ",
    "quote ",
    "start ",
    "average ",
];

/// Readings from 0.02 to 0.98 in no order, and a curve that rises and bends, with some noise.
fn rows(labels: bool) -> Vec<[f64; 4]> {
    let row = |at: u32| {
        let x = f64::from(at * 17 % 49 + 1) / 50.0;
        let noise = f64::from(at * 29 % 13) / 13.0 - 0.5;
        let y =
            if labels { f64::from(u8::from(x + noise > 0.5)) } else { 3.0 * x / (1.0 + x) + 0.02 * noise };
        [x, y, 0.01, 0.02]
    };
    (0..49).map(row).collect()
}

fn text(rows: &[[f64; 4]]) -> String {
    let line = |row: &[f64; 4]| row.map(|cell| cell.to_string()).join(",") + "\n";
    "x,y,ux,uy\n".to_owned() + &rows.iter().map(line).collect::<String>()
}

/// Every method, with whether it is fitted to labels.
fn methods() -> impl Iterator<Item = (&'static str, bool)> {
    VALUES.into_iter().map(|it| (it, false)).chain(LABELS.into_iter().map(|it| (it, true)))
}

fn args<'a>(file: &'a str, method: &'a str, labels: bool) -> Vec<&'a str> {
    let mut args = vec!["fit", file, "--method", method, "--x", "x"];
    args.extend(if labels { ["--label", "y"] } else { ["--y", "y"] });
    if method == "york" {
        args.extend(["--ux", "ux", "--uy", "uy"]);
    }
    args
}

/// That this is refused with these words and a remedy.
fn refused(desk: &Desk, args: &[&str], words: &[&str]) {
    let args = [args, &["--json"]].concat();
    let said = desk.refusal(&args);
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    for word in words {
        assert!(error.contains(word), "{args:?}: `{word}` is not in: {error}");
    }
    assert!(REMEDIES.iter().any(|remedy| said.contains(remedy)), "{args:?}: no remedy: {said}");
    for none in ["NaN", "panicked", "pipeline["] {
        assert!(!said.contains(none) || words.contains(&none), "{args:?}: {said}");
    }
}

/// That a fit has every number that is due: what is null has its reason in the notes.
fn is_sound(fit: &Value, labels: bool, about: &str) {
    let number = |name: &str| fit[name].as_f64().is_some_and(f64::is_finite);
    let all = |name: &str| fit[name].as_array().is_some_and(|list| list.iter().all(Value::is_f64));
    let notes = fit["notes"].to_string();
    let exact = notes.contains("as many parameters as pairs");
    assert!(number("n"), "{about}: {fit}");
    let table = fit["parameters"].as_array().unwrap().is_empty();
    if table {
        assert!(all("x") && all("y"), "{about}: {fit}");
    } else {
        assert!(all("parameters"), "{about}: {fit}");
        let known = exact || notes.contains("no covariance") || all("standard_errors");
        assert!(known, "{about}: {fit}");
    }
    // of 0 and 1 alone isotonic makes probabilities, whose residuals have no scatter of their own
    if !labels && fit["method"] != "isotonic" {
        assert!(number("rss"), "{about}: {fit}");
        assert!(exact || number("residual_std") && number("degrees_of_freedom"), "{about}: {fit}");
    }
    assert!(number("cross_validation_rmse") || notes.contains("not cross-validated"), "{about}: {fit}");
}

/// Runs a fit that may succeed, with a sound result, or be refused with a remedy.
fn sound_or_refused(desk: &Desk, file: &str, method: &str, labels: bool) -> bool {
    let args = [&args(file, method, labels)[..], &["--validation", "forward", "--json"]].concat();
    let output = desk.run(&args);
    if output.status.success() {
        let fit = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"));
        is_sound(&fit, labels, &format!("{args:?}"));
        assert!(!stderr(&output).contains("NaN"), "{args:?}: {}", stderr(&output));
    } else {
        refused(desk, &args[..args.len() - 1], &[]);
    }
    output.status.success()
}

#[test]
fn good_data_are_fitted_by_every_method() {
    let desk = Desk::new();
    for (method, labels) in methods() {
        desk.write("good.csv", text(&rows(labels)));
        assert!(sound_or_refused(&desk, "good.csv", method, labels), "{method}");
    }
}

#[test]
fn a_bad_cell_is_refused_at_its_line_and_column_by_every_method() {
    let desk = Desk::new();
    let cells: [(&str, &[&str]); 9] = [
        ("", &["missing", "--skip-missing"]),
        ("zwei", &["`zwei`", "--missing"]),
        ("inf", &["finite", "--missing"]),
        ("-inf", &["finite"]),
        ("NaN", &["`NaN`", "--missing", "NaN"]),
        ("1e400", &["finite"]),
        ("\"1,5\"", &["`1,5`", "--decimal ,"]),
        ("1;5", &["`1;5`"]),
        ("1e200", &["1e200", "1e150"]),
    ];
    for (method, labels) in methods() {
        for (at, column) in
            ["x", "y", "ux"].into_iter().enumerate().take(if method == "york" { 3 } else { 2 })
        {
            for (cell, words) in cells {
                let mut lines: Vec<String> = text(&rows(labels)).lines().map(str::to_owned).collect();
                let mut row: Vec<&str> = lines[8].split(',').collect();
                row[at] = cell;
                lines[8] = row.join(",");
                desk.write("bad.csv", lines.join("\n"));
                let place = format!("column `{column}`");
                let own: &[&str] =
                    if labels && cell == "1e200" && column == "y" { &["0 or 1"] } else { words };
                let own: &[&str] = if cell == "1e200" && column == "ux" { &["1e100"] } else { own };
                refused(
                    &desk,
                    &args("bad.csv", method, labels),
                    &[&["bad.csv: line 9", &place], own].concat(),
                );
            }
        }
    }
}

#[test]
fn bad_weights_and_uncertainties_are_refused_by_every_method() {
    let desk = Desk::new();
    for (method, labels) in methods() {
        for cell in ["0", "-1", "0.0e5"] {
            let with = |(at, line): (usize, &str)| match at {
                0 => format!("{line},w\n"),
                8 => format!("{line},{cell}\n"),
                _ => format!("{line},1\n"),
            };
            desk.write("w.csv", text(&rows(labels)).lines().enumerate().map(with).collect::<String>());
            for option in ["--weights", "--uy"] {
                if method == "york" && option == "--uy" {
                    continue;
                }
                let args = [&args("w.csv", method, labels)[..], &[option, "w"]].concat();
                refused(&desk, &args, &["line 9", "`w`", "above 0"]);
            }
        }
    }
}

#[test]
fn files_that_hold_no_table_are_refused_by_every_method() {
    let desk = Desk::new();
    let files: [(&str, &[u8], &[&str]); 10] = [
        ("empty", b"", &["line 1", "empty"]),
        ("blank", b"\n\n\n", &["empty"]),
        ("header only", b"x,y,ux,uy\n", &["no pairs"]),
        ("one column", b"x\n1\n2\n", &["`y`"]),
        ("two of a name", b"x,y,y,ux,uy\n1,2,3,1,1\n", &["`y` twice"]),
        ("open quote", b"x,y,ux,uy\n1,2,1,1\n\"3,4,1,1\n", &["line 3", "quote"]),
        ("too many cells", b"x,y,ux,uy\n1,2,1,1,5\n", &["line 2", "5 cells"]),
        ("Latin-1", b"x,y,ux,uy\n1,2,1,1\n1,2,1,1\xb5\n", &["line 3", "UTF-8"]),
        ("UTF-16", b"\xff\xfex\0,\0y\0\n\0", &["line 1", "UTF-8"]),
        ("NUL", b"x,y,ux,uy\n1,2,1,1\n3,\0,1,1\n", &["line 3", "`y`"]),
    ];
    for (method, labels) in methods() {
        for (_, bytes, words) in files {
            desk.write("bad.csv", bytes);
            refused(&desk, &args("bad.csv", method, labels), words);
        }
    }
    desk.write("long.csv", [b"x,y\n1,2\n".as_slice(), &[b'7'; 100_000]].concat());
    refused(&desk, &args("long.csv", "affine", false), &["line 3", "65536"]);
}

#[test]
fn too_few_pairs_are_refused_or_fitted_exactly() {
    let desk = Desk::new();
    for (method, labels) in methods() {
        for count in 1..7 {
            desk.write("few.csv", text(&rows(labels)[..count]));
            sound_or_refused(&desk, "few.csv", method, labels);
        }
    }
    for (method, needed) in [
        ("affine", 2),
        ("polynomial:5", 6),
        ("piecewise:3", 4),
        ("pchip", 2),
        ("multilinear", 2),
        ("deming", 3),
        ("york", 3),
        ("theil-sen", 3),
        ("huber", 3),
        ("rational:1/1", 3),
        ("exponential", 3),
        ("saturation", 2),
        ("power", 2),
        ("logistic", 3),
    ] {
        desk.write("few.csv", text(&rows(false)[..needed - 1]));
        let words = [&format!("needs at least {needed} pairs"), &format!("there are {}", needed - 1)[..]];
        refused(&desk, &args("few.csv", method, false), &words.map(|it| it as &str));
    }
}

#[test]
fn columns_that_never_change_are_refused_by_name() {
    let desk = Desk::new();
    for (method, labels) in methods() {
        let level = |column: usize, value: f64| {
            let mut rows = rows(labels);
            rows.iter_mut().for_each(|row| row[column] = value);
            text(&rows)
        };
        if method != "offset" && method != "temperature" {
            desk.write("x.csv", level(0, 0.5));
            refused(&desk, &args("x.csv", method, labels), &["column `x`"]);
        }
        for value in [0.0, 1.0] {
            desk.write("y.csv", level(1, value));
            match method {
                "offset" => assert!(sound_or_refused(&desk, "y.csv", method, labels)),
                _ if labels => {
                    refused(&desk, &args("y.csv", method, labels), &["column `y`", "every label is"]);
                }
                _ => refused(&desk, &args("y.csv", method, labels), &[]),
            }
        }
        if labels {
            desk.write("y.csv", level(1, 0.5));
            refused(&desk, &args("y.csv", method, labels), &["line 2", "column `y`", "0 or 1"]);
        }
    }
}

#[test]
fn repeated_x_are_refused_by_pchip_and_fitted_by_the_others() {
    let desk = Desk::new();
    for (method, labels) in methods() {
        let mut rows = rows(labels);
        rows[7][0] = rows[2][0];
        rows[0][0] = -0.0;
        rows[9][0] = 0.0;
        rows[20] = rows[19];
        desk.write("twice.csv", text(&rows));
        match method {
            "pchip" => refused(
                &desk,
                &args("twice.csv", method, labels),
                &["line 9", "`x`", "line 4", "piecewise:N", "average"],
            ),
            _ => {
                sound_or_refused(&desk, "twice.csv", method, labels);
            }
        }
    }
}

#[test]
fn shapes_that_no_curve_was_made_for_give_numbers_or_a_reason() {
    let desk = Desk::new();
    type Curve = fn(f64) -> [f64; 2];
    let shapes: [(&str, Curve); 14] = [
        ("exact line", |i| [i, 2.0 * i + 1.0]),
        ("identity", |i| [i, i]),
        ("far from zero", |i| [1e15 + i, i]),
        ("beyond its digits", |i| [1e16 + i, i]),
        ("falling", |i| [i, -3.0 * i + (i * 7.0) % 3.0]),
        ("parabola", |i| [i, (i - 15.0) * (i - 15.0)]),
        ("noise", |i| [(i * 7.0) % 31.0, (i * 13.0) % 29.0]),
        ("outlier", |i| [i, if i == 30.0 { 1e12 } else { 2.0 * i }]),
        ("negative", |i| [-i, i]),
        ("step", |i| [i, f64::from(u8::from(i > 15.0))]),
        ("huge", |i| [i * 1e148, i * 2e148]),
        ("small", |i| [i * 1e-148, i * 2e-148]),
        ("huge from small", |i| [i * 1e-148, i * 1e148]),
        ("two levels", |i| [f64::from(u8::from(i > 15.0)), i]),
    ];
    for (_, curve) in shapes {
        let rows: Vec<_> = (1..=30).map(f64::from).map(curve).map(|[x, y]| [x, y, 0.1, 0.2]).collect();
        desk.write("shape.csv", text(&rows));
        for method in VALUES {
            sound_or_refused(&desk, "shape.csv", method, false);
        }
    }
}

#[test]
fn scores_of_every_shape_give_numbers_or_a_reason() {
    let desk = Desk::new();
    type Score = fn(f64) -> [f64; 2];
    let shapes: [(&str, Score); 6] = [
        ("separable", |i| [i / 40.0, f64::from(u8::from(i > 20.0))]),
        ("turned round", |i| [i / 40.0, f64::from(u8::from(i < 20.0))]),
        ("ends only", |i| [i % 2.0, f64::from(u8::from(i % 3.0 > 0.5))]),
        ("logits", |i| [i - 20.0, f64::from(u8::from((i * 7.0) % 40.0 < i))]),
        ("huge", |i| [(i - 20.0) * 1e148, f64::from(u8::from((i * 7.0) % 40.0 < i))]),
        ("small", |i| [i * 1e-148, f64::from(u8::from((i * 7.0) % 40.0 < i))]),
    ];
    for (_, score) in shapes {
        let rows: Vec<_> = (1..=40).map(f64::from).map(score).map(|[x, y]| [x, y, 0.1, 0.2]).collect();
        desk.write("shape.csv", text(&rows));
        for method in LABELS.into_iter().chain(["auto"]) {
            sound_or_refused(&desk, "shape.csv", method, true);
        }
    }
}

#[test]
fn a_score_outside_of_0_to_1_is_no_probability() {
    let desk = Desk::new();
    for score in ["1.0001", "-0.5"] {
        let mut lines: Vec<String> = text(&rows(true)).lines().map(str::to_owned).collect();
        let rest = lines[8].split_once(',').unwrap().1.to_owned();
        lines[8] = format!("{score},{rest}");
        desk.write("p.csv", lines.join("\n"));
        refused(&desk, &args("p.csv", "beta", true), &["line 9", "`x`", "from 0 to 1", score, "platt"]);
        let output = desk.run(&args("p.csv", "histogram:4", true));
        assert!(
            output.status.success() && stderr(&output).contains("no probabilities"),
            "{}",
            stderr(&output)
        );
        let output = desk.run(&args("p.csv", "auto", true));
        assert!(stderr(&output).contains("line 9") || !output.status.success(), "{}", stderr(&output));
    }
}

#[test]
fn collinear_columns_are_refused_by_name() {
    let desk = Desk::new();
    type Columns = fn(f64) -> [f64; 2];
    let columns: [(&str, Columns); 5] = [
        ("`b`", |i| [i, 2.0 * i + 1.0]),
        ("`b`", |i| [i, 5.0]),
        ("`b`", |i| [(i * 7.0) % 31.0, 1e9 - 3.0 * ((i * 7.0) % 31.0)]),
        ("`b`", |i| [i / 3.0, i / 3.0 + 1e-17]),
        ("`a`", |i| [7.0, i]),
    ];
    for (name, of) in columns {
        let row = |i: u32| {
            let [a, b] = of(f64::from(i));
            format!("{a},{b},{}\n", i * i)
        };
        desk.write("c.csv", "a,b,y\n".to_owned() + &(0..30).map(row).collect::<String>());
        let base = ["fit", "c.csv", "--x", "a", "--x", "b", "--y", "y", "--method"];
        refused(&desk, &[&base[..], &["multilinear"]].concat(), &["column", name]);
        for method in ["affine", "york", "pchip", "power", "platt", "isotonic"] {
            refused(&desk, &[&base[..], &[method]].concat(), &[method]);
        }
    }
}

#[test]
fn spellings_of_one_table_give_one_result_with_every_method() {
    let desk = Desk::new();
    for (method, labels) in methods() {
        let plain = text(&rows(labels));
        desk.write("plain.csv", &plain);
        let german =
            |line: &str| format!("\"no;te\n\"\"\";{};\r\n", line.replace(',', ";").replace('.', ","));
        let rest: String = plain.lines().skip(1).map(german).collect();
        desk.write("german.csv", format!("\u{feff}note;\"x\";y; ux ;uy;\r\n{rest};;;;;\r\n\r\n"));
        let quoted = |line: &str| format!("\"{}\"\t\n", line.replace(',', "\"\t\""));
        desk.write("tabs.csv", plain.lines().map(quoted).collect::<String>());
        let of = |file| desk.json(&args(file, method, labels));
        let wanted = of("plain.csv");
        for file in ["german.csv", "tabs.csv"] {
            assert_eq!(of(file), wanted, "{method} {file}");
        }
    }
}
