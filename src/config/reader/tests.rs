use super::*;

fn lines(faults: &[Fault]) -> Vec<(usize, &str, &str)> {
    faults.iter().map(|fault| (fault.line, fault.key.as_str(), fault.problem.as_str())).collect()
}

const ANY: RangeInclusive<Duration> = Duration::ZERO..=Duration::MAX;

#[test]
fn reads_every_type() {
    let text = r#"
text = "x"
whole = 3
number = 2
flag = true
wait = "90s"
size = "2GiB"
time = 2026-11-22T10:00:00Z
id = "gw-1"
file = "/etc/x"
list = ["a", "b"]
[sub.one]
a = 1
"#;
    let ((), faults) = read_str("a.toml", text, |s| {
        assert_eq!(s.string("text").unwrap(), "x");
        assert_eq!(s.integer("whole", 0..=3), Some(3));
        assert_eq!(s.float("number", 0.0..=9.0), Some(2.0));
        assert_eq!(s.boolean("flag"), Some(true));
        assert_eq!(s.duration("wait", ANY), Some(Duration::from_secs(90)));
        assert_eq!(s.size("size", 0..=u64::MAX), Some(2 << 30));
        assert_eq!(s.time("time").unwrap().to_string(), "2026-11-22T10:00:00.000000Z");
        assert_eq!(s.id("id").unwrap().as_str(), "gw-1");
        assert_eq!(s.path_buf("file").unwrap(), PathBuf::from("/etc/x"));
        assert_eq!(s.strings("list"), ["a", "b"]);
        let mut tables = s.tables("sub");
        assert_eq!(tables[0].0, "one");
        assert_eq!(tables[0].1.integer("a", 0..=1), Some(1));
        assert_eq!(s.string("absent"), None);
    });
    assert_eq!(faults, []);
}

#[test]
fn reports_every_wrong_type_with_its_line() {
    let text = "a = 1\nb = \"x\"\nc = inf\nd = \"9\"\ne = [1, \"x\"]\nf = \"a b\"\ng = 7\n";
    let ((), faults) = read_str("a.toml", text, |s| {
        assert_eq!(s.string("a"), None);
        assert_eq!(s.integer("b", 0..=9), None);
        assert_eq!(s.float("c", 0.0..=f64::INFINITY), None);
        assert_eq!(s.duration("d", ANY), None);
        assert_eq!(s.strings("e"), ["x"]);
        assert_eq!(s.id("f"), None);
        assert_eq!(s.integer("g", 0..=6), None);
    });
    assert_eq!(
        lines(&faults),
        [
            (1, "a", "must be a string, not an integer"),
            (2, "b", "must be a whole number, not a string"),
            (3, "c", "inf is not a finite number"),
            (4, "d", "`9` is not a duration"),
            (5, "e[0]", "must be a string, not an integer"),
            (6, "f", "`a b` is not an identifier"),
            (7, "g", "7 is out of range"),
        ]
    );
}

#[test]
fn reports_missing_and_unknown_keys() {
    let ((), faults) = read_str("a.toml", "\n[s]\nprot = 1\nnonsense = 2\nlater = 3\n", |root| {
        let mut s = root.table("s").unwrap();
        assert_eq!(s.required("id", "id = \"x\"").id("id"), None);
        s.integer("port", 0..=9);
        s.not_yet(&["later"]);
    });
    assert_eq!(
        lines(&faults),
        [
            (2, "s.id", "is missing"),
            (3, "s.prot", "is not a known key"),
            (4, "s.nonsense", "is not a known key"),
            (5, "s.later", "is not available in this version"),
        ]
    );
    assert_eq!(faults[1].remedy, "did you mean `port`?");
    assert_eq!(faults[2].remedy, "remove it; known here: id, later, port");
}

#[test]
fn choices_name_what_is_known_and_what_comes_later() {
    let ((), faults) = read_str("a.toml", "a = \"kep\"\nb = \"iio\"\n", |s| {
        assert_eq!(s.choice("a", &[("keep", 1), ("previous", 2)]), None);
        assert_eq!(s.choice_or_later("b", &[("serial", 1)], &["iio"]), None);
    });
    assert_eq!(faults[0].remedy, "did you mean `keep`? write one of keep, previous");
    assert_eq!(faults[1].problem, "`iio` is not available in this version");
}

#[test]
fn an_abandoned_section_is_silent() {
    let ((), faults) = read_str("a.toml", "[s]\nx = 1\n", |root| root.table("s").unwrap().abandon());
    assert_eq!(faults, []);
}

#[test]
fn a_key_that_is_only_asked_about_is_still_unknown_if_nobody_reads_it() {
    let ((), faults) = read_str("a.toml", "a = 1\nseperator = 2\n", |s| {
        assert!(s.has("a"));
        assert!(!s.has("separator"));
    });
    assert_eq!(lines(&faults), [(1, "a", "is not a known key"), (2, "seperator", "is not a known key")]);
    assert_eq!(faults[1].remedy, "did you mean `separator`?");
}

proptest::proptest! {
    /// Whatever the text, reading ends with a configuration or with faults, never without both.
    #[test]
    fn any_toml_is_accepted_or_refused(
        lines in proptest::collection::vec(LINE, 0..30),
    ) {
        let text = lines.join("\n");
        let (config, faults) = read_str("a.toml", &text, crate::config::Config::read);
        proptest::prop_assert!(config.is_some() || !faults.is_empty(), "{}", text);
    }
}

const LINE: &str = r#"\[(gateway|store|trust|mqtt|http|source\.a|source\.a\.format|source\.a\.fields|sensor\.b|sensor\.b\.reference|sensors\."\{name\}"|sink\.c)\]|(id|fleet|groups|dir|url|listen|kind|port|topic|source|field|unit|max|format|fields|qos|batch|on_expired|value) = ("gw-1"|"mqtt"|"serial"|"mqtt://x"|"a/\+name"|"a"|"csv"|"b"|"Cel"|1|-1|inf|true|\[\]|\["x"\]|\{\}|\{ kind = "json" \}|\{ pointer = "/v" \}|\{ value = \{ pointer = "/v" \} \})"#;
