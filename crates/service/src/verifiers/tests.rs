//! The registry: who is told, who is waited for, and for how long.

use super::*;

const LEASE: Duration = Duration::from_millis(200);

fn key() -> KeyId {
    "kwd_0000000000".parse().unwrap()
}

fn one_key() -> Changes {
    Changes { keys: vec![key()], ..Changes::default() }
}

async fn join(verifiers: &Verifiers, id: Uuid) -> PollReply {
    verifiers.poll(id, "v", None, 0, Timestamp::EPOCH, || true).await
}

#[tokio::test]
async fn without_verifiers_nothing_is_waited_for() {
    let verifiers = Verifiers::new(LEASE, None);
    let number = verifiers.record(&one_key());
    let barrier = verifiers.barrier(number, None).await;
    assert_eq!((barrier.confirmed, barrier.lapsed), (0, 0));
}

#[tokio::test]
async fn a_change_is_told_at_once_and_waited_for_until_it_is_acknowledged() {
    let verifiers = Verifiers::new(Duration::from_secs(60), None);
    let id = Uuid::new_v4();
    let first = join(&verifiers, id).await;
    assert!(first.reset);
    let polling = verifiers.poll(id, "v", Some(first.start), first.change, Timestamp::EPOCH, || true);
    let change = async {
        let number = verifiers.record(&one_key());
        verifiers.barrier(number, None).await
    };
    let acknowledging = async {
        let news = polling.await;
        assert_eq!((news.reset, news.keys.as_slice()), (false, &[key()][..]));
        let next = verifiers.poll(id, "v", Some(news.start), news.change, Timestamp::EPOCH, || true);
        // It is held; the acknowledgement counts as soon as it has come in.
        let _held = tokio::time::timeout(Duration::from_millis(20), next).await;
    };
    let (barrier, ()) = tokio::join!(change, acknowledging);
    assert_eq!((barrier.confirmed, barrier.lapsed), (1, 0));
}

#[tokio::test]
async fn a_frozen_verifier_is_waited_for_until_its_lease_has_run_out_and_no_longer() {
    let verifiers = Verifiers::new(LEASE, None);
    let given = Instant::now();
    join(&verifiers, Uuid::new_v4()).await;
    let number = verifiers.record(&one_key());
    let barrier = verifiers.barrier(number, None).await;
    assert_eq!((barrier.confirmed, barrier.lapsed), (0, 1));
    assert!(given.elapsed() >= LEASE, "the lease, counted from the answer");
    let barrier = verifiers.barrier(number, None).await;
    assert!(barrier.waited < LEASE / 2, "it has lapsed already");
}

#[tokio::test]
async fn after_a_start_the_leases_of_the_server_before_are_waited_out() {
    let began = Instant::now();
    let verifiers = Verifiers::new(LEASE, Some(LEASE));
    let number = verifiers.record_everything();
    verifiers.barrier(number, None).await;
    assert!(began.elapsed() >= LEASE);
}

#[tokio::test]
async fn who_is_too_far_behind_forgets_everything_and_still_holds_the_barrier() {
    let verifiers = Verifiers::new(Duration::from_secs(60), None);
    let id = Uuid::new_v4();
    let first = join(&verifiers, id).await;
    for _ in 0..=MOST_CHANGES {
        verifiers.record(&one_key());
    }
    let news = verifiers.poll(id, "v", Some(first.start), first.change, Timestamp::EPOCH, || true).await;
    assert!(news.reset);
    assert!(verifiers.pending(news.change, None).0.is_some(), "told is not applied");
    assert_eq!(verifiers.connected().first().unwrap().lag, news.change);
}

#[tokio::test]
async fn another_start_or_a_number_from_the_future_begins_anew() {
    let verifiers = Verifiers::new(LEASE, None);
    let id = Uuid::new_v4();
    let first = join(&verifiers, id).await;
    assert!(verifiers.poll(id, "v", Some(Uuid::new_v4()), first.change, Timestamp::EPOCH, || true).await.reset);
    assert!(verifiers.answer(id, "v", Some(first.start), 99, Timestamp::EPOCH, || true).reset);
}

#[tokio::test]
async fn the_end_of_the_server_answers_who_waits() {
    let verifiers = Verifiers::new(Duration::from_secs(600), None);
    let id = Uuid::new_v4();
    let first = join(&verifiers, id).await;
    let polling = verifiers.poll(id, "v", Some(first.start), first.change, Timestamp::EPOCH, || true);
    let ((), news) = tokio::join!(async { verifiers.close() }, polling);
    assert!(!news.reset);
}
