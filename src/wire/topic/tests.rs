use super::*;
use proptest::prelude::*;

fn pattern(text: &str) -> TopicPattern {
    TopicPattern::parse(text).unwrap()
}

fn captured(text: &str, topic: &str) -> Option<Vec<(String, String)>> {
    let pattern = pattern(text);
    let found = pattern.matches(topic)?;
    Some(found.as_slice().iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
}

#[test]
fn captures_named_levels() {
    assert_eq!(captured("sensors/+name/raw", "sensors/t1/raw"), Some(vec![("name".into(), "t1".into())]));
    assert_eq!(
        captured("+site/+/x/+name", "north/7/x/t1"),
        Some(vec![("site".into(), "north".into()), ("name".into(), "t1".into())])
    );
    assert_eq!(captured("a/b", "a/b"), Some(vec![]));
}

#[test]
fn fits_as_mqtt_says() {
    for (text, topic, fit) in [
        ("sensors/+name/raw", "sensors/t1/cal", false),
        ("sensors/+name/raw", "sensors/t1/raw/x", false),
        ("sensors/+name/raw", "sensors/raw", false),
        ("sensors/+name/raw", "sensors//raw", true),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("a/#", "ab", false),
        ("#", "a/b", true),
        ("#", "$SYS/x", false),
        ("+x/y", "$SYS/y", false),
        ("$SYS/+x", "$SYS/y", true),
        ("a/", "a", false),
    ] {
        assert_eq!(pattern(text).matches(topic).is_some(), fit, "{text} {topic}");
    }
}

#[test]
fn subscribes_without_the_names() {
    assert_eq!(pattern("sensors/+name/raw/#").filter(), "sensors/+/raw/#");
    assert!(!pattern("sensors/+name/raw").is_literal());
    assert!(pattern("sensors/raw").is_literal());
}

#[test]
fn refuses_illegal_patterns() {
    for (text, problem) in [
        ("", "is empty"),
        ("a/#/b", "`#` stands before the last level"),
        ("a+/b", "`a+` holds a wildcard inside a level"),
        ("a/b#", "`b#` holds a wildcard inside a level"),
        ("a/+N", "`+N` is not a capture"),
        ("a/+n/+n", "`+n` stands there twice"),
        ("a\u{0}", "holds a control character"),
        ("$share/g/a", "shared subscriptions are not available"),
        ("+a/+b/+c/+d/+e/+f/+g/+h/+i", "9 captures are too many"),
    ] {
        assert_eq!(TopicPattern::parse(text).unwrap_err().problem, problem, "{text}");
    }
}

#[test]
fn fills_templates() {
    let template = TopicTemplate::parse("c/{fleet}/x-{sensor}", &["fleet", "sensor"]).unwrap();
    let mut out = String::new();
    template.render(&[("sensor", "co-1"), ("fleet", "p7")], &mut out);
    assert_eq!(out, "c/p7/x-co-1");
    assert_eq!(template.names().collect::<Vec<_>>(), ["fleet", "sensor"]);
    assert!(!template.has_adjacent_holes());
    assert!(TopicTemplate::parse("{a}{b}", &["a", "b"]).unwrap().has_adjacent_holes());
}

#[test]
fn refuses_illegal_templates() {
    for (text, problem) in [
        ("a/+/b", "holds a wildcard `+` or `#`"),
        ("a/{sensr}", "`{sensr}` is not a known placeholder"),
        ("a/{sensor", "has a brace without its partner"),
        ("a/sensor}", "has a brace without its partner"),
        ("a/{}", "`{}` is not a placeholder"),
        ("$SYS/x", "starts with `$`, which belongs to the broker"),
    ] {
        assert_eq!(TopicTemplate::parse(text, &["sensor"]).unwrap_err().problem, problem, "{text}");
    }
}

#[test]
fn sees_that_a_sink_would_feed_a_source() {
    for (text, template, loops) in [
        ("sensors/+name/raw", "sensors/{sensor}/cal", false),
        ("sensors/+name/raw", "sensors/{sensor}/raw", true),
        ("sensors/#", "sensors/{sensor}/cal", true),
        ("x/t1/raw", "x/{sensor}/raw", true),
        ("x/t1/raw", "x/a-{sensor}/raw", false),
        ("x/a-1/raw", "x/a-{sensor}/raw", true),
        ("a/b", "a", false),
    ] {
        let template = TopicTemplate::parse(template, &["sensor"]).unwrap();
        assert_eq!(pattern(text).overlaps(&template), loops, "{text} {}", template.as_str());
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,40}", topic in ".{0,40}") {
        if let Ok(pattern) = TopicPattern::parse(&text) {
            pattern.matches(&topic);
        }
        if let Ok(template) = TopicTemplate::parse(&text, &["a"]) {
            template.render(&[("a", "b")], &mut String::new());
        }
    }

    #[test]
    fn what_a_template_makes_overlaps(a in "[a-z]{1,3}", b in "[a-z]{1,3}", sensor in "[a-z]{1,3}") {
        let template = TopicTemplate::parse(&format!("{a}/{b}-{{sensor}}"), &["sensor"]).unwrap();
        let mut topic = String::new();
        template.render(&[("sensor", &sensor)], &mut topic);
        prop_assert!(pattern(&topic).overlaps(&template));
        prop_assert!(pattern(&topic).matches(&topic).is_some());
    }
}
