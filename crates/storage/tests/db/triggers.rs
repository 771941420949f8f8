//! The triggers: whoever writes to the tables and whatever the clock says, a dead key stays dead and
//! the audit log is append-only.

use keyward_domain::Lifetime;
use keyward_test_support::{Backend, TestApp, on_both};
use serde_json::json;

/// Runs SQL as an operator with direct database access, and returns the database's error.
fn sql(app: &TestApp, text: &str) -> Result<(), String> {
    app.database.execute(text).map_err(|error| error.to_string())
}

async fn token(app: &TestApp, name: &str) -> String {
    app.owner.token(&json!({ "token_name": name })).await["id"].as_str().unwrap().to_owned()
}

async fn expire(app: &TestApp, id: &str) {
    app.advance(Lifetime::minutes(1));
    app.owner.http.send("PUT", &format!("/api/v2/users/me/keys/{id}/expire")).await.expect(204);
}

fn refused(app: &TestApp, text: &str, because: &str) {
    let error = sql(app, text).unwrap_err();
    assert!(error.contains(because), "{text}: {error}");
}

on_both! {
    async fn a_dead_key_cannot_be_revived(app: TestApp) {
        let id = token(&app, "dead").await;
        expire(&app, &id).await;
        for set in ["expires_at = created_at", "ended_at = NULL", "expires_at = '2999-01-01T00:00:00.000000Z', ended_at = NULL"] {
            refused(&app, &format!("UPDATE api_keys SET {set} WHERE id = '{id}'"), "never");
        }
        sql(&app, &format!("UPDATE api_keys SET last_used = created_at WHERE id = '{id}'")).unwrap();
    }

    async fn a_token_never_lives_longer(app: TestApp) {
        let id = token(&app, "live").await;
        let later = "'2999-01-01T00:00:00.000000Z'";
        refused(&app, &format!("UPDATE api_keys SET expires_at = {later} WHERE id = '{id}'"), "never moves later");
        refused(
            &app,
            &format!("UPDATE api_keys SET expires_at = {later}, slid_at = created_at WHERE id = '{id}'"),
            "never moves later",
        );
        refused(&app, &format!("UPDATE api_keys SET kind = 'session' WHERE id = '{id}'"), "never change");
        refused(&app, &format!("UPDATE api_keys SET login_type = 'password' WHERE id = '{id}'"), "never change");
        sql(&app, &format!("UPDATE api_keys SET expires_at = created_at WHERE id = '{id}'")).unwrap();
        assert!(app.owner.token_ids("").await.is_empty(), "a token moved earlier by hand is expired");
    }

    async fn an_expiry_set_by_hand_may_use_sqlite_time_formats(app: TestApp) {
        if app.database.backend != Backend::Sqlite {
            return;
        }
        let id = token(&app, "by-hand").await;
        sql(&app, &format!("UPDATE api_keys SET expires_at = datetime('now', '+1 hour') WHERE id = '{id}'")).unwrap();
        assert_eq!(app.owner.token_ids("").await, [id.as_str()], "the token is live and listed");
        expire(&app, &id).await;
        assert!(app.owner.token_ids("").await.is_empty());
        assert_eq!(app.audit("action:write").await.len(), 1);

        let over = token(&app, "over").await;
        sql(&app, &format!("UPDATE api_keys SET expires_at = datetime('now', '-1 hour') WHERE id = '{over}'")).unwrap();
        let later = ["datetime('now')", "date('now', '+1 day')", "strftime('%Y-%m-%dT%H:%M:%S', 'now') || '-01:00'"];
        for later in later {
            refused(&app, &format!("UPDATE api_keys SET expires_at = {later} WHERE id = '{over}'"), "never moves later");
        }
        for garbage in ["'soon'", "''", "'2026-13-01'"] {
            refused(&app, &format!("UPDATE api_keys SET expires_at = {garbage} WHERE id = '{over}'"), "not a time");
        }
        refused(&app, &format!("UPDATE api_keys SET last_used = 'soon' WHERE id = '{over}'"), "last_used_is_an_instant");
        assert_eq!(app.owner.token_ids("?include_expired=true").await.len(), 2, "every row can still be parsed");
    }

    async fn only_a_live_session_slides(app: TestApp) {
        let id = app.owner.session.split('-').next().unwrap().to_owned();
        let later = "'2999-01-01T00:00:00.000000Z'";
        refused(&app, &format!("UPDATE api_keys SET expires_at = {later} WHERE id = '{id}'"), "only a session");
        refused(
            &app,
            &format!("UPDATE api_keys SET expires_at = {later}, slid_at = expires_at WHERE id = '{id}'"),
            "only a session",
        );
        sql(&app, &format!("UPDATE api_keys SET expires_at = {later}, slid_at = created_at WHERE id = '{id}'")).unwrap();
        refused(&app, &format!("UPDATE api_keys SET expires_at = '2999-02-01T00:00:00.000000Z' WHERE id = '{id}'"), "only a session");
    }

    async fn session_rules_apply_to_unknown_login_types(app: TestApp) {
        let session = app.owner.session.split('-').next().unwrap();
        let columns = "user_id, kind, token_name, digest, digest_version, scopes, allow_list, lifetime_seconds, created_at, \
                       updated_at, expires_at";
        sql(&app, &format!(
            "INSERT INTO api_keys (id, login_type, {columns})
             SELECT 'kws_0000000001', 'another-way', {columns} FROM api_keys WHERE id = '{session}'"
        )).unwrap();
        let later = "UPDATE api_keys SET expires_at = '2999-01-01T00:00:00.000000Z'";
        refused(&app, &format!("{later} WHERE id = 'kws_0000000001'"), "only a session");
        sql(&app, &format!("{later}, slid_at = created_at WHERE id = 'kws_0000000001'")).unwrap();
    }

    async fn the_identity_of_a_key_is_fixed(app: TestApp) {
        let (id, other) = (token(&app, "one").await, token(&app, "two").await);
        refused(&app, &format!("UPDATE api_keys SET id = 'kwd_0000000000' WHERE id = '{id}'"), "never change");
        let digest = format!("(SELECT digest FROM api_keys WHERE id = '{other}')");
        refused(&app, &format!("UPDATE api_keys SET digest = {digest} WHERE id = '{id}'"), "never change");
        refused(&app, &format!("UPDATE api_keys SET digest_version = 2 WHERE id = '{id}'"), "never change");
    }

    async fn a_copy_of_an_expired_key_is_legal_and_overwriting_is_not(app: TestApp) {
        let id = token(&app, "one").await;
        expire(&app, &id).await;
        let copy = |verb: &str, new: &str| {
            let columns = "user_id, kind, login_type, digest_version, scopes, allow_list, lifetime_seconds, created_at, updated_at, expires_at, ended_at";
            format!("{verb} INTO api_keys (id, token_name, digest, {columns}) SELECT '{new}', 'copy', digest, {columns} FROM api_keys WHERE id = '{id}'")
        };
        sql(&app, &copy("INSERT", "kwd_0000000001")).unwrap();
        assert_eq!(app.owner.token_ids("?include_expired=true").await.len(), 2);
        sql(&app, &copy("INSERT", &id)).unwrap_err();
        if app.database.backend == Backend::Sqlite {
            refused(&app, &copy("INSERT OR REPLACE", &id), "with this id already");
        }
    }

    async fn audit_entries_are_append_only(app: TestApp) {
        token(&app, "one").await;
        let before = app.database.count("SELECT count(*) AS count FROM audit_logs");
        refused(&app, "UPDATE audit_logs SET description = ''", "never changed");
        refused(&app, "DELETE FROM audit_logs", "never deleted");
        if app.database.backend == Backend::Sqlite {
            refused(&app, "INSERT OR REPLACE INTO audit_logs SELECT * FROM audit_logs", "with this id already");
        } else {
            refused(&app, "TRUNCATE audit_logs", "never changed");
        }
        assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_logs"), before);
    }
}
