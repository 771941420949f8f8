//! The tables as diesel sees them. They must match the migrations; a test reads every column on both
//! databases.

use diesel::allow_tables_to_appear_in_same_query;

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::{Id, Instant};

    users (id) {
        id -> Id,
        username -> Text,
        username_key -> Text,
        name -> Text,
        email -> Text,
        email_key -> Text,
        login_type -> Text,
        status -> Text,
        roles -> Text,
        password_hash -> Nullable<Text>,
        created_at -> Instant,
        updated_at -> Instant,
        last_seen_at -> Nullable<Instant>,
        deleted_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::{Id, Instant};

    api_keys (id) {
        id -> Text,
        user_id -> Id,
        token_name -> Text,
        kind -> Text,
        login_type -> Text,
        digest -> Binary,
        digest_version -> SmallInt,
        scopes -> Text,
        allow_list -> Text,
        lifetime_seconds -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
        last_used -> Nullable<Instant>,
        last_used_ip -> Nullable<Text>,
        expires_at -> Instant,
        ended_at -> Nullable<Instant>,
        slides_until -> Nullable<Instant>,
        slid_at -> Nullable<Instant>,
        minted_by -> Nullable<Text>,
        end_reason -> Nullable<Text>,
        end_note -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::{Id, Instant};

    audit_logs (id) {
        id -> Id,
        time -> Instant,
        request_id -> Nullable<Id>,
        ip -> Nullable<Text>,
        user_agent -> Text,
        actor_id -> Nullable<Id>,
        actor_username -> Nullable<Text>,
        actor_email -> Nullable<Text>,
        event -> Text,
        cause -> Nullable<Text>,
        action -> Text,
        resource_type -> Text,
        resource_id -> Text,
        resource_target -> Text,
        description -> Text,
        old -> Text,
        new -> Text,
        diff -> Text,
        additional_fields -> Text,
        clock_epoch -> BigInt,
        key_id -> Nullable<Text>,
        incident_id -> Nullable<Id>,
        salt -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Id;

    audit_unsealed (position) {
        position -> BigInt,
        entry_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Id;

    audit_leaves (leaf_index) {
        leaf_index -> BigInt,
        entry_id -> Id,
        hash -> Binary,
    }
}

diesel::table! {
    audit_nodes (node) {
        node -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Id;

    audit_tree (id) {
        id -> Integer,
        instance_id -> Id,
        size -> BigInt,
        checkpoint -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Instant;

    audit_signing_keys (verifier_key) {
        verifier_key -> Text,
        added_at -> Instant,
    }
}

diesel::table! {
    clock_epochs (id) {
        id -> Integer,
        epoch -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Instant;

    key_retention (id) {
        id -> Integer,
        held_cutoff -> Nullable<Instant>,
        held_keys -> Nullable<BigInt>,
        confirmed_cutoff -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Instant;

    audit_retention (id) {
        id -> SmallInt,
        cutoff -> Nullable<Instant>,
        retired -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::{Id, Instant};

    incidents (id) {
        id -> Id,
        actor_id -> Id,
        actor_username -> Text,
        key_id -> Text,
        selector -> Text,
        reason -> Text,
        note -> Nullable<Text>,
        cascades -> Bool,
        includes_caller -> Bool,
        digest -> Text,
        key_ids -> Text,
        matched -> BigInt,
        done -> BigInt,
        expired -> BigInt,
        started_at -> Instant,
        active_at -> Instant,
        ended_at -> Nullable<Instant>,
        confirmed -> Nullable<BigInt>,
        lapsed -> Nullable<BigInt>,
        waited_ms -> Nullable<BigInt>,
        witnesses -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::{Id, Instant};

    locks (id) {
        id -> Id,
        created_at -> Instant,
        actor_id -> Id,
        actor_username -> Text,
        user_id -> Nullable<Id>,
        key_ids -> Nullable<Text>,
        scope -> Nullable<Text>,
        name_prefix -> Nullable<Text>,
        spared_key -> Text,
        spares_owners -> Bool,
        spared_sessions -> Nullable<Id>,
        scopes -> Nullable<Text>,
        message -> Text,
        reason -> Nullable<Text>,
        ends_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Instant;

    key_uses (key_id, via, asked_by, ip) {
        key_id -> Text,
        via -> Text,
        asked_by -> Text,
        ip -> Text,
        uses -> BigInt,
        first_at -> Instant,
        last_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Instant;

    key_refusals (key_id, code, ip, hour) {
        key_id -> Text,
        code -> Text,
        ip -> Text,
        hour -> Instant,
        refusals -> BigInt,
        first_at -> Instant,
        last_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Instant;

    end_confirmations (key_id) {
        key_id -> Text,
        confirmed_at -> Instant,
        waited_ms -> BigInt,
        witnesses -> Text,
    }
}

diesel::table! {
    setup_code (id) {
        id -> Integer,
        digest -> Binary,
    }
}

diesel::table! {
    verifier_lease (id) {
        id -> SmallInt,
        longest_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::Id;

    /// Exists only on PostgreSQL.
    verifier_servers (id) {
        id -> Id,
        beat -> BigInt,
    }
}

diesel::joinable!(api_keys -> users (user_id));
allow_tables_to_appear_in_same_query!(users, api_keys);
allow_tables_to_appear_in_same_query!(api_keys, locks);
allow_tables_to_appear_in_same_query!(users, locks);
allow_tables_to_appear_in_same_query!(audit_logs, clock_epochs, audit_unsealed, audit_leaves);
