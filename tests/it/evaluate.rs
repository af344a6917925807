//! `calibctl evaluate` on files.

use crate::support::desk::Desk;

fn measured() -> Desk {
    let desk = Desk::new();
    desk.write(
        "m.csv",
        "value,ref,u,ur,site\n1.5,1,0.3,0.4,a\n2.5,2,0.3,0.4,a\n2,3,0.3,0.4,b\n4,4,0.3,0.4,b\n",
    );
    desk
}

#[test]
fn measurements_are_scored_by_the_definitions() {
    let desk = measured();
    let all = desk.json(&["evaluate", "m.csv", "--kind", "measurement", "--ux", "u", "--uy", "ur"]);
    // errors 0.5, 0.5, -1, 0; U = 2 * 0.5 = 1
    for (name, want) in [
        ("bias", 0.0),
        ("rmse", (1.5f64 / 4.0).sqrt()),
        ("mae", 0.5),
        ("std", 0.5f64.sqrt()),
        ("en_mean", 0.0),
        ("en_fraction_within_1", 1.0),
        ("n", 4.0),
    ] {
        assert!((all[name].as_f64().unwrap() - want).abs() < 1e-12, "{name}: {all}");
    }
    for name in ["r_squared", "slope", "intercept"] {
        assert!(all[name].is_f64(), "{name}");
    }
    let expanded = ["evaluate", "m.csv", "--kind", "measurement", "--Ux", "u", "--Uy", "ur"];
    assert_eq!(desk.json(&expanded)["en_fraction_within_1"], 0.75, "U = 0.5: one E_n is -2");
}

#[test]
fn cohorts_and_intervals_come_when_asked() {
    let desk = measured();
    let args =
        ["evaluate", "m.csv", "--kind", "measurement", "--by", "site", "--bootstrap", "200", "--seed", "7"];
    let scores = desk.json(&args);
    assert_eq!(
        (scores["cohorts"]["a"]["bias"].as_f64(), scores["cohorts"]["b"]["bias"].as_f64()),
        (Some(0.5), Some(-0.5))
    );
    let bias = &scores["intervals"]["bias"];
    assert!(bias[0].as_f64().unwrap() < 0.0 && bias[1].as_f64().unwrap() > 0.0);
    assert_eq!(scores, desk.json(&args), "a seed gives the same again");
    assert!(desk.done(&args).contains("bias"));
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let desk = measured();
    let base = ["evaluate", "m.csv", "--kind", "measurement"];
    desk.refuses(&[&base[..], &["--ux", "u"]].concat(), &["--uy"]);
    desk.refuses(&[&base[..], &["--y", "site"]].concat(), &["line 2", "`site`"]);
    desk.refuses(&[&base[..], &["--k", "0", "--ux", "u", "--uy", "ur"]].concat(), &["--k"]);
}
