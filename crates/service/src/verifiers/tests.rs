//! Tests of the registry: answers to polls, and the barrier.

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
async fn without_verifiers_the_barrier_does_not_wait() {
    let verifiers = Verifiers::new(LEASE, None);
    let number = verifiers.record(&one_key());
    let barrier = verifiers.barrier(number, None).await;
    assert_eq!((barrier.confirmed, barrier.lapsed), (0, 0));
}

#[tokio::test]
async fn a_change_is_sent_at_once_and_the_barrier_waits_for_its_acknowledgement() {
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
        let reply = polling.await;
        assert_eq!((reply.reset, reply.keys.as_slice()), (false, &[key()][..]));
        let next = verifiers.poll(id, "v", Some(reply.start), reply.change, Timestamp::EPOCH, || true);
        // The poll is held, but its acknowledgement counts as soon as it arrives.
        let _held = tokio::time::timeout(Duration::from_millis(20), next).await;
    };
    let (barrier, ()) = tokio::join!(change, acknowledging);
    assert_eq!((barrier.confirmed, barrier.lapsed), (1, 0));
}

#[tokio::test]
async fn the_barrier_waits_for_a_frozen_verifier_until_its_lease_expires() {
    let verifiers = Verifiers::new(LEASE, None);
    let joined = Instant::now();
    join(&verifiers, Uuid::new_v4()).await;
    let number = verifiers.record(&one_key());
    let barrier = verifiers.barrier(number, None).await;
    assert_eq!((barrier.confirmed, barrier.lapsed), (0, 1));
    assert!(joined.elapsed() >= LEASE, "the lease counts from the answer");
    let barrier = verifiers.barrier(number, None).await;
    assert!(barrier.waited < LEASE / 2, "the lease has already expired");
}

#[tokio::test]
async fn after_a_start_the_barrier_waits_for_the_leases_of_the_previous_server() {
    let began = Instant::now();
    let verifiers = Verifiers::new(LEASE, Some(LEASE));
    let number = verifiers.record_everything();
    verifiers.barrier(number, None).await;
    assert!(began.elapsed() >= LEASE);
}

#[tokio::test]
async fn a_verifier_too_far_behind_must_clear_its_cache_and_still_holds_the_barrier() {
    let verifiers = Verifiers::new(Duration::from_secs(60), None);
    let id = Uuid::new_v4();
    let first = join(&verifiers, id).await;
    for _ in 0..=MOST_CHANGES {
        verifiers.record(&one_key());
    }
    let reply = verifiers.poll(id, "v", Some(first.start), first.change, Timestamp::EPOCH, || true).await;
    assert!(reply.reset);
    assert!(
        verifiers.pending(reply.change, None, &mut HashMap::new()).is_some(),
        "an answer is not an acknowledgement"
    );
    assert_eq!(verifiers.connected().first().unwrap().lag, reply.change);
}

#[tokio::test]
async fn an_unknown_start_or_a_future_number_resets_the_verifier() {
    let verifiers = Verifiers::new(LEASE, None);
    let id = Uuid::new_v4();
    let first = join(&verifiers, id).await;
    assert!(verifiers.poll(id, "v", Some(Uuid::new_v4()), first.change, Timestamp::EPOCH, || true).await.reset);
    assert!(verifiers.answer(id, "v", Some(first.start), 99, Timestamp::EPOCH, || true).reset);
}

#[tokio::test]
async fn shutdown_answers_waiting_polls() {
    let verifiers = Verifiers::new(Duration::from_secs(600), None);
    let id = Uuid::new_v4();
    let first = join(&verifiers, id).await;
    let polling = verifiers.poll(id, "v", Some(first.start), first.change, Timestamp::EPOCH, || true);
    let ((), reply) = tokio::join!(async { verifiers.close() }, polling);
    assert!(!reply.reset);
}
