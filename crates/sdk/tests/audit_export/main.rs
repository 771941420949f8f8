//! The verifier of exports of the audit log: each kind of change is found and named.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

mod changes;
mod export;

use export::{Log, ORIGIN, RETIRED, UNSEALED, checkpoint, forget, id, kinds, leaf, verify, verify_text, waiting};
use keyward_sdk::audit_export::{FindingKind, Report};
use keyward_sdk::transparency::{SigningKey, canonical_json};
use serde_json::json;

/// The log has only this finding.
#[track_caller]
fn has_only(report: &Report, kind: FindingKind, leaves: Option<(u64, u64)>, entry: Option<&str>, said: &str) {
    let (first, last) = leaves.unzip();
    assert_eq!(kinds(report), [(kind, first, last)], "{report:#?}");
    let finding = &report.findings[0];
    assert_eq!(finding.entry_id.as_deref(), entry, "{finding:?}");
    assert!(finding.to_string().contains(said), "{finding}");
}

#[test]
fn a_log_that_nobody_changed_is_proven() {
    let log = Log::new(200);
    let report = log.verify();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.proven_size, report.leaves), (Some(200), 200));
    assert_eq!((report.retired, report.unsealed, report.keys_are_of_log), (RETIRED, UNSEALED, false));
    assert_eq!(report.origin.as_deref(), Some(ORIGIN));

    let kept = (0..=200).map(|size| log.checkpoint(size)).collect();
    let report = verify(&log.lines(), vec![], kept);
    assert!(report.is_clean() && report.keys_are_of_log, "{report:#?}");
    assert_eq!(report.kept_matched, 201);
}

#[test]
fn an_empty_log_is_proven() {
    let log = Log { leaves: vec![], unsealed: vec![], ..Log::new(0) };
    let report = log.verify();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.proven_size, None);
}

#[test]
fn the_pieces_in_which_the_export_is_read_do_not_matter() {
    let log = Log::new(170);
    let text = format!("{}\n", log.lines().join("\n"));
    for size in [1, 7, 1_000, text.len() - 1] {
        let mut verifier = keyward_sdk::audit_export::Verifier::new(vec![log.verifier_key()], vec![]);
        text.as_bytes().chunks(size).for_each(|piece| verifier.read(piece));
        assert_eq!(verifier.finish(), log.verify());
    }
    let long = Log::new(3_000);
    assert!(long.verify().is_clean(), "several threads");
    assert!(verify_text(text.trim_end().as_bytes(), vec![], vec![]).is_clean(), "the last newline may be missing");
}

#[test]
fn a_changed_entry_is_named() {
    let mut log = Log::new(160);
    log.leaves[42]["entry"]["status_code"] = json!(204);
    let report = log.verify();
    has_only(&report, FindingKind::EntryChanged, Some((42, 42)), Some(&id(42)), "Entry 42 (019ac3f0");
    assert_eq!(report.proven_size, Some(160));
}

#[test]
fn a_changed_leaf_is_found_by_the_root_hash() {
    let log = Log::new(160);
    let (own, kept) = (log.checkpoint(160), vec![log.checkpoint(40), log.checkpoint(50), log.checkpoint(60)]);
    let mut changed = Log { leaves: log.leaves.clone(), ..Log::new(160) };
    let mut entry = changed.leaves[42]["entry"].clone();
    entry["status_code"] = json!(204);
    changed.leaves[42] = leaf(42, &entry);
    let lines = changed.lines_with(own);
    has_only(
        &verify(&lines, vec![log.verifier_key()], vec![]),
        FindingKind::RootDiffers,
        Some((0, 159)),
        None,
        "one of the leaves 0 to 159 was changed",
    );
    let report = verify(&lines, vec![log.verifier_key()], kept.clone());
    let kinds = kinds(&report);
    assert_eq!(kinds[0], (FindingKind::KeptRootDiffers, Some(40), Some(49)), "between two kept checkpoints");
    assert_eq!((kinds.len(), kinds[1].0, report.proven_size), (2, FindingKind::RootDiffers, Some(40)), "{kinds:?}");

    // Someone with the signing key has signed the changed tree.
    let signed = Log { key: log.key, ..changed };
    assert!(signed.verify().is_clean(), "nothing shows it without a kept checkpoint");
    let report = verify(&signed.lines(), vec![signed.verifier_key()], kept);
    has_only(&report, FindingKind::KeptRootDiffers, Some((40, 49)), None, "the kept checkpoint of size 50");
}

