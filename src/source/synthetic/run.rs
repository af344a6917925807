//! Gives the values of the signals when they are due.

use std::time::Duration;

use tokio::time::Instant;

use super::config::SyntheticConfig;
use crate::domain::sample::Sample;
use crate::domain::synthetic::Generator;
use crate::domain::time::micros;
use crate::source::SourceContext;
use crate::source::deliver::Going;
use crate::source::replay::config::Speed;
use crate::telemetry::tap::{Seen, Value};

/// Runs until its time is over, the stop is asked for, or the pipeline ends.
pub async fn run(config: SyntheticConfig, mut context: SourceContext) {
    context.events.connected("signals that are invented, for exercises");
    let mut generator = Generator::new(config.signals.clone(), config.period, config.seed);
    let began = Instant::now();
    let (mut values, mut samples) = (Vec::new(), Vec::new());
    loop {
        let at = generator.due();
        if config.lasts.is_some_and(|lasts| at >= lasts) {
            break;
        }
        // Even at the greatest speed the stop must be seen.
        tokio::select! {
            biased;
            () = context.shutdown.requested() => break,
            () = until(began, at, config.speed) => {}
        }
        generator.next_into(&mut values);
        put(&values, at, &config, &mut context, &mut samples);
        if context.deliver(&mut samples, config.on_full).await == Going::Stop {
            break;
        }
    }
    context.events.finished();
}

async fn until(began: Instant, at: Duration, speed: Speed) {
    let after = match speed {
        // Longer than the process will live is as good as never.
        Speed::Times(times) => Duration::try_from_secs_f64(at.as_secs_f64() / times).ok(),
        Speed::Max => Some(Duration::ZERO),
    };
    match after.and_then(|after| began.checked_add(after)) {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Makes the samples of these values, one for each sensor that a field feeds.
fn put(
    values: &[Option<f64>],
    at: Duration,
    config: &SyntheticConfig,
    context: &mut SourceContext,
    samples: &mut Vec<Sample>,
) {
    let micros = micros(at);
    let device_time = config.start.map(|start| start.saturating_add_micros(micros));
    let gateway_time = context.clock.now();
    let mut shown = Vec::new();
    for (field, raw) in values.iter().enumerate().filter(|(_, raw)| raw.is_some()) {
        // Only captures can be at fault, and there are none.
        let (sensors, _) = context.bind.sensors(field, &[]);
        samples.extend(sensors.iter().map(|sensor| Sample {
            sensor: sensor.clone(),
            device_time,
            gateway_time,
            raw: *raw,
            u: None,
            event: None,
            ack: None,
        }));
        if context.events.tap().watched() {
            let sensors = sensors.to_vec();
            shown.push(Value { field: context.bind.field(field).map(str::to_owned), raw: *raw, sensors });
        }
    }
    context.events.tap().show(|| Seen::Record { topic: None, input: None, values: shown });
}
