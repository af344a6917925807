//! What is asked of the desk on the gateway itself.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::Desk;
use super::local::{Declined, RollBack};
use super::sessions::{Site, Trust};
use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::plan::{Fallback, Policy};
use crate::pipeline::active::Change;
use crate::pipeline::calibrate::OnExpired;
use crate::pipeline::run::Request;
use crate::store::StoreError;
use crate::wire::control::{Prior, SensorRollout};
use crate::wire::message::Ack;

/// Where the answer goes.
pub type Answered = oneshot::Sender<Result<Ack, Declined>>;

/// What of `[trust]` may change.
#[derive(Debug, Clone, Copy)]
pub struct TrustPolicy {
    /// What becomes of a transform in force that a new root does not let stand.
    pub on_revoked: Fallback,
    /// Whether what comes through a branch has to be listed in its manifest.
    pub require_manifest: bool,
}

/// Something asked of the desk, between two artifacts.
#[derive(Debug)]
pub enum Ask {
    /// The configuration has changed: judge again what is in force at which sensor, and have the pipeline
    /// take over the sensors' facts in the same step.
    Reconfigured(OnExpired, TrustPolicy, Policy, oneshot::Sender<()>),
    /// Another instrument is mounted: judge again what is in force at which sensor.
    Mounted(oneshot::Sender<()>),
    /// Judge an artifact that somebody brought: its bytes, and who it was.
    Install(Bytes, String, Answered),
    /// Go back to an earlier transform.
    RollBack(RollBack, Answered),
    /// Say what a session has to know of a sensor.
    Site(SensorId, oneshot::Sender<Result<Site, StoreError>>),
    /// Say what counts of root and enrolment, and what the time is.
    Trust(oneshot::Sender<Trust>),
    /// A session begins at a sensor, or ends there.
    Session(SensorId, Option<Id>, oneshot::Sender<Result<(), StoreError>>),
    /// Take out of force what is in force at a sensor; by whose word.
    Withdraw(SensorId, String, oneshot::Sender<Result<(), StoreError>>),
    /// Say how transforms come into force, at one sensor or at all.
    Rollouts(Option<SensorId>, oneshot::Sender<Vec<SensorRollout>>),
    /// Say which priors of sensor models there are.
    Priors(oneshot::Sender<Vec<Prior>>),
    /// Write down what rollouts have seen: the end is near.
    Finish(oneshot::Sender<()>),
}

impl Desk {
    pub(super) async fn serve(&mut self, ask: Ask, pipeline: &mpsc::Sender<Request>) {
        // Whoever asked may have given up waiting.
        match ask {
            Ask::Reconfigured(on_expired, trust, policy, done) => {
                // What was refused because no manifest listed it may pass now.
                if self.manifests.require(trust.require_manifest) {
                    self.asking.want();
                }
                self.follow(Policy { when_invalid: trust.on_revoked, ..policy }, pipeline).await;
                self.reconfigured(on_expired, pipeline).await;
                let _ = done.send(());
            }
            Ask::Mounted(done) => {
                let changes = self.restore_again().await;
                self.effect(changes, pipeline, Request::Mounted).await;
                self.ask_for_priors();
                let _ = done.send(());
            }
            Ask::Install(envelope, user, answer) => {
                let _ = answer.send(self.install(envelope, user, pipeline).await);
            }
            Ask::RollBack(order, answer) => {
                let _ = answer.send(self.roll_back(&order, pipeline).await);
            }
            Ask::Site(sensor, answer) => drop(answer.send(self.site(&sensor).await)),
            Ask::Trust(answer) => drop(answer.send(self.trust())),
            Ask::Session(sensor, session, answer) => {
                let _ = answer.send(self.session(sensor, session, pipeline).await);
            }
            Ask::Withdraw(sensor, actor, answer) => {
                let _ = answer.send(self.withdraw(&sensor, actor, pipeline).await);
            }
            Ask::Rollouts(sensor, answer) => drop(answer.send(self.rollouts_of(sensor.as_ref()))),
            Ask::Priors(answer) => drop(answer.send(self.priors_held())),
            Ask::Finish(done) => {
                self.save_rollouts(true).await;
                let _ = done.send(());
            }
        }
    }

    async fn reconfigured(&mut self, on_expired: OnExpired, pipeline: &mpsc::Sender<Request>) {
        let changes = self.restore_again().await;
        let request = |changes, done| Request::Reconfigure(changes, on_expired, done);
        self.effect(changes, pipeline, request).await;
        self.ask_for_priors();
    }

    /// Has the pipeline take over changes, and reports them.
    pub(super) async fn effect(
        &mut self,
        changes: Vec<Change>,
        pipeline: &mpsc::Sender<Request>,
        request: impl FnOnce(Vec<Change>, oneshot::Sender<()>) -> Request,
    ) {
        let sensors: Vec<_> = changes.iter().map(|change| change.sensor.clone()).collect();
        let (done, effective) = oneshot::channel();
        if pipeline.send(request(changes, done)).await.is_ok() {
            // An error means that the pipeline is ending.
            let _ = effective.await;
        }
        self.watch_all(pipeline).await;
        for sensor in &sensors {
            self.report(sensor);
        }
    }
}
