//! Takes over another configuration while readings flow.
//!
//! What can fail is tried before anything is changed. Then: sources and connections that change end; sensors and
//! what is in force at them change in one step, after all that was read before; sinks, sources and connections
//! begin, each only where it has changed.

use std::time::Duration;

use tokio::sync::oneshot;

use super::page::{self, Page};
use super::run::Running;
use super::wiring;
use crate::activation::desk::Ask;
use crate::config::Config;
use crate::config::difference::needs_restart;
use crate::domain::alert::Event;
use crate::pipeline::run::Request;

/// How long a reload waits for those who compare sensors.
const PATIENCE: Duration = Duration::from_secs(10);

impl Running {
    /// Goes over to `config`; otherwise says why not, and nothing has changed.
    pub async fn reload(&mut self, config: Config) -> Result<(), Vec<String>> {
        let fixed = needs_restart(&self.config, &config);
        if !fixed.is_empty() {
            let fault =
                |key: &&str| format!("{key} cannot change while calibd runs: restart it, or change it back");
            return Err(fixed.iter().map(fault).collect());
        }
        let listen = |config: &Config| config.http.as_ref().map(|http| http.listen);
        let moves = listen(&config) != listen(&self.config);
        let bound = match moves {
            true => page::bind(config.http.as_ref()).await.map_err(|error| vec![error.to_string()])?,
            false => None,
        };
        if self.config.mqtt.is_some() && config.mqtt != self.config.mqtt {
            // The next broker, or none: this one must not go on saying that we are there.
            self.farewell().await;
        }
        self.take_over_uplink(&config);
        // What is read in another way from now on ends before the facts of its sensors change.
        let gone = self.sources.retire(&config.sources).await;
        self.drives.retire(&gone).await;
        self.take_over_sensors(&config).await;
        self.office.send_replace(config.certificate.clone());
        self.held.send_replace(config.held_key.clone());
        self.sources.change(&config.sources).await;
        let inbox = self.inbox.regrouped(&config.gateway.fleet, &config.gateway.id, &config.gateway.groups);
        let plans = wiring::plans(&config, self.sources.kits(), inbox.clone(), self.presence.will());
        self.drives.change(plans).await;
        // Not before the former broker is left, which has been told that we are gone.
        self.presence.tell(&self.uplink, true);
        self.inbox = inbox;
        page::show_sensors(config.http.as_ref(), &self.metrics);
        if moves {
            self.page = bound.map(|bound| Page::start(bound, &self.metrics));
        }
        self.forget_what_is_gone(&config);
        self.config = config;
        Ok(())
    }

    /// Takes away the metrics and alarms of what is not there any more.
    fn forget_what_is_gone(&self, config: &Config) {
        let sources = self.config.sources.iter().map(|source| &source.name);
        for name in sources.filter(|name| !config.sources.iter().any(|source| source.name == **name)) {
            self.metrics.forget_source(name.as_str());
        }
        let sinks = self.config.sinks.iter().map(|sink| &sink.name);
        for name in sinks.filter(|name| !config.sinks.iter().any(|sink| sink.name == **name)) {
            self.metrics.forget_sink(name.as_str());
        }
        self.metrics.retain_sensors(|id| self.sensors.get(id).is_some());
    }

    fn take_over_uplink(&mut self, config: &Config) {
        self.uplink.configure(config.mqtt.is_some());
        self.uplink.set_sinks(wiring::sinks(config), &Default::default(), *self.committed.borrow());
        self.store.set_sinks(self.uplink.cursors());
    }

    async fn take_over_sensors(&mut self, config: &Config) {
        let before = self.sensors.all();
        let (fixed, templates) = wiring::sensors(config);
        self.sensors.replace(fixed, templates);
        self.presence.time.declare_rtc(config.gateway.rtc_good);
        let (done, judged) = oneshot::channel();
        let trust = wiring::trust_policy(config);
        let ask = Ask::Reconfigured(wiring::on_expired(config), trust, config.rollout, done);
        if self.desk.send(ask).await.is_ok() {
            // An error means that the desk has ended, which is noticed elsewhere.
            let _ = judged.await;
        }
        // An error means that the pipeline has ended, which is noticed elsewhere.
        let _ = self.requests.send(Request::Peers(config.peers.clone())).await;
        // What comes from now on has to find the sensors that it is compared with.
        self.compared_anew.mark_unchanged();
        self.compare_anew.notify_one();
        // In vain where the task has ended; what it misses when it is late is looked for later.
        let _ = tokio::time::timeout(PATIENCE, self.compared_anew.changed()).await;
        self.alerting.reconfigured(config.alerts.clone()).await;
        for sensor in before.iter().filter(|sensor| self.sensors.get(&sensor.id).is_none()) {
            self.alerting.tell(Event::Removed { sensor: sensor.id.clone() }).await;
        }
    }

    /// Writes down who had which configuration taken over.
    pub(super) async fn audit_reload(&self, actor: &str, changes: &[String]) {
        let detail = serde_json::json!({ "changes": changes }).to_string();
        let gateway = self.config.gateway.id.as_str();
        if let Err(error) = self.store.audit(actor, "configuration.reloaded", gateway, &detail).await {
            tracing::warn!("the reload is not in the audit: {error}");
        }
    }
}
