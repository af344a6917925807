//! The history's tables. Why they look like this, and what they cost: docs/decisions/0040.

use super::learnt;
use crate::store::comparisons::{SHARED, judge_tables, pair_tables, reference_tables};
use crate::store::file::Kind;

/// The history file.
pub const HISTORY: Kind = Kind {
    name: "history",
    application_id: 0x6361_6c68, // "calh"
    page_size: 4096,
    checkpoint: 1000,
    migrations: &[V1, V2, V3, V4, V5, learnt::TABLE, SHARED, V8],
};

/// Columns are in the order of the insert statement; small and often-empty ones cost no bytes.
const V1: &str = "
-- incarnation: of the ledger that belongs here; rolled: rollups, minutes, sensors.last_seq and
-- series.last_seq cover exactly the readings up to this number
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sensors(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL) STRICT;
-- what the readings of a sensor have in common as long as nothing changes
CREATE TABLE series(
    id INTEGER PRIMARY KEY,
    sensor INTEGER NOT NULL,
    unit TEXT NOT NULL,
    transform TEXT,
    version INTEGER,
    digest BLOB
) STRICT;
CREATE TABLE readings(
    seq INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    time INTEGER NOT NULL,   -- microseconds since 1970
    lag INTEGER,             -- received minus time in microseconds; null: 0
    back INTEGER,            -- seq minus that of the sensor's previous reading; null: none
    raw REAL,
    value REAL,
    u REAL,
    flags INTEGER NOT NULL   -- state + 4 * reasons
) STRICT;
-- a minute of a series, or a part of one: rows of one minute and series are to be merged
CREATE TABLE rollups(
    first_seq INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    series INTEGER NOT NULL,
    minute INTEGER NOT NULL, -- minutes since 1970
    n INTEGER NOT NULL,
    raw_n INTEGER NOT NULL, raw_min REAL, raw_max REAL, raw_mean REAL, raw_m2 REAL,
    value_n INTEGER NOT NULL, value_min REAL, value_max REAL, value_mean REAL, value_m2 REAL
) STRICT;
-- where the readings of a minute are, of all sensors: the way from a time to numbers
CREATE TABLE minutes(minute INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL) STRICT;
-- by this number the retention clock stood there; both ascend
CREATE TABLE marks(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT;
CREATE TABLE cursors(sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- not yet announced
CREATE TABLE gaps(first INTEGER NOT NULL, last INTEGER NOT NULL, reason TEXT NOT NULL, sink TEXT) STRICT;
";

/// The probabilities that `value` merges; null where there are none.
const V2: &str = "ALTER TABLE readings ADD COLUMN p0 REAL; ALTER TABLE readings ADD COLUMN p1 REAL;";

/// What must never fall, as the ledger has it: for the day on which that is lost, or an older one restored.
const V3: &str = "
CREATE TABLE floors(
    id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// References that came by themselves, pairs, and what was made of them.
const V4: &str = concat!(reference_tables!(), pair_tables!(), judge_tables!());

/// The event that a reading is about; null where it names none. Only those that do are in the index.
const V5: &str = "
ALTER TABLE readings ADD COLUMN event TEXT;
CREATE INDEX readings_of_events ON readings(event) WHERE event IS NOT NULL;
";

/// The last reading of a series, so that one can go with its readings. Of what was there before it is only known that
/// it is none that comes later.
const V8: &str = "
ALTER TABLE series ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 0;
UPDATE series SET last_seq = (SELECT coalesce(max(seq), 0) FROM readings);
";
