//! The effective configuration, as text: TOML that the server would read back, each line with where
//! its value comes from.

use super::{Config, LogFormat, Origin, Sourced};

/// One line for each setting; passwords are hidden.
#[must_use]
pub fn show(config: &Config) -> String {
    let mut lines = Lines(String::new());
    lines.add("listen", &config.listen, |value| quoted(&value.to_string()));
    lines.add("data-dir", &config.data_dir, |value| quoted(&value.display().to_string()));
    lines.add("database-url", &config.database_url, |value| quoted(&value.to_string()));
    lines.add("default-token-lifetime", &config.default_token_lifetime, |value| quoted(&value.to_string()));
    lines.add("max-token-lifetime", &config.max_token_lifetime, |value| quoted(&value.to_string()));
    lines.add("max-admin-token-lifetime", &config.max_admin_token_lifetime, |value| quoted(&value.to_string()));
    lines.add("session-duration", &config.session_duration, |value| quoted(&value.to_string()));
    lines.add("session-max-lifetime", &config.session_max_lifetime, |value| quoted(&value.to_string()));
    lines.add("disable-session-expiry-refresh", &config.disable_session_expiry_refresh, |value| value.to_string());
    lines.add("verifier-lease", &config.verifier_lease, |value| quoted(&value.to_string()));
    lines.add("api-keys-retention", &config.api_keys_retention, |value| retention(*value));
    lines.add("audit-logs-retention", &config.audit_logs_retention, |value| retention(*value));
    match &config.scopes.value {
        Some(path) => lines.add("scopes", &config.scopes, |_| quoted(&path.display().to_string())),
        None => lines.0.push_str("# scopes: the built-in catalogue (default)\n"),
    }
    lines.add("trusted-proxies", &config.trusted_proxies, |value| {
        let networks: Vec<String> = value.iter().map(|network| quoted(&network.to_string())).collect();
        format!("[{}]", networks.join(", "))
    });
    lines.add("log-format", &config.log_format, |value| {
        quoted(match value {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    });
    lines.add("log-filter", &config.log_filter, |value| quoted(value));
    lines.0
}

struct Lines(String);

impl Lines {
    fn add<T>(&mut self, name: &str, setting: &Sourced<T>, write: impl FnOnce(&T) -> String) {
        let origin = match setting.origin {
            Origin::Flag => "flag",
            Origin::Environment => "environment",
            Origin::File => "file",
            Origin::Default => "default",
        };
        self.0.push_str(&format!("{name} = {} # {origin}\n", write(&setting.value)));
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn retention(lifetime: keyward_domain::Lifetime) -> String {
    if lifetime.is_zero() { quoted("0") } else { quoted(&lifetime.to_string()) }
}
