//! Encrypted connections: who may talk to whom.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::support::broker::{Broker, Guarded};
use crate::support::gateway::{Gateway, MQTT_SOURCE, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::process::{free_port, run};
use crate::support::tty::Tty;
use crate::support::wait::until_true;

/// Certificates made with OpenSSL.
struct Office {
    dir: TempDir,
}

fn openssl(arguments: &[&str], dir: &Path) {
    run(Command::new("openssl").args(arguments).current_dir(dir));
}

const NEW_KEY: [&str; 6] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];

impl Office {
    fn new() -> Office {
        let office = Office { dir: tempfile::tempdir().unwrap() };
        office.authority("ca");
        office.authority("other-ca");
        office.certificate("broker", "ca", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n");
        office.certificate("gw-1", "ca", "extendedKeyUsage=clientAuth\n");
        office.certificate("stranger", "other-ca", "extendedKeyUsage=clientAuth\n");
        office
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn authority(&self, name: &str) {
        let (key, cert, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
        let mut arguments = vec!["req", "-x509", "-days", "7", "-subj", &subject, "-out", &cert];
        arguments.extend(["-addext", "keyUsage=critical,keyCertSign"]);
        arguments.extend(NEW_KEY);
        arguments.push(&key);
        openssl(&arguments, self.dir.path());
    }

    fn certificate(&self, name: &str, by: &str, extensions: &str) {
        let [key, csr, cert, ext] = ["key", "csr", "pem", "ext"].map(|ending| format!("{name}.{ending}"));
        let (ca, ca_key, subject) = (format!("{by}.pem"), format!("{by}.key"), format!("/CN={name}"));
        std::fs::write(self.file(&ext), extensions).unwrap();
        let mut arguments = vec!["req", "-subj", &subject, "-out", &csr];
        arguments.extend(NEW_KEY);
        arguments.push(&key);
        openssl(&arguments, self.dir.path());
        let sign =
            ["x509", "-req", "-days", "7", "-in", &csr, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial"];
        openssl(&[&sign[..], &["-extfile", &ext, "-out", &cert]].concat(), self.dir.path());
    }

    /// A broker that lets in only who has a certificate of `ca` and the password.
    fn broker(&self, port: u16) -> Broker {
        let [ca, cert, key] = ["ca.pem", "broker.pem", "broker.key"].map(|name| self.file(name));
        let login = Some(("gw-1", "open sesame"));
        Broker::guarded(&Guarded { port, tls: Some([&ca, &cert, &key]), login })
    }

    /// The connection of a gateway that trusts `ca`, shows `cert` and says `password`.
    fn connection(&self, port: u16, ca: &str, cert: &str, password: &str) -> String {
        let secret = self.file("password");
        std::fs::write(&secret, format!("{password}\n")).unwrap();
        std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        let [ca, key, cert] = [format!("{ca}.pem"), format!("{cert}.key"), format!("{cert}.pem")]
            .map(|name| self.file(&name).display().to_string());
        format!(
            "[mqtt]\nurl = \"mqtts://127.0.0.1:{port}\"\nca_file = \"{ca}\"\ncert_file = \"{cert}\"\n\
             key_file = \"{key}\"\nusername = \"gw-1\"\npassword_file = \"{}\"\n",
            secret.display()
        )
    }
}

#[test]
fn certificate_and_password_open_the_way_in_both_directions() {
    let (office, port) = (Office::new(), free_port());
    let broker = office.broker(port);
    let connection = office.connection(port, "ca", "gw-1", "open sesame");
    let gateway = Gateway::new().with(&connection).with(MQTT_SOURCE).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let mut daemon = gateway.start();
    daemon.linked();
    Publisher::new(&broker).publish("sensors/co-1/raw", r#"{"v":1.25}"#);
    let reading = above.await_on(&format!("{UP}/reading/co-1"), |message| Some(message.json()));
    assert_eq!(reading["raw"], json!(1.25));
    assert_eq!(daemon.process.stop().code(), Some(0));
}

/// A gateway whose connection fails says why, counts it, and keeps its readings.
fn is_kept_out(ca: &str, cert: &str, password: &str, why: &[&str]) {
    let (office, port, mut tty) = (Office::new(), free_port(), Tty::new());
    let _broker = office.broker(port);
    let line = format!(
        "[source.line1]\nkind = \"serial\"\nport = \"{}\"\nfirst_line = \"keep\"\nformat = {{ kind = \"csv\" }}\n\
         fields = {{ a = {{ column = 0 }} }}\n[sensor.a]\nsource = \"line1\"\nfield = \"a\"\nunit = \"nA\"\n",
        tty.path().display()
    );
    let connection = office.connection(port, ca, cert, password);
    let gateway = Gateway::new().with(&connection).with(&line).with(UPLINK);
    let mut daemon = gateway.start();
    daemon.reaches("calibd_source_up{source=\"line1\"}", 1);
    daemon.reaches("calibd_link_reconnects_total", 2);
    let said = daemon.process.log();
    assert!(why.iter().any(|text| said.contains(text)), "one of {why:?} in\n{said}");
    assert!(said.contains(&format!("broker 127.0.0.1:{port}")), "{said}");
    assert_eq!(daemon.metric("calibd_link_up"), 0);
    tty.write("7\n");
    until_true("the reading to be kept", || gateway.history().raw_of("a") == [Some(7.0)]);
    assert_eq!(daemon.process.stop().code(), Some(0));
}

#[test]
fn a_broker_of_another_authority_is_not_believed() {
    is_kept_out("other-ca", "gw-1", "open sesame", &["UnknownIssuer"]);
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    is_kept_out(
        "ca",
        "stranger",
        "open sesame",
        &["UnknownCA", "unknown ca", "fatal alert", "CertificateUnknown"],
    );
}

#[test]
fn a_wrong_password_is_refused() {
    is_kept_out(
        "ca",
        "gw-1",
        "close sesame",
        &["NotAuthorized", "BadUserNamePassword", "user name or password"],
    );
}
