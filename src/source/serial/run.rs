//! Reads a serial line for as long as the process runs, through unplugging and plugging in again.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio_serial::SerialStream;

use super::config::SerialConfig;
use super::port::{self, Loss};
use crate::domain::sample::Sample;
use crate::runtime::backoff::full_jitter;
use crate::runtime::random;
use crate::source::SourceContext;
use crate::source::deliver::Going;
use crate::wire::decoder::Decoder;
use crate::wire::format::SpecError;

/// Bytes read at once.
const BUFFER: usize = 4096;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Runs until the stop is asked for or the pipeline ends.
///
/// Errors: a layout that cannot work; the configuration has checked it before.
pub async fn run(config: SerialConfig, mut context: SourceContext) -> Result<(), SpecError> {
    let mut decoder = Decoder::new(&config.layout)?;
    let mut away = Duration::ZERO;
    while !context.shutdown.is_requested() {
        let Loss { problem, remedy } = match port::open(&config) {
            Ok(port) => {
                context.events.connected(&config.port.display().to_string());
                decoder.reset(config.drop_first_line);
                match listen(port, &config, &mut decoder, &mut context, &mut away).await {
                    Some(loss) => loss,
                    None => break,
                }
            }
            Err(loss) => loss,
        };
        let wait = full_jitter(away, FIRST_WAIT, LONGEST_WAIT, random::bits());
        away = away.saturating_add(wait);
        context.events.lost(&problem, remedy, wait);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = context.shutdown.requested() => break,
        }
    }
    context.events.finished();
    Ok(())
}

/// Reads until the port is lost, and says why; `None` when it is time to stop.
///
/// The first bytes set `away` back: a port that opens and closes at once is not yet a good one.
async fn listen(
    mut port: SerialStream,
    config: &SerialConfig,
    decoder: &mut Decoder,
    context: &mut SourceContext,
    away: &mut Duration,
) -> Option<Loss> {
    let mut buffer = vec![0; BUFFER];
    let mut samples = Vec::new();
    let name = config.port.display();
    loop {
        let read = tokio::select! {
            read = port.read(&mut buffer) => read,
            () = context.shutdown.requested() => return None,
        };
        match read {
            // An unplugged port reads nothing for ever, without an error.
            Ok(0) => return Some(unplugged(format!("port {name} is gone"))),
            Err(error) => return Some(unplugged(format!("port {name}: {error}"))),
            Ok(count) => {
                *away = Duration::ZERO;
                decode(&buffer[..count], decoder, context, &mut samples);
            }
        }
        if context.deliver(&mut samples, config.on_full).await == Going::Stop {
            return None;
        }
    }
}

fn unplugged(problem: String) -> Loss {
    Loss { problem, remedy: "was it unplugged? check its cable and its power" }
}

fn decode(bytes: &[u8], decoder: &mut Decoder, context: &mut SourceContext, samples: &mut Vec<Sample>) {
    let now = context.clock.now();
    decoder.push(bytes, &mut |record| match record {
        Ok(record) => {
            context.show(&record, None, &record.captures);
            context.samples_of(&record, now, samples);
        }
        Err(fault) => context.fault(&fault),
    });
}
