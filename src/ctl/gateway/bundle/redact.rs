//! What never leaves the gateway: private keys, passwords, what stands before the host of an address.

use serde_json::Value;

/// Stands where something was left out.
const LEFT_OUT: &str = "(left out)";
/// Keys whose values are left out, whatever they hold, but for names of files.
const SECRETS: [&str; 5] = ["password", "passphrase", "secret", "token", "credential"];

/// The text without private keys and without users and passwords in addresses.
pub fn text(text: &str) -> String {
    addresses(&keys(text))
}

/// Leaves out what a parsed configuration must not hold, and what its texts must not.
pub fn value(value: &mut Value) {
    match value {
        Value::String(held) => *held = text(held),
        Value::Array(items) => items.iter_mut().for_each(self::value),
        Value::Object(fields) => {
            for (key, held) in fields {
                match is_secret(key) {
                    true => *held = Value::String(LEFT_OUT.to_owned()),
                    false => self::value(held),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !key.ends_with("_file") && SECRETS.iter().any(|secret| key.contains(secret))
}

/// Leaves out blocks of PEM that hold private keys, also those in one line of JSON, and those without an end.
fn keys(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    let (mut left, mut out) = (text, String::with_capacity(text.len()));
    while let Some(at) = left.find(BEGIN) {
        let (before, block) = left.split_at(at);
        let label = block[BEGIN.len()..].split("-----").next().unwrap_or_default();
        out.push_str(before);
        left = if label.contains("PRIVATE KEY") {
            out.push_str(LEFT_OUT);
            let end = format!("-----END {label}-----");
            block.find(&end).map_or("", |at| &block[at + end.len()..])
        } else {
            out.push_str(BEGIN);
            &block[BEGIN.len()..]
        };
    }
    out + left
}

/// Leaves out what stands between `//` and `@` of an address.
fn addresses(text: &str) -> String {
    let (mut left, mut out) = (text, String::with_capacity(text.len()));
    while let Some(at) = left.find("://") {
        let (before, rest) = left.split_at(at + 3);
        out.push_str(before);
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c)).unwrap_or(rest.len());
        left = match rest[..end].rfind('@') {
            Some(host) => {
                out.push_str(LEFT_OUT);
                &rest[host..]
            }
            None => rest,
        };
    }
    out + left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn private_keys_are_left_out_and_public_ones_stay() {
        let key = |label: &str| format!("-----BEGIN {label}-----\nMC4CAQ\n-----END {label}-----");
        let both = format!("a {} b {} c", key("PRIVATE KEY"), key("PUBLIC KEY"));
        assert_eq!(text(&both), format!("a (left out) b {} c", key("PUBLIC KEY")));
        assert_eq!(text(&key("EC PRIVATE KEY").replace('\n', "\\n")), "(left out)");
        assert_eq!(text("a -----BEGIN ENCRYPTED PRIVATE KEY-----\nMC4C"), "a (left out)");
    }

    #[test]
    fn addresses_lose_users_and_passwords() {
        assert_eq!(text("mqtts://u:p@b.example:8883/x@y"), "mqtts://(left out)@b.example:8883/x@y");
        assert_eq!(
            text("at mqtt://u:p@q@host and http://h/ too"),
            "at mqtt://(left out)@host and http://h/ too"
        );
        assert_eq!(text("mail a@b, https://toml.io a@b"), "mail a@b, https://toml.io a@b");
    }

    #[test]
    fn values_of_secret_keys_are_left_out_and_names_of_files_stay() {
        let mut config = json!({"mqtt": {"password": "p", "password_file": "/etc/p", "api_Token": ["t"], "url": "a://u@h"}});
        value(&mut config);
        let left = json!({"mqtt": {"password": "(left out)", "password_file": "/etc/p", "api_Token": "(left out)", "url": "a://(left out)@h"}});
        assert_eq!(config, left);
    }

    proptest! {
        #[test]
        fn no_text_ends_it_and_twice_leaves_out_no_more(before in any::<String>(), user in "[a-z:]{1,9}") {
            let once = text(&format!("{before} x://{user}@h"));
            prop_assert!(once.ends_with("(left out)@h"));
            prop_assert_eq!(text(&once), once);
        }
    }
}
