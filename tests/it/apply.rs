//! `calibctl apply` on files and streams.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::desk::{Desk, stderr};

fn transform(pipeline: serde_json::Value) -> String {
    json!({
        "schema": 1, "id": "co", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
        "quantity": "carbon monoxide", "input_unit": "mV", "output_unit": "mg/m3", "pipeline": pipeline,
        "domain": {"input": [0, 100]}, "uncertainty": {"residual_std": 0.5},
        "issued_at": "2026-11-22T00:00:00Z", "expires": "2036-11-22T00:00:00Z",
    })
    .to_string()
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("t.json", transform(json!([{"kind": "affine", "offset": 1, "gain": 2}])));
    desk
}

#[test]
fn rows_keep_their_cells_and_get_four_more() {
    let desk = desk();
    desk.write("d.csv", "time;raw;note;;\r\n1;2,5;\"a;b\";;\r\n2;;c;;\r\n3;x;d;;\r\n;;;;\r\n4;200;e\r\n");
    let output = desk.run(&["apply", "d.csv", "--transform", "t.json", "--x", "raw"]);
    assert!(output.status.success());
    let want = "time;raw;note;;;value;u;state;reasons\r\n\
                1;2,5;\"a;b\";;;6;0,5;valid;\r\n\
                2;;c;;;;;missing;\r\n\
                3;x;d;;;;;invalid;\r\n\
                4;200;e;;;401;1;suspect;out_of_domain\r\n";
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), want);
    let said = stderr(&output);
    assert!(said.contains("`missing`: 1") && said.contains("line 4, column `raw`: `x`"), "{said}");
}

#[test]
fn the_json_has_a_row_each_and_the_counts() {
    let desk = desk();
    desk.write("d.csv", "raw,note\n2.5,a\n,b\nx,c\n200,d\n");
    let out = desk.json(&["apply", "d.csv", "--transform", "t.json"]);
    assert_eq!((out["missing"].as_u64(), out["unreadable"].as_u64()), (Some(1), Some(1)));
    let want =
        json!({"line": 2, "raw": 2.5, "note": "a", "value": 6.0, "u": 0.5, "state": "valid", "reasons": []});
    assert_eq!(out["rows"][0], want);
    assert_eq!(out["rows"][3]["reasons"], json!(["out_of_domain"]));
    assert!(out["rows"][1]["value"].is_null());
}

