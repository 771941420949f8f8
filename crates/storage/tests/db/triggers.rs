//! The triggers: dead is absorbing and the audit log is append-only for whoever writes to the
//! tables, without a clock.

use keyward_test_database::Backend;

use crate::support::{Db, on_both};

/// Runs an operator's SQL.
fn sql(db: &Db, text: &str) -> Result<(), String> {
    db.database.execute(text).map_err(|error| error.to_string())
}

fn refused(db: &Db, text: &str, because: &str) {
    let error = sql(db, text).unwrap_err();
    assert!(error.contains(because), "{text}: {error}");
}

on_both! {
    a_dead_key_cannot_be_revived,
    a_token_never_lives_longer,
    an_expiry_set_by_hand_may_use_sqlite_time_formats,
    only_a_live_session_slides,
    session_rules_apply_to_unknown_login_types,
    the_identity_of_a_key_is_fixed,
    a_copy_of_an_expired_key_is_legal_and_overwriting_is_not,
    audit_entries_are_append_only,
}

async fn a_dead_key_cannot_be_revived(db: Db) {
    let id = db.token("dead").await;
    db.expire(&id).await;
    for set in
        ["expires_at = created_at", "ended_at = NULL", "expires_at = '2999-01-01T00:00:00.000000Z', ended_at = NULL"]
    {
        refused(&db, &format!("UPDATE api_keys SET {set} WHERE id = '{id}'"), "never");
    }
    sql(&db, &format!("UPDATE api_keys SET last_used = created_at WHERE id = '{id}'")).unwrap();
}

async fn a_token_never_lives_longer(db: Db) {
    let id = db.token("live").await;
    let later = "'2999-01-01T00:00:00.000000Z'";
    refused(&db, &format!("UPDATE api_keys SET expires_at = {later} WHERE id = '{id}'"), "never moves later");
    refused(
        &db,
        &format!("UPDATE api_keys SET expires_at = {later}, slid_at = created_at WHERE id = '{id}'"),
        "never moves later",
    );
    refused(&db, &format!("UPDATE api_keys SET kind = 'session' WHERE id = '{id}'"), "never change");
    refused(&db, &format!("UPDATE api_keys SET login_type = 'password' WHERE id = '{id}'"), "never change");
    sql(&db, &format!("UPDATE api_keys SET expires_at = created_at WHERE id = '{id}'")).unwrap();
    assert!(db.tokens(false).await.is_empty(), "a token moved earlier by hand is expired");
}

async fn an_expiry_set_by_hand_may_use_sqlite_time_formats(db: Db) {
    if db.database.backend != Backend::Sqlite {
        return;
    }
    let id = db.token("by-hand").await;
    sql(&db, &format!("UPDATE api_keys SET expires_at = datetime('now', '+1 hour') WHERE id = '{id}'")).unwrap();
    assert_eq!(db.tokens(false).await, [id.as_str()], "the token is live and listed");
    db.expire(&id).await;
    assert!(db.tokens(false).await.is_empty());
    assert_eq!(db.database.count("SELECT count(*) AS count FROM audit_logs WHERE action = 'write'"), 1);

    let over = db.token("over").await;
    sql(&db, &format!("UPDATE api_keys SET expires_at = datetime('now', '-1 hour') WHERE id = '{over}'")).unwrap();
    let later = ["datetime('now')", "date('now', '+1 day')", "strftime('%Y-%m-%dT%H:%M:%S', 'now') || '-01:00'"];
    for later in later {
        refused(&db, &format!("UPDATE api_keys SET expires_at = {later} WHERE id = '{over}'"), "never moves later");
    }
    for garbage in ["'soon'", "''", "'2026-13-01'"] {
        refused(&db, &format!("UPDATE api_keys SET expires_at = {garbage} WHERE id = '{over}'"), "not a time");
    }
    refused(&db, &format!("UPDATE api_keys SET last_used = 'soon' WHERE id = '{over}'"), "last_used_is_an_instant");
    assert_eq!(db.tokens(true).await.len(), 2, "every row can still be parsed");
}

