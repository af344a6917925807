//! Private keys under a passphrase: with OpenSSL both ways, from a file, and typed at a terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::world::{pretty, transform};
use crate::support::terminal::Conversation;

const PASSPHRASE: &str = "correct horse battery";

/// A folder with a passphrase in a file, and a transform to be signed.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk { folder: tempfile::tempdir().unwrap() };
        desk.write("pass", format!("{PASSPHRASE}\n"));
        desk.write("wrong", "another horse\n");
        desk.write("t.json", pretty(&transform()));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A program without a terminal.
    fn run(&self, program: &str, words: &[&str]) -> Output {
        let mut command = Command::new("setsid");
        command.arg("--wait").arg(program).args(words).current_dir(self.folder.path());
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn calibctl(&self, words: &[&str]) -> Output {
        self.run(env!("CARGO_BIN_EXE_calibctl"), words)
    }

    /// calibctl has to do it; its answer.
    fn done(&self, words: &[&str]) -> Value {
        let output = self.calibctl(&[words, &["--json"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// calibctl must not do it; its exit code and what it says.
    fn fails(&self, words: &[&str]) -> (i32, String) {
        let output = self.calibctl(words);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    fn openssl(&self, words: &[&str]) -> String {
        let output = self.run("openssl", words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A line for the shell at a terminal of its own, where calibctl is `$0`.
    fn at_terminal(&self, line: &str) -> Conversation {
        let mut command = Command::new("sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_calibctl")]);
        Conversation::start(command.current_dir(self.folder.path()))
    }
}

#[test]
fn openssl_opens_what_calibctl_encrypts() {
    let desk = Desk::new();
    let made = desk.done(&["key", "generate", "k", "--passphrase-file", "pass"]);
    assert_eq!(made["encrypted"], true);
    let mode = fs::metadata(desk.path("k.key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(desk.text("k.key.pem").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let public = desk.openssl(&["pkey", "-in", "k.key.pem", "-passin", "file:pass", "-pubout"]);
    assert_eq!(public, desk.text("k.pub.pem"));
    let shown = desk.done(&["key", "show", "k.key.pem", "--passphrase-file", "pass"]);
    assert_eq!((&shown["keyid"], &shown["kind"]), (&made["keyid"], &"private".into()));
    assert_eq!(shown["encrypted"], true);
    desk.done(&["key", "generate", "other", "--passphrase-file", "pass"]);
    assert_ne!(desk.text("k.key.pem")[..100], desk.text("other.key.pem")[..100], "the same salt twice");
}

#[test]
fn calibctl_opens_what_openssl_encrypts() {
    let desk = Desk::new();
    desk.openssl(&["genpkey", "-algorithm", "ed25519", "-out", "plain.pem"]);
    let keyid = desk.done(&["key", "show", "plain.pem"])["keyid"].clone();
    let ways: [&[&str]; 5] = [
        &[],
        &["-scrypt"],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
        &["-v2", "aes-192-cbc", "-iter", "10000"],
        &["-scrypt", "-scrypt_N", "1024", "-scrypt_r", "4", "-scrypt_p", "2"],
    ];
    for way in ways {
        let base = ["pkcs8", "-topk8", "-in", "plain.pem", "-out", "k.pem", "-passout", "file:pass"];
        desk.openssl(&[&base[..], way].concat());
        let shown = desk.done(&["key", "show", "k.pem", "--passphrase-file", "pass"]);
        assert_eq!(shown["keyid"], keyid, "{way:?}");
        let (code, said) = desk.fails(&["key", "show", "k.pem", "--passphrase-file", "wrong"]);
        assert!(code == 1 && said.contains("the passphrase in wrong does not open it"), "{way:?}: {said}");
    }
    desk.openssl(&[
        "genpkey",
        "-algorithm",
        "ed25519",
        "-aes-256-cbc",
        "-out",
        "k.pem",
        "-pass",
        "file:pass",
    ]);
    desk.done(&["sign", "t.json", "--key", "k.pem", "--passphrase-file", "pass", "-o", "t.dsse.json"]);
}

#[test]
fn every_command_that_signs_takes_an_encrypted_key() {
    let desk = Desk::new();
    for name in ["root", "fleet"] {
        desk.done(&["key", "generate", name, "--passphrase-file", "pass"]);
    }
    desk.done(&["key", "generate", "plain"]);
    let with = ["--passphrase-file", "pass"];
    let init = ["root", "init", "--fleet", "plant-7", "--key", "root.key.pem", "--key", "plain.key.pem"];
    let rest = ["--fleet-key", "fleet.pub.pem", "-o", "root.json", "--issued-at", "2026-11-01T00:00:00Z"];
    desk.done(&[&init[..], &rest, &with].concat());
    desk.done(&["root", "renew", "root.json", "-o", "root-2.json"]);
    let signed = desk.done(
        &[&["root", "sign", "root-2.json", "--before", "root.json", "--key", "root.key.pem"][..], &with]
            .concat(),
    );
    assert_eq!(signed["complete"], true, "{signed}");
    desk.done(&[&["sign", "t.json", "--key", "fleet.key.pem", "-o", "t.dsse.json"][..], &with].concat());
    let verdict =
        desk.done(&["verify", "t.dsse.json", "--root", "root.json", "--now", "2026-11-22T12:00:00Z"]);
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
    // Where a public key is wanted, nobody is asked for a passphrase.
    let (code, said) = desk.fails(&[
        "root",
        "add-key",
        "root-2.json",
        "-o",
        "root-3.json",
        "--role",
        "fleet",
        "--key",
        "root.key.pem",
    ]);
    assert!(
        code == 1 && said.contains("root.key.pem: is an encrypted private key; name its public one"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_opened_says_why_and_what_to_do() {
    let desk = Desk::new();
    desk.done(&["key", "generate", "k", "--passphrase-file", "pass"]);
    desk.write("empty", "\nhorse\n");
    desk.write("short", "1234567\n");
    for (words, code, part) in [
        (
            &["--key", "k.key.pem"][..],
            2,
            "k.key.pem: its passphrase is needed, and there is no terminal to ask for it",
        ),
        (
            &["--key", "k.key.pem", "--passphrase-file", "wrong"],
            1,
            "k.key.pem: the passphrase in wrong does not open it",
        ),
        (&["--key", "k.key.pem", "--passphrase-file", "none"], 2, "none: No such file"),
        (&["--key", "k.key.pem", "--passphrase-file", "empty"], 2, "empty: its first line is empty"),
        (&["--key", "t.json", "--passphrase-file", "pass"], 1, "t.json: no `PRIVATE KEY` block in PEM"),
    ] {
        let failed = desk.fails(&[&["sign", "t.json"][..], words].concat());
        assert!(failed.0 == code && failed.1.contains(part), "{words:?}: {failed:?}");
    }
    desk.write("arrow", "correct\u{1b}[Dhorse\n");
    for (file, part) in [("short", "fewer than 8 characters"), ("arrow", "a key that writes nothing")] {
        let (code, said) = desk.fails(&["key", "generate", "s", "--passphrase-file", file]);
        assert!(code == 2 && said.contains(part), "{said}");
        assert!(!desk.path("s.key.pem").exists() && !desk.path("s.pub.pem").exists());
    }
    // Another algorithm, and encryption that is not read.
    desk.openssl(&["genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ec.pem"]);
    let base = ["pkcs8", "-topk8", "-out", "e.pem", "-passout", "file:pass", "-in"];
    desk.openssl(&[&base[..], &["ec.pem"]].concat());
    let sign = ["sign", "t.json", "--key", "e.pem", "--passphrase-file", "pass"];
    assert!(desk.fails(&sign).1.contains("e.pem: the `PRIVATE KEY` block does not hold an ed25519 key"));
    desk.openssl(&["genpkey", "-algorithm", "ed25519", "-out", "plain.pem"]);
    for way in [&["-v2prf", "hmacWithSHA1"][..], &["-v2", "camellia256"], &["-v1", "PBE-SHA1-3DES"]] {
        desk.openssl(&[&base[..], &["plain.pem"], way].concat());
        let (code, said) = desk.fails(&sign);
        assert!(
            code == 1 && said.contains("e.pem: the private key is encrypted in a way"),
            "{way:?}: {said}"
        );
        assert!(said.contains("openssl pkcs8 -topk8"), "{said}");
    }
}

#[test]
fn a_passphrase_is_typed_without_being_shown() {
    let desk = Desk::new();
    let mut terminal = desk.at_terminal("$0 key generate k --passphrase");
    for question in ["passphrase for k.key.pem:", "the same once more:"] {
        terminal.sees(question);
        terminal.types(PASSPHRASE);
    }
    assert_eq!(terminal.ends().code(), Some(0));
    assert!(!terminal.shown().contains("horse"), "{}", terminal.shown());
    desk.openssl(&["pkey", "-in", "k.key.pem", "-passin", "file:pass", "-noout"]);
    // While something else comes from stdin, and goes to stdout.
    let mut terminal = desk.at_terminal("$0 sign - --key k.key.pem < t.json > t.dsse.json");
    terminal.sees("passphrase of k.key.pem:");
    terminal.types("another horse");
    terminal.sees("wrong passphrase: type it again");
    terminal.sees("passphrase of k.key.pem:");
    terminal.types(PASSPHRASE);
    assert_eq!(terminal.ends().code(), Some(0));
    assert!(!terminal.shown().contains("horse"), "{}", terminal.shown());
    let signed: Value = serde_json::from_str(&desk.text("t.dsse.json")).unwrap();
    assert!(signed["signatures"][0]["sig"].is_string(), "{signed}");
}

#[test]
fn typing_may_be_given_up_and_ends_after_three_times() {
    let desk = Desk::new();
    let mut terminal = desk.at_terminal("$0 key generate k --passphrase");
    for (question, typed) in [("passphrase for", PASSPHRASE), ("once more", "another horse")] {
        terminal.sees(question);
        terminal.types(typed);
    }
    terminal.sees("the two passphrases differ; nothing was written");
    assert_eq!(terminal.ends().code(), Some(2));
    assert!(!desk.path("k.key.pem").exists());
    desk.done(&["key", "generate", "k", "--passphrase-file", "pass"]);
    let sign = "$0 sign t.json --key k.key.pem";
    let mut terminal = desk.at_terminal(sign);
    for _ in 0..3 {
        terminal.sees("passphrase of k.key.pem:");
        terminal.types("another horse");
    }
    terminal.sees("error: k.key.pem: wrong passphrase");
    assert_eq!(terminal.ends().code(), Some(1));
    let mut terminal = desk.at_terminal(sign);
    terminal.sees("passphrase of k.key.pem:");
    terminal.types("corr\u{3}");
    terminal.sees("error: k.key.pem: no passphrase was typed");
    assert_eq!(terminal.ends().code(), Some(1));
}
