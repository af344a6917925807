use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn args() -> DataArgs {
    DataArgs { file: "t.csv".into(), separator: None, decimal: None, missing: vec![], skip_lines: 0 }
}

fn open(text: &str, args: &DataArgs) -> Result<Rows, Failure> {
    Rows::new(Box::new(Cursor::new(text.as_bytes().to_vec())), args.name(), args)
}

fn read(text: &str, columns: &[&str], rules: &RowArgs) -> Result<Loaded, String> {
    let missing = DataArgs { missing: vec!["-200".to_owned()], ..args() };
    let mut rows = open(text, &missing).map_err(|fault| fault.message().to_owned())?;
    let numbers = columns.iter().map(|name| rows.find(name)).collect::<Result<_, _>>();
    let numbers = numbers.map_err(|fault| fault.message().to_owned())?;
    load(&mut rows, &Wanted { numbers, text: None }, rules).map_err(|fault| fault.message().to_owned())
}

fn values(loaded: &Loaded) -> Vec<&[f64]> {
    loaded.columns.iter().map(|column| column.values()).collect()
}

#[test]
fn a_file_as_spreadsheets_write_it() {
    let text = "\u{feff}Date;CO(GT);\"raw;\"\"x\"\"\";;\r\n10/03/2004;2,6;1360;;\r\n;;;;\r\n11/03/2004;\"2\";1292;;\r\n;;;;\r\n";
    let loaded = read(text, &["CO(GT)", "raw;\"x\""], &RowArgs::default()).unwrap();
    assert_eq!(values(&loaded), [[2.6, 2.0], [1360.0, 1292.0]]);
    assert_eq!(loaded.lines, [2, 4], "lines of the file, not rows");
}

#[test]
fn a_quoted_cell_may_hold_line_breaks() {
    let loaded = read("x,note,y\n1,\"two\nlines\",2\n3,,4\n", &["x", "y"], &RowArgs::default()).unwrap();
    assert_eq!(values(&loaded), [[1.0, 3.0], [2.0, 4.0]]);
    assert_eq!(loaded.lines, [2, 4]);
}

#[test]
fn every_fault_names_file_line_column_and_remedy() {
    let cases = [
        ("", "t.csv: line 1: it is empty: give a file"),
        ("\n\n", "it is empty"),
        (";;\n1;2\n", "t.csv: line 1: no header"),
        ("x,y\n1,2\n,3\n", "t.csv: line 3: column `x`: the cell is missing: fill it, or say --skip-missing"),
        ("x,y\n1\n", "t.csv: line 2: column `y`: the cell is missing"),
        ("x,y\n-200,1\n", "t.csv: line 2: column `x`: the cell is missing"),
        ("x,y\n1,zwei\n", "t.csv: line 2: column `y`: `zwei` is not a number: mend it"),
        ("x,y\n1,inf\n", "column `y`: `inf` is not a finite number"),
        (
            "x,y\n\"1,5\",2\n",
            "line 2: column `x`: `1,5` is not a number: if that is a decimal comma, say --decimal ,",
        ),
        ("x;y\n1,5;2\n1.5;2\n", "t.csv: line 3: column `x`: `1.5` has a decimal point"),
        ("x,y\n1,2,3\n", "t.csv: line 2: 3 cells, and the header names 2 columns"),
        ("x,y\n1,\"2\n", "t.csv: line 2: a quote does not end"),
        ("x,y\n\"1\"2,2\n", "t.csv: line 2: a quote does not end where a column ends"),
        ("\"x,y\n1,2\n", "the header's quotes do not end"),
        ("x,z\n1,2\n", "t.csv: there is no column `y`: the header has `x`, `z`"),
    ];
    for (text, want) in cases {
        let fault = read(text, &["x", "y"], &RowArgs::default()).unwrap_err();
        assert!(fault.contains(want), "{text:?}: {fault}");
    }
    let latin = open("x,y\n", &args()).map(|_| ()).and_then(|()| {
        Rows::new(Box::new(Cursor::new(b"x,\xb5g\n".to_vec())), "t.csv".to_owned(), &args()).map(|_| ())
    });
    assert!(latin.unwrap_err().message().contains("UTF-8"));
}

#[test]
fn an_endless_row_is_refused_in_bounded_memory() {
    let text = format!("x,y\n1,\"{}", "2\n".repeat(100_000));
    let fault = read(&text, &["x", "y"], &RowArgs::default()).unwrap_err();
    assert!(fault.contains("t.csv: line 2: the row has over 65536 bytes"), "{fault}");
}

#[test]
fn missing_cells_cost_the_row_when_asked_and_are_counted() {
    let rules = RowArgs { skip_missing: true, ..RowArgs::default() };
    let loaded = read("x,y\n1,2\n,3\n4,-200\n5,6\n", &["x", "y"], &rules).unwrap();
    assert_eq!((values(&loaded), loaded.skipped), (vec![&[1.0, 5.0][..], &[2.0, 6.0]], 2));
    assert!(loaded.notes[0].ends_with(": 2"), "{:?}", loaded.notes);
    assert!(read("x,y\n1,a\n", &["x", "y"], &rules).is_err(), "garbage is not missing");
}

