//! A broker with the configuration that is shipped, and certificates made by the commands of the handbook.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::house::files::repository;
use crate::support::broker::Broker;
use crate::support::mqtt::Publisher;
use crate::support::process::{free_port, run};

use super::peer::{Attempt, Peer};

/// Everything of the fleet.
pub const FLEET: &str = "calibd/1/plant-7";
/// Names that have a meaning in topics, and the files of their certificates.
pub const ODD: [(&str, &str); 2] = [("plus", "+"), ("hash", "#")];

/// The broker of fleet `plant-7`.
pub struct Site {
    /// The broker; its plain listener is open to everybody and to every topic.
    pub broker: Broker,
    /// The port for gateways.
    pub gateways: u16,
    /// The port for the control plane and readers.
    pub operators: u16,
}

fn shipped(name: &str) -> String {
    fs::read_to_string(repository().join("config/mosquitto").join(name)).unwrap()
}

/// Puts `new` in the place of `old`, which has to be there.
fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "`{old}` is not in:\n{text}");
    text.replace(old, new)
}

/// The block of commands below `<!-- certificates: NAME -->` in the handbook.
fn block(name: &str) -> String {
    let text = fs::read_to_string(repository().join("docs/fleet/certificates.md")).unwrap();
    let (_, after) = text.split_once(&format!("<!-- certificates: {name} -->\n```bash\n")).unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

/// Runs commands of the handbook in a folder.
fn office(folder: &Path, commands: &str) {
    let script = format!("set -euo pipefail\n{}\n{commands}", block("commands"));
    run(Command::new("bash").args(["-c", &script]).current_dir(folder));
}

/// Another authority, and names that the handbook's `issue` would not sign.
fn strange_certificates() -> String {
    let new = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let mut script = format!(
        "{new} -x509 -days 7 -keyout other-ca.key -out other-ca.pem -subj /CN=other \
         -addext keyUsage=critical,keyCertSign\n\
         echo extendedKeyUsage=clientAuth > client.ext\n\
         mkdir other; cd other; request gw-1; mv gw-1.key ../stranger.key\n\
         openssl x509 -req -in gw-1.csr -CA ../other-ca.pem -CAkey ../other-ca.key -CAcreateserial -days 7 \
         -extfile ../client.ext -out ../stranger.pem; cd ..\n"
    );
    for (file, name) in ODD {
        let name = name.replace('+', "\\+");
        write!(
            script,
            "{new} -keyout {file}.key -out {file}.csr -subj '/CN={name}'\n\
             openssl x509 -req -in {file}.csr -CA gateways-ca.pem -CAkey gateways-ca.key -CAcreateserial \
             -days 7 -extfile client.ext -out {file}.pem\n"
        )
        .unwrap();
    }
    script
}

impl Site {
    /// A running broker; these lines of the gateways' ACL, comments as shipped, are in force.
    pub fn open(acl: &[&str]) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        run(Command::new("bash").args(["-euo", "pipefail", "-c", &block("authorities")]).current_dir(folder));
        let ordinary = ["broker", "gateway", "operators", "lists"].map(block).concat();
        let second = "request gw-2\nissue gateways-ca gw-2 clientAuth\n";
        office(folder, &format!("{ordinary}{second}{}", strange_certificates()));

        let mut grants = shipped("gateways.acl");
        for line in acl {
            grants = replaced(&grants, &format!("# {line}"), line);
        }
        fs::write(folder.join("gateways.acl"), grants).unwrap();
        fs::write(folder.join("operators.acl"), shipped("operators.acl")).unwrap();

        let [gateways, operators, plain] = [free_port(), free_port(), free_port()];
        let place = folder.display().to_string();
        let text = replaced(&shipped("mosquitto.conf"), "/etc/mosquitto/calibd", &place);
        let text = replaced(&text, "/var/lib/mosquitto", &place);
        let text = replaced(&text, "listener 8883\n", &format!("listener {gateways} 127.0.0.1\n"));
        let text = replaced(&text, "listener 8884\n", &format!("listener {operators} 127.0.0.1\n"));
        let text = format!("user root\n{text}\nlistener {plain} 127.0.0.1\nallow_anonymous true\n");
        Site { broker: Broker::configured(dir, plain, &text), gateways, operators }
    }

    /// The certificate and the key of `name`.
    pub fn papers(&self, name: &str) -> [PathBuf; 2] {
        [self.broker.path(&format!("{name}.pem")), self.broker.path(&format!("{name}.key"))]
    }

    /// The authority that signed the broker's certificate.
    pub fn authority(&self) -> PathBuf {
        self.broker.path("gateways-ca.pem")
    }

    /// Runs commands of the handbook beside the authorities.
    pub fn office(&self, commands: &str) {
        office(&self.broker.path(""), commands);
    }

    /// Comes to the gateways' listener as itself.
    pub fn gateway(&self, name: &str) -> Peer {
        self.at(self.gateways, Some(name), name).connect().unwrap()
    }

    /// Comes to the operators' listener, beside others of that name.
    pub fn operator(&self, name: &str) -> Peer {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("{name}-{}", NEXT.fetch_add(1, Ordering::SeqCst));
        self.at(self.operators, Some(name), &id).connect().unwrap()
    }

    /// An attempt to come in at `port` with the certificate of `name` and this client id.
    pub fn at(&self, port: u16, name: Option<&str>, client_id: &str) -> Attempt {
        let papers = name.map(|name| self.papers(name));
        Attempt { port, authority: self.authority(), papers, id: client_id.to_owned(), ..Attempt::default() }
    }

    /// Somebody whom no rule binds.
    pub fn anybody(&self) -> Publisher {
        Publisher::new(&self.broker)
    }
}
