use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn fault(text: &str) -> (String, String) {
    let error = parse(text.as_bytes()).expect_err(text);
    (error.path, error.message)
}

#[test]
fn reads_what_an_ordinary_parser_reads() {
    let text = r#" {"a": [1, -2, 0.5, 1e300, true, null, "\u00e9\n"], "b": {}, "c": 9007199254740991} "#;
    let plain: Value = serde_json::from_str(text).unwrap();
    assert_eq!(parse(text.as_bytes()), Ok(plain));
}

#[test]
fn refuses_a_key_that_stands_twice_however_deep_or_spelled() {
    assert_eq!(fault(r#"{"a":1,"a":1}"#).0, "a");
    assert_eq!(fault(r#"{"x":[0,{"a":{"b":1,"\u0062":2}}]}"#).0, "x[1].a.b");
    assert!(fault(r#"{"a":1,"a":1}"#).1.contains("twice"));
}

#[test]
fn refuses_trailing_bytes_but_not_trailing_space() {
    assert!(parse(b"{} \n").is_ok());
    for bad in ["{}x", "{}{}", "1 2", "{}\0", "[],", "null]"] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn refuses_integers_that_a_double_cannot_hold_and_says_where() {
    let wide = ["9007199254740992", "-9007199254740992", "18446744073709551616", "1000000000000000000000000"];
    for number in wide {
        let text = format!(r#"{{"a":["9007199254740992", 1, {{"v":{number}}}]}}"#);
        assert_eq!(fault(&text).0, "a[2].v", "{number}");
        assert!(fault(&text).1.contains("2^53"));
    }
    assert!(parse(b"[9007199254740991, -9007199254740991, 1e20, 9007199254740992.0]").is_ok());
    assert!(parse(b"1e400").is_err());
}

#[test]
fn refuses_deep_nesting_without_following_it() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(fault(&nested(MAX_DEPTH + 1)).1.contains("nested"));
    assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    assert!(parse("{\"a\":".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn refuses_what_is_not_json() {
    let bad: [&[u8]; 12] = [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"{\"a\"}",
        b"NaN",
        b"Infinity",
        b"01",
        b"'a'",
        b"\xff",
        b"\"\xff\"",
        b"\"\\ud800\"",
    ];
    for text in bad {
        assert!(parse(text).is_err(), "{text:?}");
    }
    assert!(parse(b"\xef\xbb\xbf{}").is_err(), "a byte order mark");
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Outer {
    name: String,
    #[serde(default)]
    inner: Vec<Inner>,
    choice: Option<Choice>,
    range: Option<[f64; 2]>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Inner {
    count: u64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Plain,
    Holding { count: u8 },
}

#[test]
fn reads_types() {
    let text = br#"{"name":"x","inner":[{"count":3}],"choice":{"holding":{"count":1}}}"#;
    let outer = Outer {
        name: "x".into(),
        inner: vec![Inner { count: 3 }],
        choice: Some(Choice::Holding { count: 1 }),
        range: None,
    };
    assert_eq!(from_slice(text), Ok(outer));
    let plain: Outer = from_slice(br#"{"name":"x","choice":"plain"}"#).unwrap();
    assert_eq!(plain.choice, Some(Choice::Plain));
}

#[test]
fn names_the_field_that_does_not_fit() {
    let cases = [
        (r#"{"inner":[]}"#, "name"),
        (r#"{"name":1}"#, "name"),
        (r#"{"name":"x","nmae":1}"#, "nmae"),
        (r#"{"name":"x","inner":[{"count":1},{"count":-1}]}"#, "inner[1].count"),
        (r#"{"name":"x","inner":[{"count":1.0}]}"#, "inner[0].count"),
        (r#"{"name":"x","inner":[{"count":1,"more":2}]}"#, "inner[0].more"),
        (r#"{"name":"x","inner":[{}]}"#, "inner[0].count"),
        (r#"{"name":"x","choice":"other"}"#, "choice"),
        (r#"{"name":"x","choice":{"holding":{"count":256}}}"#, "choice.holding.count"),
        (r#"[]"#, ""),
        (r#"["x"]"#, ""),
        (r#"{"name":"x","inner":[[3]]}"#, "inner[0]"),
        (r#"{"name":"x","choice":{"holding":[1]}}"#, "choice.holding"),
        (r#"{"name":"x","range":[1,2,3]}"#, "range"),
        (r#"{"name":"x","range":[1]}"#, "range"),
    ];
    for (text, path) in cases {
        let error = from_slice::<Outer>(text.as_bytes()).expect_err(text);
        assert_eq!(error.path, path, "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_near_json_makes_it_panic_and_what_passes_is_what_serde_reads(
        text in r#"([\[\]{}:,"\\0-9.eE+\- atrufnls]|"a":|"b":|\{"a":|1e9|\\u00e9){0,60}"#
    ) {
        if let Ok(value) = parse(text.as_bytes()) {
            prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