#[test]
fn a_missing_entry_is_named_unless_retention_removed_it() {
    let mut log = Log::new(160);
    forget(&mut log.leaves[42]);
    has_only(&log.verify(), FindingKind::EntriesMissing, Some((42, 42)), Some(&id(42)), "retention did not remove it");
    forget(&mut log.leaves[43]);
    has_only(&log.verify(), FindingKind::EntriesMissing, Some((42, 43)), None, "Entries 42 to 43 are missing");

    let log = Log::new(140);
    has_only(&log.verify(), FindingKind::EntriesMissing, Some((0, 19)), None, "Entries 0 to 19 are missing");
    let mut unsealed = Log::new(150);
    assert_eq!(unsealed.unsealed[0]["entry"]["event"], "audit_log.retired");
    unsealed.unsealed[0]["entry"]["additional_fields"]["leaves"] = json!([[0, 9], [12, 19]]);
    assert_eq!(
        kinds(&unsealed.verify()),
        [
            (FindingKind::RemovalUnproven, Some(0), Some(9)),
            (FindingKind::RemovalUnproven, Some(12), Some(19)),
            (FindingKind::EntriesMissing, Some(10), Some(11))
        ],
        "{:#?}",
        unsealed.verify()
    );
}

#[test]
fn leaves_that_retention_did_not_remove_are_found_in_its_record() {
    let mut log = Log::new(160);
    let mut entry = log.leaves[150]["entry"].clone();
    // Someone has removed the entries 30 to 39 and added them to the list of the server.
    entry["id"] = json!(id(155));
    entry["additional_fields"] = json!({ "count": 3, "before": "2026-01-01T00:00:00Z", "leaves": [[0, 22], [30, 39]] });
    log.leaves[155] = leaf(155, &entry);
    for index in (20..23).chain(30..40) {
        forget(&mut log.leaves[index]);
    }
    has_only(&log.verify(), FindingKind::RemovalDiffers, Some((155, 155)), None, "13 leaves more");
}

#[test]
fn an_entry_that_cannot_be_read_is_named() {
    let mut log = Log::new(160);
    forget(&mut log.leaves[42]);
    log.leaves[42]["salt"] = json!("");
    log.leaves[42]["unreadable"] = json!("the row is not as it was written");
    has_only(&log.verify(), FindingKind::EntryUnreadable, Some((42, 42)), Some(&id(42)), "not as it was written");
    let mut log = Log::new(160);
    log.unsealed[2] = json!({ "id": id(162), "salt": "", "unreadable": "no", "is_waiting": true });
    has_only(&log.verify(), FindingKind::EntryUnreadable, None, Some(&id(162)), "not sealed yet");
}

#[test]
fn entries_outside_of_the_tree_must_wait() {
    let mut log = Log::new(160);
    log.unsealed.push(waiting(180, false));
    has_only(&log.verify(), FindingKind::EntryInserted, None, Some(&id(180)), "inserted by hand");
    log.unsealed[5] = json!({ "id": id(180), "is_waiting": true });
    has_only(&log.verify(), FindingKind::WaitingEntryMissing, None, Some(&id(180)), "missing from the log");
}

#[test]
fn ids_are_unique_and_those_of_the_entries() {
    let mut log = Log::new(160);
    log.unsealed.push(waiting(42, true));
    has_only(&log.verify(), FindingKind::IdReused, None, Some(&id(42)), "belongs to two entries");
    let mut log = Log::new(160);
    log.leaves[42]["id"] = json!(id(999));
    has_only(&log.verify(), FindingKind::IdDiffers, Some((42, 42)), Some(&id(999)), &id(42));
}

