//! What people send, as events of a session.

use super::run::Parts;
use super::{Desire, Refused};
use crate::domain::fit::few;
use crate::domain::fit::population::Fitted;
use crate::domain::id::Id;
use crate::domain::reference::{Given, Standard};
use crate::domain::session::{
    Against, At, Event, Fault, FitOrder, MOST_POINTS, PointOrder, Role, Session, number_and_unit,
};
use crate::domain::time::micros;
use crate::domain::trust::prior::ModelPrior;
use crate::pipeline::run::in_force;
use crate::wire::control::SessionCommand;

/// How long a new transform holds unless another time is configured, in microseconds.
const VALIDITY: i64 = 365 * 86_400_000_000;
/// How long the pipeline may take to say what is in force.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// The prior of a line between the very units of the session, if it is made of enough sensors.
fn prior_for(session: &Session, prior: ModelPrior) -> Option<Fitted> {
    let units = prior.input_unit == session.plan.input_unit && prior.output_unit == session.plan.unit;
    let line = prior.fit.parameter_names == ["a", "b"];
    let enough = prior.sensors >= (few::SENSORS * prior.fit.parameters.len()) as u64;
    (units && line && enough).then_some(prior.fit)
}

impl Parts {
    /// The event that a command is.
    pub(super) async fn event(
        &self,
        session: &Session,
        desire: Desire,
        command: SessionCommand,
        by: &str,
    ) -> Result<Event, Refused> {
        let missing = |what: &str| Refused::Bad(format!("{what} is missing: send it with the command"));
        Ok(match desire {
            Desire::Point => Event::Point(Box::new(self.point(session, command).await?)),
            Desire::Undo => Event::Undo,
            Desire::Finish => Event::Finish,
            Desire::Fit => Event::Fit(Box::new(self.fit(session, command.method).await?)),
            Desire::Discard => Event::Discard,
            Desire::Approve => match (command.envelope, command.gateway_key) {
                (Some(_), true) => {
                    let text =
                        "what is signed already is not signed by the gateway: send envelope or gateway_key";
                    return Err(Refused::Bad(text.to_owned()));
                }
                (None, true) => {
                    Event::Approve { envelope: self.approved_for(session, by)?, gateway_key: true }
                }
                (envelope, false) => Event::Approve {
                    envelope: envelope.ok_or_else(|| missing("envelope"))?,
                    gateway_key: false,
                },
            },
            Desire::Pause => Event::Pause,
            Desire::Resume => Event::Resume,
            Desire::Abort => Event::Abort(command.reason.unwrap_or_else(|| "not said".to_owned())),
            Desire::End => Event::End(None),
        })
    }

    /// Checks the points that a session is opened for, so that none of them is found wrong at its turn.
    ///
    /// # Errors
    /// The first that could not be measured, with its place.
    pub(super) async fn check_points(
        &self,
        session: &Session,
        points: &[SessionCommand],
        at: &At<'_>,
    ) -> Result<(), Refused> {
        if points.len() > 2 * MOST_POINTS {
            return Err(Fault::TooManyPoints(MOST_POINTS).into());
        }
        for (place, point) in points.iter().enumerate() {
            let checked = match self.point(session, point.clone()).await {
                Ok(order) => session.check_point(at, &order).map_err(Refused::from),
                Err(refused) => Err(refused),
            };
            match checked {
                Ok(()) => {}
                Err(gone @ (Refused::Store(_) | Refused::Unavailable(_))) => return Err(gone),
                Err(refused) => return Err(Refused::Bad(format!("points[{place}]: {refused}"))),
            }
        }
        Ok(())
    }

    async fn point(&self, session: &Session, command: SessionCommand) -> Result<PointOrder, Refused> {
        let standard = match &command.standard {
            Some(id) => Some(self.standard(id).await?),
            None => None,
        };
        let role = command.role.unwrap_or(Role::Linearity);
        let against = match (&command.reference, &command.source) {
            (Some(_), Some(_)) => {
                return Err(Refused::Bad("a point has a reference or a source, not both".to_owned()));
            }
            (Some(text), None) => {
                let (value, unit) = number_and_unit(text)?;
                let unit = unit.map(str::to_owned);
                Against::Stated(Given {
                    value,
                    unit,
                    u: command.u,
                    expanded: command.expanded,
                    k: command.k,
                    ..Given::default()
                })
            }
            (None, Some(source)) => self.source(session, source, command.u).await?,
            (None, None) => {
                let text =
                    "say the reference with its unit, like `4.98 mg/m3`, or the sensor that measures it";
                return Err(Refused::Bad(text.to_owned()));
            }
        };
        Ok(PointOrder { role, against, standard })
    }

    async fn standard(&self, id: &Id) -> Result<Standard, Refused> {
        let all = self.store.standards().await?;
        let found = all.into_iter().map(|kept| kept.standard).find(|standard| standard.id == *id);
        let unknown = || {
            Refused::Unknown(format!("there is no standard `{id}`: add it with `calibctl standard add {id}`"))
        };
        found.ok_or_else(unknown)
    }

    /// Another sensor as the reference, in the unit that its values have now.
    async fn source(&self, session: &Session, source: &Id, u: Option<f64>) -> Result<Against, Refused> {
        if *source == session.plan.sensor {
            return Err(Fault::ItsOwnReference(source.clone()).into());
        }
        let unknown =
            || Refused::Unknown(format!("there is no sensor `{source}`; `calibctl sensors` lists them"));
        let sensor = self.sensors.get(source).ok_or_else(unknown)?;
        let silent = Refused::Unavailable("the pipeline does not answer; see what the log says of the store");
        let all = in_force(&self.pipeline, PATIENCE).await.ok_or(silent)?;
        let active = all.into_iter().find(|(id, _)| id == source).map(|(_, active)| active.unit.to_string());
        let configured = self.sensors.get(&session.plan.sensor).and_then(|own| {
            let reference = own.comparison.reference.clone()?;
            (reference.sensor == *source).then_some(reference.uncertainty).flatten()
        });
        let u = u.or(configured).or(sensor.uncertainty);
        Ok(Against::Source {
            sensor: source.clone(),
            unit: active.unwrap_or_else(|| sensor.unit.to_string()),
            u,
        })
    }

    async fn fit(&self, session: &Session, method: Option<String>) -> Result<FitOrder, Refused> {
        let sensor = &session.plan.sensor;
        let site = self.site(sensor).await?;
        let settings = self.sensors.get(sensor).map(|sensor| sensor.comparison.recalibration);
        let validity = settings.and_then(|settings| settings.validity).map_or(VALIDITY, micros);
        Ok(FitOrder {
            method: method.unwrap_or_else(|| "auto".to_owned()),
            prior: site.prior.and_then(|prior| prior_for(session, prior)),
            in_force: site.in_force.map(|(_, payload)| payload),
            epoch: site.epoch,
            version: site.version,
            expires: self.clock.now().saturating_add_micros(validity),
        })
    }
}
