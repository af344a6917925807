//! The ledger's tables.

use crate::store::comparisons::reference_tables;
use crate::store::file::Kind;

/// The ledger file.
pub const LEDGER: Kind = Kind {
    name: "ledger",
    application_id: 0x6361_6c6c, // "call"
    page_size: 4096,
    checkpoint: 100,
    migrations: &[V1, V2, V3, V4, V5, V6],
};

const V1: &str = "
-- incarnation; incarnation_first: the first number it gave; clean_next: the next unused number,
-- only after a clean end; time_floor: microseconds since 1970; rolled_back SENSOR: the digest to which a
-- local order went back there, until a new version comes into force; command_serial, command_digest: the newest
-- command that was accepted; commands_since: those issued before are refused in commands_incarnation
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE blocks(first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
CREATE TABLE gaps(first INTEGER NOT NULL, last INTEGER NOT NULL, reason TEXT NOT NULL, sink TEXT) STRICT;
CREATE TABLE roots(
    version INTEGER PRIMARY KEY, digest BLOB NOT NULL, envelope BLOB NOT NULL, installed INTEGER NOT NULL
) STRICT;
CREATE TABLE transforms(
    digest BLOB PRIMARY KEY, id TEXT NOT NULL, epoch INTEGER NOT NULL, version INTEGER NOT NULL,
    envelope BLOB NOT NULL, keyids TEXT NOT NULL, accepted INTEGER NOT NULL
) STRICT;
-- the newest version of each id that was ever accepted
CREATE TABLE floors(
    id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE active(sensor TEXT PRIMARY KEY, digest BLOB NOT NULL, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- what was in force when: ascending, never changed
CREATE TABLE activations(
    number INTEGER PRIMARY KEY, sensor TEXT NOT NULL, digest BLOB NOT NULL, since INTEGER NOT NULL
) STRICT;
-- which refusals have their audit row: a digest, or a reason and hour
CREATE TABLE refusals(key TEXT PRIMARY KEY, time INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE audit(
    seq INTEGER PRIMARY KEY, time TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, detail TEXT NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL
) STRICT;
";

/// Instruments and maintenance.
const V2: &str = "
-- which instrument sits at which position: ascending, never changed; configured_serial: what the
-- configuration said at the time
CREATE TABLE instruments(
    number INTEGER PRIMARY KEY, sensor TEXT NOT NULL, mounted INTEGER NOT NULL, actor TEXT NOT NULL,
    model TEXT NOT NULL, serial TEXT NOT NULL, make TEXT, element_serial TEXT, firmware TEXT, comment TEXT,
    configured_serial TEXT
) STRICT;
CREATE INDEX instruments_of_sensor ON instruments(sensor);
-- sensors in maintenance now
CREATE TABLE maintenance(
    sensor TEXT PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL, reason TEXT, actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// References that people gave, the standards behind them, and alerts.
const V3: &str = concat!(
    reference_tables!(),
    "
-- reference standards: ascending, never changed, the last of an id counts; content: JSON
CREATE TABLE standards(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, added INTEGER NOT NULL, actor TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;
CREATE INDEX standards_of_id ON standards(id);
-- alerts, the one raised first has the lowest number; content: JSON
CREATE TABLE alerts(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, cause TEXT NOT NULL, raised INTEGER NOT NULL,
    cleared INTEGER, content TEXT NOT NULL
) STRICT;
-- what the alerts go on from: one row of JSON
CREATE TABLE alert_state(one INTEGER PRIMARY KEY CHECK (one = 1), content TEXT NOT NULL) STRICT;
-- alerts of which the broker may hold a retained message
CREATE TABLE alerts_retained(id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
"
);

/// What the fleet says of the gateway.
const V4: &str = "
-- what the fleet said of this gateway, the highest version counts
CREATE TABLE enrolments(
    version INTEGER PRIMARY KEY, digest BLOB NOT NULL, envelope BLOB NOT NULL, accepted INTEGER NOT NULL
) STRICT;
";

/// Rollouts and orders, and what the fleet asks for.
const V5: &str = "
-- what each sensor's rollouts go on from; state: JSON
CREATE TABLE rollouts(sensor TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- the last order about each transform id that was followed
CREATE TABLE orders(id TEXT PRIMARY KEY, serial INTEGER NOT NULL, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;
-- recalibrations that the fleet asks for, until they are done
CREATE TABLE recalibrations(
    sensor TEXT PRIMARY KEY, serial INTEGER NOT NULL, asked INTEGER NOT NULL, until INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Manifests, priors of sensor models, recalibration sessions, and what came of them.
const V6: &str = "
-- the newest manifest of each branch; envelope: null where only its version is known any more
CREATE TABLE manifests(
    branch TEXT PRIMARY KEY, version INTEGER NOT NULL, digest BLOB NOT NULL, envelope BLOB,
    accepted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- the newest prior of each sensor model; envelope: null where only the version is known, from before the ledger was lost
CREATE TABLE priors(
    model TEXT PRIMARY KEY, version INTEGER NOT NULL, digest BLOB NOT NULL, envelope BLOB, accepted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- sessions of recalibration, as of the last step of each; content: JSON
CREATE TABLE sessions(
    id TEXT PRIMARY KEY, sensor TEXT NOT NULL, opened INTEGER NOT NULL, ended INTEGER, content TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sessions_open ON sessions(sensor) WHERE ended IS NULL;
CREATE INDEX sessions_opened ON sessions(opened);
CREATE INDEX activations_of ON activations(sensor, number);
-- certificates that this gateway issued: ascending, never changed; outcomes: as certificates write them
CREATE TABLE certificates(
    place INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, digest BLOB NOT NULL, sensor TEXT NOT NULL,
    session TEXT NOT NULL, issued INTEGER NOT NULL, as_found TEXT, as_left TEXT, envelope BLOB NOT NULL
) STRICT;
CREATE INDEX certificates_of_sensor ON certificates(sensor);
";