#[test]
fn a_stream_is_answered_row_by_row() {
    let desk = desk();
    let mut command = Command::new("timeout");
    command
        .args(["20", env!("CARGO_BIN_EXE_calibctl"), "apply", "-", "--transform"])
        .arg(desk.path("t.json"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    // The answer comes before the next row is sent.
    for (row, answer) in
        [("raw", "raw,value,u,state,reasons"), ("0", "0,1,0.5,valid,"), ("7", "7,15,0.5,valid,")]
    {
        input.write_all(format!("{row}\n").as_bytes()).unwrap();
        assert_eq!(output.next().unwrap().unwrap(), answer);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn covariates_come_from_the_columns_of_their_roles() {
    let desk = Desk::new();
    let terms = json!([{"covariate": "temperature", "gain": 3}]);
    let stage = json!([{"kind": "multilinear", "offset": 1, "gain": 2, "terms": terms}]);
    desk.write("t.json", transform(stage));
    desk.write("d.csv", "raw,temperature,T\n1,10,20\n1,,20\n");
    let rows = desk.json(&["apply", "d.csv", "--transform", "t.json"]);
    assert_eq!(rows["rows"][0]["value"], 33.0);
    assert_eq!(rows["rows"][1]["reasons"], json!(["covariate_missing"]));
    let named = desk.json(&["apply", "d.csv", "--transform", "t.json", "--covariate", "temperature=T"]);
    assert_eq!(named["rows"][1]["value"], 63.0);
    desk.write("e.csv", "raw\n1\n");
    desk.refuses(
        &["apply", "e.csv", "--transform", "t.json"],
        &["`temperature`", "--covariate temperature=COL"],
    );
    desk.refuses(&["apply", "d.csv", "--transform", "t.json", "--covariate", "rh=T"], &["rh", "temperature"]);
}

#[test]
fn names_that_are_taken_are_not_written_twice() {
    let desk = desk();
    desk.write("d.csv", "raw,value\n1,2\n");
    desk.refuses(&["apply", "d.csv", "--transform", "t.json"], &["`value`", "--prefix"]);
    let out = desk.done(&["apply", "d.csv", "--transform", "t.json", "--prefix", "new_"]);
    assert_eq!(out, "raw,value,new_value,new_u,new_state,new_reasons\n1,2,3,0.5,valid,\n");
}

#[test]
fn what_is_of_no_use_is_refused() {
    let desk = desk();
    desk.write("d.csv", "raw\n1\n");
    desk.write("falls.json", transform(json!([{"kind": "table", "x": [1, 3, 2], "y": [1, 2, 3]}])));
    desk.refuses(&["apply", "d.csv", "--transform", "falls.json"], &["falls.json", "pipeline[0].x"]);
    desk.write("no.json", "{}");
    desk.refuses(&["apply", "d.csv", "--transform", "no.json"], &["no.json", "schema"]);
    desk.refuses(&["apply", "none.csv", "--transform", "t.json"], &["none.csv"]);
    desk.refuses(&["apply", "d.csv", "--transform", "t.json", "--x", "y"], &["`y`", "`raw`"]);
    desk.write("broken.csv", "raw\n1\n\"2\n");
    let output = desk.run(&["apply", "broken.csv", "--transform", "t.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("broken.csv: line 3"), "{}", stderr(&output));
}

#[test]
fn a_value_that_is_none_stays_a_row_without_one() {
    let desk = desk();
    let raw = ["NaN", "inf", "-Infinity", "1e400", "\"1,5\"", "0x10", "1e308", "-1e308"];
    desk.write("d.csv", "raw\n".to_owned() + &raw.map(|cell| format!("{cell}\n")).concat() + "5\n");
    let out = desk.done(&["apply", "d.csv", "--transform", "t.json"]);
    assert_eq!(out.lines().filter(|line| line.contains(",,,invalid,")).count(), raw.len(), "{out}");
    assert!(out.ends_with("\n5,11,0.5,valid,\n"), "{out}");
    let json = desk.json(&["apply", "d.csv", "--transform", "t.json"]);
    assert_eq!(json["unreadable"].as_u64(), Some(6));
    desk.write("u.csv", "raw,s\n1,0.1\n1,-0.1\n1,\n1,x\n");
    let output = desk.run(&["apply", "u.csv", "--transform", "t.json", "--u", "s"]);
    let said = stderr(&output);
    assert!(said.contains("line 3, column `s`: -0.1 is no standard uncertainty"), "{said}");
    assert!(said.contains("does not hold: 1") && said.contains("cannot be read: 2"), "{said}");
}

#[test]
fn tables_that_are_none_are_refused_by_path() {
    let desk = desk();
    desk.write("d.csv", "raw\n1\n");
    let cases = [
        (json!({"kind": "table", "x": [1, 3, 3], "y": [1, 2, 3]}), "x[2]: x must be strictly increasing"),
        (json!({"kind": "table", "x": [3, 2, 1], "y": [1, 2, 3]}), "x[1]: x must be strictly increasing"),
        (
            json!({"kind": "pchip", "x": [-0.0, 0.0, 3], "y": [1, 2, 3]}),
            "x[1]: x must be strictly increasing",
        ),
        (
            json!({"kind": "isotonic", "x": [1, 2, 3], "y": [0.1, 0.5, 0.4]}),
            "y: expected values that only rise",
        ),
        (json!({"kind": "table", "x": [1, 2], "y": [1, 2, 3]}), "y: expected as many values"),
        (json!({"kind": "table", "x": [0, 1e-9], "y": [-1e308, 1e308]}), "y[1]"),
        (json!({"kind": "venn_abers", "x": [1, 1], "p0": [0.1, 0.2], "p1": [0.3, 0.4]}), "x[1]: x must"),
    ];
    for (stage, words) in cases {
        desk.write("bad.json", transform(json!([stage])));
        let words = format!("bad.json: pipeline[0].{words}");
        desk.refuses(&["apply", "d.csv", "--transform", "bad.json"], &[&words]);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let desk = desk();
    let rows: String = (0..200_000).map(|at| format!("{at}\n")).collect();
    desk.write("big.csv", "raw\n".to_owned() + &rows);
    for json in [&[][..], &["--json"]] {
        let mut command = desk.command(&[&["apply", "big.csv", "--transform", "t.json"], json].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && stderr(&output).is_empty(), "{}", stderr(&output));
    }
    // A row that ends with its stream, and a stream without any.
    let feed = |text: &str| {
        let mut command = desk.command(&["apply", "-", "--transform", "t.json"]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    assert!(feed("raw\n1\n2").stdout.ends_with(b"\n2,5,0.5,valid,\n"));
    let none = feed("");
    assert!(none.status.code() == Some(1) && stderr(&none).contains("stdin: line 1: it is empty"));
}