async fn only_a_live_session_slides(db: Db) {
    let id = db.session().await;
    let later = "'2999-01-01T00:00:00.000000Z'";
    refused(&db, &format!("UPDATE api_keys SET expires_at = {later} WHERE id = '{id}'"), "only a session");
    refused(
        &db,
        &format!("UPDATE api_keys SET expires_at = {later}, slid_at = expires_at WHERE id = '{id}'"),
        "only a session",
    );
    sql(&db, &format!("UPDATE api_keys SET expires_at = {later}, slid_at = created_at WHERE id = '{id}'")).unwrap();
    refused(
        &db,
        &format!("UPDATE api_keys SET expires_at = '2999-02-01T00:00:00.000000Z' WHERE id = '{id}'"),
        "only a session",
    );
}

async fn session_rules_apply_to_unknown_login_types(db: Db) {
    let session = db.session().await;
    let columns = "user_id, kind, token_name, digest, digest_version, scopes, allow_list, lifetime_seconds, created_at, \
                   updated_at, expires_at";
    sql(
        &db,
        &format!(
            "INSERT INTO api_keys (id, login_type, {columns})
         SELECT 'kws_0000000001', 'another-way', {columns} FROM api_keys WHERE id = '{session}'"
        ),
    )
    .unwrap();
    let later = "UPDATE api_keys SET expires_at = '2999-01-01T00:00:00.000000Z'";
    refused(&db, &format!("{later} WHERE id = 'kws_0000000001'"), "only a session");
    sql(&db, &format!("{later}, slid_at = created_at WHERE id = 'kws_0000000001'")).unwrap();
}

async fn the_identity_of_a_key_is_fixed(db: Db) {
    let (id, other) = (db.token("one").await, db.token("two").await);
    refused(&db, &format!("UPDATE api_keys SET id = 'kwd_0000000000' WHERE id = '{id}'"), "never change");
    let digest = format!("(SELECT digest FROM api_keys WHERE id = '{other}')");
    refused(&db, &format!("UPDATE api_keys SET digest = {digest} WHERE id = '{id}'"), "never change");
    refused(&db, &format!("UPDATE api_keys SET digest_version = 2 WHERE id = '{id}'"), "never change");
}

async fn a_copy_of_an_expired_key_is_legal_and_overwriting_is_not(db: Db) {
    let id = db.token("one").await;
    db.expire(&id).await;
    let copy = |verb: &str, new: &str| {
        let columns = "user_id, kind, login_type, digest_version, scopes, allow_list, lifetime_seconds, created_at, updated_at, expires_at, ended_at";
        format!(
            "{verb} INTO api_keys (id, token_name, digest, {columns}) SELECT '{new}', 'copy', digest, {columns} FROM api_keys WHERE id = '{id}'"
        )
    };
    sql(&db, &copy("INSERT", "kwd_0000000001")).unwrap();
    assert_eq!(db.tokens(true).await.len(), 2);
    sql(&db, &copy("INSERT", id.as_str())).unwrap_err();
    if db.database.backend == Backend::Sqlite {
        refused(&db, &copy("INSERT OR REPLACE", id.as_str()), "with this id already");
    }
}

async fn audit_entries_are_append_only(db: Db) {
    db.token("one").await;
    let before = db.entries();
    refused(&db, "UPDATE audit_logs SET description = ''", "never changed");
    refused(&db, "DELETE FROM audit_logs", "never deleted");
    if db.database.backend == Backend::Sqlite {
        refused(&db, "INSERT OR REPLACE INTO audit_logs SELECT * FROM audit_logs", "with this id already");
    } else {
        refused(&db, "TRUNCATE audit_logs", "never changed");
    }
    assert_eq!(db.entries(), before);
}
