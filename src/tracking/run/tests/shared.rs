//! Values and references that come from the same standard.

use super::*;
use crate::domain::digest::Digest;
use crate::domain::sample::TransformRef;
use crate::domain::trust::envelope::{Envelope, payload_type, sign};
use crate::store::{Activation, RolloutStep};

/// Puts a transform into the ledger that was made with the standard `bath-1`, which left 0.05 in it.
async fn accepted(store: &Store) -> Arc<TransformRef> {
    let payload = r#"{"schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
        "quantity": "temperature", "input_unit": "Cel", "output_unit": "Cel", "pipeline": [{"kind": "offset", "offset": 0}],
        "uncertainty": {"residual_std": 0.01, "reference_systematic": 0.05},
        "issued_at": "2026-11-01T00:00:00Z", "expires": "2027-11-01T00:00:00Z",
        "provenance": {"standards": ["bath-0", "bath-1"]}}"#;
    let envelope = sign(&payload_type("transform"), payload.as_bytes(), &[]);
    let digest = Envelope::parse(&envelope).map_or(Digest::of(&[payload.as_bytes()]), |it| it.digest());
    let activation = Activation {
        envelope,
        digest,
        id: id("t"),
        epoch: 1,
        version: 1,
        keyids: Vec::new(),
        sensors: vec![id("s")],
        at: at(0),
        actor: "test".to_owned(),
        rolled_back: false,
    };
    let step =
        RolloutStep { accepted: Some(activation.clone()), put: vec![activation], ..RolloutStep::default() };
    store.advance(step).await.unwrap();
    Arc::new(TransformRef { id: id("t"), version: 1, digest })
}

#[tokio::test]
async fn what_a_standard_left_in_value_and_reference_does_not_excuse_an_error() {
    for (standard, en, u_bias) in [("bath-1", 5.0, 0.0), ("bath-2", 0.70, 0.05)] {
        let mut rig = Rig::new(two()).await;
        let transform = accepted(&rig.tracking.parts.store).await;
        for second in [0, 10] {
            let reading = Reading {
                value: Some(20.1),
                u: Some(0.05f64.hypot(0.01)),
                transform: Some(Arc::clone(&transform)),
                state: State::Valid,
                reasons: Reasons::NONE,
                ..rig.reading("s", second, second, 20.0)
            };
            rig.takes(reading).await;
            let (u, standard) = (Some(0.05), Some(id(standard)));
            let name = id(&format!("r-{second}"));
            rig.gives(Reference { id: name, u, standard, ..given(second, 20.0) }).await;
        }
        let look = async |rig: &mut Rig| {
            let (answer, answered) = oneshot::channel();
            rig.tracking.serve(Ask::Drift(Wanted::default(), answer)).await;
            let found = answered.await.unwrap().pop().unwrap().all.calibrated;
            assert_eq!(found.n, 2);
            assert!((found.en_mean.unwrap() - en).abs() < 5e-3, "{standard}: {found:?}");
            assert!((found.u_bias.unwrap() - u_bias).abs() < 1e-9, "{standard}: {found:?}");
        };
        rig.tick(NONE_COMES).await;
        look(&mut rig).await;
        rig.restart(two()).await;
        look(&mut rig).await;
    }
}
