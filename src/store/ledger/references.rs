//! References that people gave, and the standards behind them.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Value, json};

use super::{Ledger, audit};
use crate::domain::digest::Hasher;
use crate::domain::id::{Id, SensorId};
use crate::domain::reference::{Reference, Standard};
use crate::domain::time::Timestamp;
use crate::store::comparisons::{
    Added, ReferencePage, ReferenceRange, StoredStandard, Withdrawal, add_reference, counting,
    reference_page, withdraw,
};
use crate::store::error::StoreError;
use crate::store::history::corrupt;

impl Ledger {
    /// Adds references, with an audit row for each sensor that has new ones.
    pub fn add_references(
        &mut self,
        now: Timestamp,
        references: &[Reference],
        actor: &str,
    ) -> Result<Vec<Added>, StoreError> {
        self.whole()?;
        self.transact(|tx| {
            let mut news: BTreeMap<&SensorId, Vec<(&Reference, Added)>> = BTreeMap::new();
            let mut all = Vec::with_capacity(references.len());
            for reference in references {
                let added = add_reference(tx, reference, actor)?;
                if matches!(added, Added::New | Added::Revised(_)) {
                    news.entry(&reference.sensor).or_default().push((reference, added));
                }
                all.push(added);
            }
            for (sensor, news) in &news {
                let (action, detail) = told(news);
                audit::append(tx, now, actor, action, sensor.as_str(), &detail.to_string())?;
            }
            Ok(all)
        })
    }

    /// References, a page of them.
    pub fn references(&self, range: &ReferenceRange) -> Result<ReferencePage, StoreError> {
        self.whole()?;
        self.name(reference_page(&self.db, range))
    }

    /// Those of these references that still count.
    pub fn counting(&self, references: Vec<Reference>) -> Result<Vec<Reference>, StoreError> {
        self.whole()?;
        self.name(counting(&self.db, references))
    }

    /// Withdraws references of a sensor; `kept` are those that the history withdrew. The audit row has both.
    pub fn withdraw(
        &mut self,
        sensor: &SensorId,
        ids: &[Id],
        kept: Vec<Id>,
        withdrawal: &Withdrawal,
    ) -> Result<Vec<Id>, StoreError> {
        self.whole()?;
        self.transact(|tx| {
            let mut all = kept.clone();
            all.extend(withdraw(tx, sensor, ids, withdrawal)?);
            if !all.is_empty() {
                let Withdrawal { at, actor, reason } = withdrawal;
                let detail = json!({ "ids": all, "reason": reason }).to_string();
                audit::append(tx, *at, actor, "reference.withdrawn", sensor.as_str(), &detail)?;
            }
            Ok(all)
        })
    }

    /// Adds a standard, or what is new of a known one; says whether anything was.
    pub fn add_standard(
        &mut self,
        now: Timestamp,
        standard: &Standard,
        actor: &str,
    ) -> Result<bool, StoreError> {
        self.whole()?;
        let id = standard.id.as_str();
        let content = json!(standard).to_string();
        self.transact(|tx| {
            let sql = "SELECT content FROM standards WHERE id = ? ORDER BY number DESC LIMIT 1";
            let known: Option<String> = tx.query_row(sql, [id], |row| row.get(0)).optional()?;
            if known.as_ref() == Some(&content) {
                return Ok(false);
            }
            let sql = "INSERT INTO standards(id, added, actor, content) VALUES (?, ?, ?, ?)";
            tx.execute(sql, params![id, now.as_micros(), actor, content])?;
            let action = if known.is_none() { "standard.added" } else { "standard.changed" };
            audit::append(tx, now, actor, action, id, &content)?;
            Ok(true)
        })
    }

    /// The standards as they are now, by id.
    pub fn standards(&self) -> Result<Vec<StoredStandard>, StoreError> {
        self.whole()?;
        let sql = "SELECT content, added, actor FROM standards
            WHERE number IN (SELECT max(number) FROM standards GROUP BY id) ORDER BY id";
        self.name(
            self.db.prepare(sql).and_then(|mut statement| statement.query_map([], standard_of)?.collect()),
        )
    }
}

/// The action and the detail of an audit row: of one reference what it says, of several how many, and a
/// digest of what they say.
fn told(news: &[(&Reference, Added)]) -> (&'static str, Value) {
    if let [(reference, added)] = news {
        let action = if *added == Added::New { "reference.added" } else { "reference.revised" };
        return (action, said(reference));
    }
    let revised = news.iter().filter(|(_, added)| *added != Added::New).count();
    let mut digest = Hasher::default();
    for (reference, _) in news {
        digest.update(format!("{}\n", said(reference)).as_bytes());
    }
    let detail = json!({
        "new": news.len() - revised,
        "revised": revised,
        "since": news.iter().map(|(reference, _)| reference.span.begin()).min(),
        "until": news.iter().map(|(reference, _)| reference.span.end()).max(),
        "sha256": digest.finish(),
    });
    ("reference.imported", detail)
}

fn said(reference: &Reference) -> Value {
    let Reference { id, span, value, u, unit, standard, flag, event, .. } = reference;
    json!({
        "id": id, "since": span.begin(), "until": span.end(), "value": value, "u": u, "unit": unit,
        "standard": standard, "flag": flag, "event": event,
    })
}

fn standard_of(row: &Row<'_>) -> rusqlite::Result<StoredStandard> {
    let content: String = row.get(0)?;
    Ok(StoredStandard {
        standard: serde_json::from_str(&content).map_err(|_| corrupt())?,
        at: Timestamp::from_micros(row.get(1)?).ok_or_else(corrupt)?,
        actor: row.get(2)?,
    })
}
