//! The Debian package, on a machine that boots with a systemd of its own.

mod disks;
mod machine;
mod made;
mod service;
mod versions;

/// A sensor that speaks ten times a second, as a part of the configuration.
const SENSOR: &str = "[source.game]\nkind = \"synthetic\"\nseed = 7\nperiod = \"100ms\"\n\
    fields = { value = { level = 20, noise = { std = 0.1 } } }\n\n\
    [sensor.s1]\nsource = \"game\"\nfield = \"value\"\nunit = \"Cel\"\n";
/// Where that part stands.
const SENSOR_FILE: &str = "/etc/calibd/conf.d/10-sensor.toml";
