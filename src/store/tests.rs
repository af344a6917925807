//! Requests while the store's thread does not come to them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::task::JoinSet;

use super::*;

fn opened(dir: &Path) -> Store {
    let hour = Duration::from_secs(3600);
    let options = Options {
        dir: dir.to_path_buf(),
        commit_interval: hour,
        ack_batch: 10,
        max_age: 24 * hour,
        max_size: 1 << 30,
        max_pages: None,
    };
    open(options, Clock::manual(Timestamp::EPOCH)).unwrap().store
}

/// Holds the store's thread up until what is given back is dropped.
async fn held_up(store: &Store) -> SyncSender<()> {
    let ((end, ended), (begin, begun)) = (sync_channel::<()>(1), oneshot::channel());
    let store = store.clone();
    let wait = move |ended: Receiver<()>| {
        let _ = begin.send(());
        let _ = ended.recv();
    };
    tokio::spawn(async move {
        let work = move |_: &mut Ledger, _| {
            wait(ended);
            Ok(())
        };
        store.with_ledger(work).await
    });
    begun.await.unwrap();
    end
}

async fn audited(store: &Store, action: &str) -> bool {
    store.audit_after(0, 100).await.unwrap().iter().any(|row| row.action == action)
}

#[tokio::test]
async fn clients_that_ask_too_much_are_told_so_and_hold_up_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path());
    let end = held_up(&store).await;
    let mut clients = JoinSet::new();
    for _ in 0..100 {
        let client = store.for_clients();
        clients.spawn(async move { client.ping().await });
    }
    let mut own = JoinSet::new();
    for _ in 0..100 {
        let store = store.clone();
        own.spawn(async move { store.ping().await });
    }
    let mut refused = 0;
    for _ in 0..36 {
        refused += usize::from(matches!(clients.join_next().await, Some(Ok(Err(StoreError::Busy)))));
    }
    drop(end);
    assert_eq!((refused, own.join_all().await.iter().filter(|answer| answer.is_ok()).count()), (36, 100));
    assert!(clients.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn what_was_asked_by_somebody_who_left_is_not_done() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path());
    let end = held_up(&store).await;
    for client in [store.clone(), store.for_clients()] {
        for _ in 0..2000 {
            let mut asked = Box::pin(client.audit("ann", "left", "", ""));
            assert!(at_once(asked.as_mut()).await.is_none());
        }
    }
    let stays = {
        let client = store.for_clients();
        tokio::spawn(async move { client.audit("ann", "stayed", "", "").await })
    };
    tokio::task::yield_now().await;
    drop(end);
    stays.await.unwrap().unwrap();
    assert!(audited(&store, "stayed").await && !audited(&store, "left").await);
}

/// What a future gives at once.
async fn at_once<T>(asked: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    tokio::select! {
        biased;
        answer = asked => Some(answer),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_for_its_turn_and_not_for_ever_and_then_nothing_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path());
    let end = held_up(&store).await;
    let start = tokio::time::Instant::now();
    let late = store.for_clients().audit("ann", "late", "", "").await;
    assert!(matches!(late, Err(StoreError::Busy)), "{late:?}");
    assert_eq!(start.elapsed(), PATIENCE);
    drop(end);
    assert!(!audited(&store, "late").await);
}

#[tokio::test]
async fn the_end_comes_though_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path());
    let end = held_up(&store).await;
    let late = store.close(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(StoreError::Deadline)), "{late:?}");
    drop(end);
    while !matches!(store.ping().await, Err(StoreError::Closed)) {}
}
