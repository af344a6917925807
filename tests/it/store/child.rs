//! A process that is killed while it stores: what it saw committed is there.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const DIR: &str = "CALIBD_TEST_STORE_DIR";

/// The process to be killed: this test, called with the variable set. Without it nothing happens.
#[tokio::test]
async fn storing_until_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let options = Options { commit_interval: Duration::from_millis(1), ..options(Path::new(&dir)) };
    let Opened { store, mut commits, recovered } = store::open(options, Clock::system()).unwrap();
    let mut out = std::io::stdout();
    for seq in recovered.next_seq..=recovered.block_end {
        store.append(&mut vec![reading(seq)], &mut Vec::new()).await.unwrap();
        writeln!(out, "given {seq}").unwrap();
        tokio::task::yield_now().await;
        while let Ok(commit) = commits.try_recv() {
            writeln!(out, "stored {}", commit.last).unwrap();
            out.flush().unwrap();
        }
    }
}

#[tokio::test]
async fn killed_ten_times_every_reported_reading_is_there_and_no_number_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (mut given, mut stored) = (0, 0);
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::child::storing_until_killed", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut commits = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let Some((word, number)) = line.rsplit_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word.rsplit(' ').next() {
                Some("given") => {
                    assert!(number > given, "{number} was given before");
                    given = number;
                }
                Some("stored") => {
                    stored = number;
                    commits += 1;
                }
                _ => {}
            }
            if commits == 3 + round * 2 {
                // Lines already in the pipe are still read: they say what was given and stored.
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        assert!(commits >= 3 + round * 2, "ended after {commits} commits, before it was killed");
    }
    let Opened { store, recovered, .. } = open(dir.path());
    let kept = numbers(&store).await;
    assert!(recovered.last_seq >= stored && recovered.next_seq > given);
    // Numbers and announced gaps together cover everything, without overlap.
    let mut next = 1;
    let mut gaps = recovered.gaps.iter().peekable();
    for seq in kept {
        while let Some(gap) = gaps.next_if(|gap| gap.first == next) {
            next = gap.last + 1;
        }
        assert_eq!(seq, next);
        next = seq + 1;
    }
    for gap in gaps {
        assert_eq!(gap.first, next);
        next = gap.last + 1;
    }
    assert_eq!(next, recovered.next_seq);
}