#[test]
fn rows_come_in_the_order_of_their_times() {
    let rules = RowArgs { time: Some("t".into()), ..RowArgs::default() };
    let text = "t,x\n2026-11-22T10:00:00Z,3\n2026-11-22T11:00:00+02:00,1\n1795341000,2\n";
    let loaded = read(text, &["x"], &rules).unwrap();
    assert_eq!(values(&loaded), [[1.0, 2.0, 3.0]]);
    assert_eq!(loaded.lines, [3, 4, 2]);
    assert_eq!(loaded.times.unwrap(), [1795338000.0, 1795341000.0, 1795341600.0]);
    assert!(loaded.notes[0].contains("sorted"));
    let fault = read("t,x\nnoon,3\n", &["x"], &rules).unwrap_err();
    assert!(fault.contains("line 2: column `t`: `noon` is not a time: write times like"), "{fault}");
    let rules = RowArgs { time_format: Some("%d/%m/%Y %H.%M.%S".into()), ..rules };
    let loaded = read("t,x\n10/03/2004 18.00.00,3\n", &["x"], &rules).unwrap();
    assert_eq!(loaded.times.unwrap(), [1078941600.0]);
}

#[test]
fn lines_above_the_header_are_passed_over() {
    let args = DataArgs { skip_lines: 2, ..args() };
    let mut rows = open("made by;x\n\"odd\n\nx;y\n1;2\n", &args).unwrap();
    assert_eq!(rows.header().names, ["x", "y"]);
    assert!(rows.next().unwrap());
    assert_eq!((rows.line(), rows.number(1)), (5, Cell::Number(2.0)));
}

/// Reads all rows of any bytes; a fault names the file and a line.
fn cells(bytes: &[u8]) -> Result<Vec<Vec<String>>, String> {
    let message = |fault: Failure| fault.message().to_owned();
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let mut rows = Rows::new(input, "t.csv".to_owned(), &args()).map_err(message)?;
    let mut all = vec![rows.header().names.clone()];
    while rows.next().map_err(message)? {
        for at in 0..=rows.width() {
            let _ = rows.peek(at);
            if let Cell::Number(number) = rows.number(at) {
                assert!(number.is_finite(), "{number}");
            }
        }
        all.push((0..rows.width()).map(|at| rows.text(at).into_owned()).collect());
    }
    Ok(all)
}

#[test]
fn bytes_that_are_no_table_are_refused_at_their_line() {
    let row = |byte: u8, count: usize| [b"x,y\n1,2\n".as_slice(), &vec![byte; count], b"\n"].concat();
    for (bytes, want) in [
        (row(b'7', 70_000), "t.csv: line 3: the row has over 65536 bytes"),
        (row(b'"', 70_001), "t.csv: line 3: the row has over 65536 bytes"),
        (row(0xff, 3), "t.csv: line 3: this is not UTF-8"),
        (row(0xc3, 1), "t.csv: line 3: this is not UTF-8"),
        (b"\xff\xfex\0,\0y\0\n\0".to_vec(), "t.csv: line 1: this is not UTF-8"),
        (b"x,y\n1,\"\xff\n\"\n".to_vec(), "t.csv: line 2: this is not UTF-8"),
    ] {
        assert!(cells(&bytes).unwrap_err().starts_with(want), "{:?}", cells(&bytes));
    }
    let fault = read("x,y\n1,2\n1,\0\n", &["x", "y"], &RowArgs::default()).unwrap_err();
    assert!(fault.starts_with("t.csv: line 3: column `y`: "), "{fault:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_at_a_line(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(prop::sample::select(b"\"\",,;\t\n\n\r\x00\xef\xbb\xbf1.-e x".to_vec()), 0..120),
        ],
        named in any::<bool>(),
    ) {
        let bytes = if named { [b"x,y\n".as_slice(), &bytes].concat() } else { bytes };
        if let Err(fault) = cells(&bytes) {
            prop_assert!(fault.starts_with("t.csv: line "), "{}", fault);
            prop_assert!([": mend it", ": give ", ": save ", ": quote ", ": does ", "mend them", "must name"]
                .iter().any(|remedy| fault.contains(remedy)), "{}", fault);
        }
    }

    #[test]
    fn quoted_cells_come_back(
        rows in prop::collection::vec(prop::collection::vec("[a\"; ,\té\n]{0,4}|\\PC{0,3}|\r\n", 2..=4), 0..6),
        separator in prop::sample::select(vec![",", ";", "\t", "|"]),
        ending in prop::sample::select(vec!["\n", "\r\n"]),
        mark in any::<bool>(),
    ) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(separator) + ending;
        let head = ["p", "q", "r", "s"].join(separator);
        let mark = if mark { "\u{feff}" } else { "" };
        let text = format!("{mark}{head}{ending}{}", rows.iter().map(line).collect::<String>());
        // A row without anything in it says nothing.
        let blank = |row: &&Vec<String>| !row.iter().all(|cell| cell.trim().is_empty());
        let want: Vec<Vec<String>> = rows.iter().filter(blank).cloned().collect();
        prop_assert_eq!(&cells(text.as_bytes()).unwrap()[1..], &want[..]);
    }
}
