//! Replays a file.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::config::ReplayConfig;
use super::reader::{Pace, Reader, Row};
use crate::domain::sample::Sample;
use crate::domain::time::Timestamp;
use crate::runtime::backoff::full_jitter;
use crate::runtime::random;
use crate::source::SourceContext;
use crate::source::deliver::Going;
use crate::telemetry::tap::{Seen, Value};

/// Bytes read at once; their rows are kept until they are due.
const BUFFER: usize = 16 * 1024;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How a pass through the file ended.
#[derive(Debug)]
enum End {
    /// All of it was replayed.
    Reached,
    /// It cannot be read, and why.
    Broken(String),
    /// It is time to stop.
    Stop,
}

/// The samples of one row and when they are due.
#[derive(Debug)]
struct Due {
    after: Duration,
    samples: Vec<Sample>,
}

/// Runs until the file ends, the stop is asked for, or the pipeline ends.
///
/// A file that cannot be read is tried again, from its beginning, as a port would be.
pub async fn run(config: ReplayConfig, mut context: SourceContext) {
    let mut away = Duration::ZERO;
    loop {
        let problem = match replay(&config, &mut context).await {
            End::Reached | End::Stop => break,
            End::Broken(problem) => problem,
        };
        let wait = full_jitter(away, FIRST_WAIT, LONGEST_WAIT, random::bits());
        away = away.saturating_add(wait);
        context.events.disconnected(&problem, wait);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = context.shutdown.requested() => break,
        }
    }
    context.events.finished();
}

async fn replay(config: &ReplayConfig, context: &mut SourceContext) -> End {
    let name = config.file.display();
    let started = Instant::now();
    let mut pace = Pace::new(config);
    loop {
        let mut file = match File::open(&config.file).await {
            Ok(file) => file,
            Err(error) => return End::Broken(format!("{name}: {error}; correct `file` or put it there")),
        };
        context.events.connected(&name.to_string());
        match pass(&mut file, config, context, &mut pace, started).await {
            Ok(0) if config.repeat => return End::Broken(format!("{name} has no row to replay")),
            Ok(_) if config.repeat => pace.again(),
            Ok(_) => return End::Reached,
            Err(end) => return end,
        }
    }
}

/// Replays the file once; gives the number of its rows.
async fn pass(
    file: &mut File,
    config: &ReplayConfig,
    context: &mut SourceContext,
    pace: &mut Pace,
    started: Instant,
) -> Result<u64, End> {
    let mut reader = Reader::new(config);
    let mut buffer = vec![0; BUFFER];
    let mut rows = 0;
    loop {
        let count = file.read(&mut buffer).await;
        let count = count.map_err(|error| End::Broken(format!("{}: {error}", config.file.display())))?;
        let mut queue = decode(&buffer[..count], &mut reader, context, pace)?;
        rows += queue.len() as u64;
        while let Some(mut row) = queue.pop_front() {
            // Even at the greatest speed the stop must be seen.
            tokio::select! {
                biased;
                () = context.shutdown.requested() => return Err(End::Stop),
                () = until(started, row.after) => {}
            }
            let now = context.clock.now();
            row.samples.iter_mut().for_each(|sample| sample.gateway_time = now);
            context.events.tap().show(|| seen(&row.samples));
            if context.deliver(&mut row.samples, config.on_full).await == Going::Stop {
                return Err(End::Stop);
            }
        }
        if count == 0 {
            return Ok(rows);
        }
    }
}

/// A row as it is when it is due: its text has gone by then.
fn seen(samples: &[Sample]) -> Seen {
    let value =
        |sample: &Sample| Value { field: None, raw: sample.raw, sensors: vec![sample.sensor.clone()] };
    Seen::Record { topic: None, input: None, values: samples.iter().map(value).collect() }
}

async fn until(started: Instant, after: Duration) {
    match started.checked_add(after) {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn decode(
    bytes: &[u8],
    reader: &mut Reader<'_>,
    context: &mut SourceContext,
    pace: &mut Pace,
) -> Result<VecDeque<Due>, End> {
    let mut queue = VecDeque::new();
    let mut unusable = None;
    reader.push(bytes, &mut |row| match row {
        Row::Values(mut record, time) => {
            let (after, given) = pace.place(time);
            record.device_time = given;
            let mut samples = Vec::new();
            context.samples_of(&record, Timestamp::EPOCH, &mut samples);
            queue.push_back(Due { after, samples });
        }
        Row::Fault(fault) => context.fault(&fault),
        Row::Unusable(errors) => {
            let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
            unusable = Some(texts.join("; "));
        }
    });
    match unusable {
        Some(problem) => Err(End::Broken(problem)),
        None => Ok(queue),
    }
}
