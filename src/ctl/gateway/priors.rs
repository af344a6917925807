//! What the fleet has said of a sensor model, for `calibctl fit`.

use std::path::Path;

use super::Asked;
use super::client::get;
use super::show::clean;
use crate::ctl::output::Failure;
use crate::domain::trust::prior::ModelPrior;
use crate::wire::control::Priors;

/// The prior of a sensor model that the gateway here holds.
///
/// Errors say what it holds instead, or why the prior is not to be used.
pub fn prior(socket: Option<&Path>, model: &str) -> Result<ModelPrior, Failure> {
    let asked = Asked { socket: socket.map(Path::to_path_buf), json: false };
    let found: Priors = get(&asked, "/v1/priors")?;
    let Some(held) = found.priors.iter().find(|held| held.model == model) else {
        let models: Vec<String> = found.priors.iter().map(|held| clean(&held.model)).collect();
        let there = if models.is_empty() { "none".to_owned() } else { models.join(", ") };
        return Err(Failure::refused(format!(
            "the gateway has no prior of the model `{model}`, only of: {there}; `calibctl fleet prior` makes one"
        )));
    };
    match (&held.reason, &held.prior) {
        (None, Some(prior)) => Ok(prior.clone()),
        (reason, _) => {
            let why = reason.as_deref().map_or_else(|| "not known".to_owned(), clean);
            Err(Failure::refused(format!("prior {} of {model} is not to be used: {why}", held.version)))
        }
    }
}
