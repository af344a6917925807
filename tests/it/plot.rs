//! `calibctl plot` on files.

use std::process::Command;

use crate::support::desk::{Desk, shipped, stderr};
use crate::support::process::run;

const AIR: &str = "src/demo/data/uci_air_quality.csv";
const FITTED: &str = "src/demo/data/fitted.json";

/// A parser that knows nothing of calibd reads the picture; answers how often a tag occurs.
fn count(desk: &Desk, file: &str, tag: &str) -> usize {
    let script = "import sys, xml.etree.ElementTree as t; \
                  print(sum(1 for _ in t.parse(sys.argv[1]).iter('{http://www.w3.org/2000/svg}' + sys.argv[2])))";
    let path = desk.path(file);
    run(Command::new("python3").args(["-c", script]).arg(path).arg(tag)).trim().parse().unwrap()
}

fn plot(desk: &Desk, kind: &str, more: &[&str]) -> String {
    let (air, fitted) = (shipped(AIR), shipped(FITTED));
    let columns = ["--x", "PT08.S1(CO)", "--y", "CO(GT)", "--missing", "-200", "--skip-missing"];
    let base = ["plot", &air, "--kind", kind, "--transform", &fitted, "-o", "p.svg"];
    desk.done(&[&base[..], &columns[..], more].concat());
    desk.read("p.svg")
}

#[test]
fn pictures_of_real_data_are_xml_with_every_pair() {
    let desk = Desk::new();
    plot(&desk, "calibration", &["--title", "<CO> & \"more\""]);
    assert_eq!(count(&desk, "p.svg", "circle"), 1166 + 1);
    assert_eq!((count(&desk, "p.svg", "polygon"), count(&desk, "p.svg", "title")), (1, 1));
    plot(&desk, "residual", &["--time", "Date", "--time-format", "%d/%m/%Y"]);
    assert_eq!(count(&desk, "p.svg", "circle"), 2 * 1166 + 1);
    let svg = plot(&desk, "drift", &["--limit", "1"]);
    assert_eq!(count(&desk, "p.svg", "script"), 0);
    assert!(svg.contains("outside, n = 78") && svg.contains("prefers-color-scheme"), "{}", &svg[..400]);
}

#[test]
fn what_cannot_be_drawn_is_refused_and_writes_nothing() {
    let desk = Desk::new();
    desk.write("d.csv", "x,y\n1,2\n2,3\n");
    let base = ["plot", "d.csv", "-o", "p.svg", "--kind"];
    desk.refuses(&[&base[..], &["calibration", "--method", "pchips"]].concat(), &["pchips"]);
    desk.refuses(&[&base[..], &["drift", "--limit", "0"]].concat(), &["--limit"]);
    desk.refuses(&[&base[..], &["drift", "--x", "z"]].concat(), &["`z`"]);
    assert!(!desk.path("p.svg").exists());
    desk.refuses(&["plot", "d.csv", "--kind", "drift", "-o", "no/where.svg"], &["no/where.svg"]);
}

#[test]
fn a_calibration_without_a_method_is_the_least_squares_line_and_says_so() {
    let desk = Desk::new();
    desk.write("d.csv", "x,y\n1,2\n2,3\n3,5\n4,6\n");
    let args = ["plot", "d.csv", "--kind", "calibration", "-o", "p.svg"];
    assert!(stderr(&desk.run(&args)).contains("least-squares line"));
    assert_eq!((count(&desk, "p.svg", "path"), count(&desk, "p.svg", "polygon")), (1, 1), "curve and band");
}

#[test]
fn a_reliability_diagram_shows_the_bins_that_hold_something() {
    let desk = Desk::new();
    let file = shipped("tests/data/probcal/synth_tree_ties.test.csv");
    let args = ["--kind", "reliability", "--x", "prob", "--label", "label", "--bins", "10", "-o", "p.svg"];
    desk.done(&[&["plot", &file], &args[..]].concat());
    let bars = desk.read("p.svg").matches("class=\"bar\"").count();
    assert!((1..=10).contains(&bars), "{bars}");
    assert_eq!(count(&desk, "p.svg", "circle"), bars + 1, "one of them in the legend");
}

#[test]
fn pictures_of_odd_data_have_numbers_only() {
    let desk = Desk::new();
    let many: String = (0..100_000).map(|at| format!("{},{}\n", at % 977, at % 991)).collect();
    for (name, rows) in [
        ("one row", "1,2\n".to_owned()),
        ("constant x", "5,1\n5,2\n5,3\n".to_owned()),
        ("all the same", "5,5\n5,5\n".to_owned()),
        ("huge", "1e307,-1e307\n-9e307,9e307\n".to_owned()),
        ("tiny", "1e-310,3e-310\n2e-310,1e-310\n".to_owned()),
        ("many", many),
    ] {
        desk.write("d.csv", format!("x,y\n{rows}"));
        for kind in ["residual", "drift"] {
            desk.done(&["plot", "d.csv", "--kind", kind, "-o", "p.svg"]);
            let svg = desk.read("p.svg");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name} {kind}");
            assert!(count(&desk, "p.svg", "circle") <= 10_010, "{name} {kind}");
        }
    }
    let refused = |rows: &str, args: &[&str], words: &[&str]| {
        desk.write("d.csv", format!("x,y\n{rows}"));
        desk.refuses(&[&["plot", "d.csv", "-o", "none.svg", "--kind"], args].concat(), words);
        assert!(!desk.path("none.svg").exists());
    };
    refused("1,2\n", &["calibration", "--method", "affine"], &["d.csv", "at least 2 pairs"]);
    refused("5,1\n5,2\n", &["calibration"], &["d.csv", "column `x`"]);
    refused("0.5,0\n1.5,1\n", &["reliability"], &["d.csv: line 3", "`x`", "from 0 to 1"]);
    refused("0.5,0\n0.4,1\n", &["reliability", "--bins", "0"], &["--bins"]);
    refused("1,2\n", &["drift", "--window", "0"], &["--window"]);
    refused("1.7e308,-1.7e308\n", &["drift"], &["d.csv", "no row has a value"]);
}
