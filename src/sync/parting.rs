//! Why a connection to a broker has ended, in words.

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
use rumqttc::v5::{ConnectionError, StateError};

use crate::source::mqtt::intake::ALLOW;

/// As much of what a broker writes is shown.
const SHOWN: usize = 200;
/// What to do about another client with the same id.
pub const ONE_EACH: &str =
    "is there a copy of this gateway? give each a gateway.id of its own, and allow the id to one only";
/// What to do about a broker that ends every session and does not say why.
pub const SEE_ITS_LOG: &str =
    "see its log: another client with this gateway's id, its access list, or too much for it?";
/// A session that has stood for so long was not in vain.
pub const LASTING: Duration = Duration::from_secs(60);
/// So many that did not, one after the other, are no accident.
const MANY: u32 = 5;

/// Why a connection has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// In a sentence, with what to do as far as that follows.
    pub problem: String,
    /// Another client has connected with the same id.
    pub taken_over: bool,
}

impl Parting {
    /// What an error means for the client called `client`.
    pub fn of(error: &ConnectionError, client: &str) -> Parting {
        match error {
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
                let taken_over = *reason_code == DisconnectReasonCode::SessionTakenOver;
                let said = reason_string.as_deref().map_or(String::new(), shown);
                let meaning = if taken_over {
                    format!("; another client has connected with the id {client}")
                } else {
                    remedy(*reason_code).map_or(String::new(), |remedy| format!("; {remedy}"))
                };
                let problem = format!("the broker ended the session ({reason_code:?}{said}){meaning}");
                Parting { problem, taken_over }
            }
            error => Parting { problem: error.to_string(), taken_over: false },
        }
    }
}

/// Counts sessions that the broker takes and soon ends, one after the other. Not every broker says why.
#[derive(Debug, Default)]
pub struct Brief(u32);

impl Brief {
    /// Notes how long a session stood, which `ours` says that this side has ended; `None`: it was not accepted. Answers
    /// whether they are many.
    pub fn ended(&mut self, stood: Option<Duration>, ours: bool) -> bool {
        match stood {
            Some(stood) if stood >= LASTING => self.0 = 0,
            Some(_) if !ours => self.0 = self.0.saturating_add(1),
            Some(_) | None => {}
        }
        self.0 >= MANY
    }
}

fn shown(said: &str) -> String {
    let text: String = said.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    format!(": {text}")
}

fn remedy(reason: DisconnectReasonCode) -> Option<&'static str> {
    use DisconnectReasonCode::{
        ConnectionRateExceeded, MessageRateTooHigh, NotAuthorized, QuotaExceeded, ServerBusy,
    };
    match reason {
        NotAuthorized => Some(ALLOW),
        ServerBusy | QuotaExceeded | MessageRateTooHigh | ConnectionRateExceeded => {
            Some("it is too much for the broker: see its limits")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parting(reason_code: DisconnectReasonCode, said: Option<&str>) -> Parting {
        let reason_string = said.map(str::to_owned);
        let error = StateError::ServerDisconnect { reason_code, reason_string };
        Parting::of(&ConnectionError::MqttState(error), "gw-1")
    }

    #[test]
    fn a_broker_that_says_why_is_quoted() {
        let taken = parting(DisconnectReasonCode::SessionTakenOver, None);
        let text =
            "the broker ended the session (SessionTakenOver); another client has connected with the id gw-1";
        assert_eq!(taken, Parting { problem: text.into(), taken_over: true });
        let refused = parting(DisconnectReasonCode::NotAuthorized, Some("no\n\u{1b}[31m rights"));
        let text =
            "the broker ended the session (NotAuthorized: no[31m rights); allow it in the broker's ACL";
        assert_eq!(refused, Parting { problem: text.into(), taken_over: false });
        let long = parting(DisconnectReasonCode::ServerShuttingDown, Some(&"x".repeat(60_000)));
        assert!(long.problem.len() < 300, "{}", long.problem.len());
    }

    #[test]
    fn sessions_that_the_broker_ends_are_counted_until_one_lasts() {
        let mut brief = Brief::default();
        let second = Some(Duration::from_secs(1));
        let mut many = |stood, ours| brief.ended(stood, ours);
        assert!((0..4).all(|_| !many(second, false)));
        assert!(!many(None, false) && !many(second, true));
        assert!(many(second, false) && many(None, false));
        assert!(!many(Some(LASTING), false));
    }

    #[test]
    fn another_error_is_what_it_says() {
        let lost = Parting::of(&ConnectionError::RequestsDone, "gw-1");
        assert_eq!(lost, Parting { problem: "Requests done".into(), taken_over: false });
    }
}
