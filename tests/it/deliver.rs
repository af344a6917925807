//! What a source has read and cannot hand over.

use std::time::Duration;

use calibd::source::deliver::Going;
use calibd::source::layout::OnFull;
use tokio::time::Instant;

use crate::support::source::{bench, sample};

#[tokio::test(start_paused = true)]
async fn a_source_that_has_to_stop_waits_a_moment_and_counts_what_it_could_not_hand_over() {
    let (mut context, bench) = bench(&["a"]);
    let room = context.out.capacity();
    let mut samples = vec![sample("a"); room + 3];
    bench.stopper.stop();
    let began = Instant::now();
    assert_eq!(context.deliver(&mut samples, OnFull::Block).await, Going::Stop);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!((bench.samples.len(), bench.dropped("stopped")), (room, 3));
}

#[tokio::test(start_paused = true)]
async fn what_the_pipeline_takes_within_that_moment_is_not_lost() {
    let (mut context, mut bench) = bench(&["a"]);
    let room = context.out.capacity();
    let mut samples = vec![sample("a"); room + 3];
    bench.stopper.stop();
    let taking = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..room + 3 {
            bench.sample().await;
        }
    };
    let (going, ()) = tokio::join!(context.deliver(&mut samples, OnFull::Block), taking);
    assert_eq!((going, bench.dropped("stopped")), (Going::On, 0));
}
