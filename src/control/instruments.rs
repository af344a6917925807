//! `POST /v1/sensors/{id}/instrument` and `GET /v1/sensors/{id}/instruments`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use tokio::sync::oneshot;

use super::answer::{Answer, Problem, json, to_its_end};
use super::gateway::Gateway;
use super::given::{Given, text};
use super::peer::Peer;
use super::readings::known;
use crate::activation::desk::Ask;
use crate::domain::id::SensorId;
use crate::domain::sensor::Instrument;
use crate::domain::session::Stage;
use crate::source::binding;
use crate::store;
use crate::tracking;
use crate::wire::control::{Instruments, Mount, Mounted};

/// The longest word about an instrument, in characters.
const LONGEST: usize = 128;
/// The longest comment.
const LONGEST_COMMENT: usize = 1000;
/// Instruments that a history shows, the newest.
const SHOWN: usize = 1000;

/// Notes that an instrument was mounted, and judges again what is in force.
pub async fn mount(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    peer: Peer,
    Given(instrument): Given<Instrument>,
) -> Answer {
    checked(&instrument)?;
    let sensor = known(&gateway, &name).await?;
    free(&gateway, &sensor).await?;
    to_its_end(async move { swap(&gateway, sensor, instrument, peer.actor()).await }).await
}

/// Refuses a swap in the middle of a session: its points, its transform and its certificate are of one instrument. Of
/// one that is given up there will be no certificate.
async fn free(gateway: &Gateway, sensor: &SensorId) -> Result<(), Problem> {
    let Some(open) = gateway.session_at(sensor).await?.filter(|open| open.stage != Stage::Reverting) else {
        return Ok(());
    };
    let text = format!(
        "{sensor} is being recalibrated (session {}, in the hands of {}), and a session is of one instrument: end it (`calibctl recalibrate {sensor} --resume`) or give it up (`--abort`), mount the instrument then, and open a new one",
        open.id, open.by
    );
    Err(Problem::with(StatusCode::CONFLICT, text))
}

/// The ledger first: what is not noted there must not count.
async fn swap(gateway: &Gateway, sensor: SensorId, instrument: Instrument, actor: String) -> Answer {
    let before = gateway.in_force().await?.remove(&sensor);
    let mount = store::Mount {
        sensor: sensor.clone(),
        at: gateway.clock.now(),
        actor,
        instrument,
        configured_serial: gateway.sensors.configured_serial(&sensor),
    };
    gateway.store.mount(mount.clone()).await?;
    let Instrument { model, serial, .. } = mount.instrument.clone();
    let configured_serial = mount.configured_serial.clone();
    gateway.sensors.mount(sensor.clone(), binding::Mounted { model, serial, configured_serial });
    let (done, judged) = oneshot::channel();
    let gone = || Problem::unavailable("noted, but calibd is ending: it counts from the next start");
    gateway.desk.send(Ask::Mounted(done)).await.map_err(|_| gone())?;
    judged.await.map_err(|_| gone())?;
    gateway.tracking.send(tracking::Ask::Mounted(sensor.clone(), mount.at)).await.map_err(|_| gone())?;
    // It is mounted, whether or not the pipeline can say in time what that did.
    let transform = gateway.in_force().await.ok().and_then(|mut all| all.remove(&sensor));
    tracing::info!(%sensor, serial = mount.instrument.serial, "another instrument is mounted");
    json(&Mounted { sensor, mount: shown(mount), before, transform })
}

fn checked(instrument: &Instrument) -> Result<(), Problem> {
    let Instrument { model, serial, make, element_serial, firmware, comment } = instrument;
    text("model", model, LONGEST)?;
    text("serial", serial, LONGEST)?;
    for (name, value) in [("make", make), ("element_serial", element_serial), ("firmware", firmware)] {
        value.as_ref().map_or(Ok(()), |value| text(name, value, LONGEST))?;
    }
    comment.as_ref().map_or(Ok(()), |comment| text("comment", comment, LONGEST_COMMENT))
}

/// What was mounted at a sensor.
pub async fn history(State(gateway): State<Gateway>, Path(name): Path<String>) -> Answer {
    let sensor = known(&gateway, &name).await?;
    let mounts = gateway.store.mounts_of(sensor.clone(), SHOWN).await?;
    let (model, serial) = match gateway.sensors.get(&sensor) {
        Some(now) => (now.model.clone(), now.serial.clone()),
        None => (None, None),
    };
    json(&Instruments { sensor, model, serial, mounts: mounts.into_iter().map(shown).collect() })
}

fn shown(mount: store::Mount) -> Mount {
    Mount { mounted: mount.at, actor: mount.actor, instrument: mount.instrument }
}