#[test]
fn missing_and_surplus_leaves_are_named() {
    let log = Log::new(160);
    let verified = |lines: &[String]| kinds(&verify(lines, vec![log.verifier_key()], vec![]));
    let cut_off = (FindingKind::CutOff, None, None);
    let mut lines = log.lines();
    let gone: Vec<_> = lines.drain(43..46).collect();
    assert_eq!(verified(&lines), [(FindingKind::LeavesMissing, Some(42), Some(44)), cut_off]);
    lines.splice(50..50, gone);
    let out_of_place = |at| (FindingKind::LeafOutOfPlace, Some(at), Some(at));
    assert_eq!(
        verified(&lines),
        [(FindingKind::LeavesMissing, Some(42), Some(44)), out_of_place(42), out_of_place(43), out_of_place(44)]
    );
    let mut lines = log.lines();
    lines.remove(160);
    assert_eq!(verified(&lines), [(FindingKind::LeavesMissing, Some(159), Some(159)), cut_off]);
    let more = Log { key: log.key, ..Log::new(162) };
    let lines = more.lines_with(more.checkpoint(160));
    let report = verify(&lines, vec![more.verifier_key()], vec![]);
    has_only(&report, FindingKind::LeavesSurplus, Some((160, 161)), None, "not among the 160 leaves");
}

#[test]
fn an_older_copy_is_found_by_a_kept_checkpoint() {
    let log = Log::new(200);
    let kept = log.checkpoint(200);
    let older = Log { leaves: log.leaves[..180].to_vec(), key: log.key, unsealed: log.unsealed };
    assert!(older.verify().is_clean(), "nothing shows it without a kept checkpoint");
    let report = verify(&older.lines(), vec![older.verifier_key()], vec![kept]);
    has_only(&report, FindingKind::Shortened, Some((180, 199)), None, "entries 180 to 199 are missing");
    assert_eq!(report.proven_size, Some(180));
}

#[test]
fn only_trusted_keys_of_this_log_count() {
    let log = Log::new(160);
    let other = SigningKey::from_pem(ORIGIN, &SigningKey::generate().unwrap()).unwrap();
    let report = verify(&log.lines(), vec![other.verifier().clone()], vec![]);
    has_only(&report, FindingKind::UntrustedCheckpoint, None, None, "none of the given keys has signed it");
    assert_eq!(report.proven_size, None);

    let forged = log.checkpoint(160).replace("keyward/019", "keyward/018");
    let kinds_of = |lines: &[String], kept: Vec<String>| kinds(&verify(lines, vec![log.verifier_key()], kept));
    assert_eq!(
        kinds_of(&log.lines_with(forged.clone()), vec![]),
        [(FindingKind::UntrustedCheckpoint, None, None), (FindingKind::OriginDiffers, None, None)]
    );
    assert_eq!(kinds_of(&log.lines(), vec![forged]), [(FindingKind::OriginDiffers, None, None)]);
    let by_other = checkpoint(&other, ORIGIN, &log.leaves);
    assert_eq!(kinds_of(&log.lines(), vec![by_other]), [(FindingKind::UntrustedKeptCheckpoint, None, None)]);
    let broken = log.checkpoint(160).replace("\n160\n", "\n161\n");
    assert_eq!(kinds_of(&log.lines(), vec![broken.clone()]), [(FindingKind::UntrustedKeptCheckpoint, None, None)]);
    // The export says what its checkpoint says, and the signature is wrong.
    let kinds = kinds_of(&log.lines_with(broken), vec![]);
    assert_eq!(kinds[0].0, FindingKind::UntrustedCheckpoint, "{kinds:?}");
    assert_eq!(kinds_of(&log.lines(), vec!["nonsense".to_owned()]).len(), 1);
}

#[test]
fn a_tree_without_a_checkpoint_proves_nothing() {
    let log = Log::new(160);
    let mut lines = log.lines();
    lines[0] = canonical_json(&json!({ "tree": {
        "origin": ORIGIN, "size": 160, "checkpoint": null, "verifier_keys": [],
    } }))
    .unwrap();
    let report = verify(&lines, vec![log.verifier_key()], vec![]);
    has_only(&report, FindingKind::UntrustedCheckpoint, None, None, "has no checkpoint");
}

#[test]
fn what_is_no_export_is_no_log() {
    for text in ["", "\n", "nonsense\n", "{}\n"] {
        assert!(!verify_text(text.as_bytes(), vec![], vec![]).is_clean(), "{text:?}");
    }
    let log = Log::new(160);
    let mut lines = log.lines();
    lines.push(lines[7].clone());
    has_only(
        &verify(&lines, vec![], vec![]),
        FindingKind::MalformedLine,
        None,
        None,
        "Line 168 is not a line of an export: it is after the last line",
    );
}
