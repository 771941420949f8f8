//! The configuration file: TOML, its keys the names of the flags.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum as _;

use super::flags::{Flags, address, or_zero};
use super::{ConfigError, LogFormat};

/// Reads the file.
pub(super) fn read(path: &Path) -> Result<Flags, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(&text).map_err(|reason| ConfigError::Invalid { path: path.to_owned(), reason })
}

fn parse(text: &str) -> Result<Flags, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut flags = Flags::default();
    for (key, value) in &table {
        // The URL of a database may hold a password.
        let shown = if key == "database-url" { "[hidden]".to_owned() } else { value.to_string() };
        set(&mut flags, key, value).map_err(|reason| format!("{key} = {shown}: {reason}"))?;
    }
    Ok(flags)
}

fn set(flags: &mut Flags, key: &str, value: &toml::Value) -> Result<(), String> {
    match key {
        "listen" => flags.listen = Some(address(text(value)?)?),
        "data-dir" => flags.data_dir = Some(PathBuf::from(text(value)?)),
        "database-url" => flags.database_url = Some(text(value)?.to_owned()),
        "default-token-lifetime" => flags.default_token_lifetime = Some(parsed(value)?),
        "max-token-lifetime" => flags.max_token_lifetime = Some(parsed(value)?),
        "max-admin-token-lifetime" => flags.max_admin_token_lifetime = Some(parsed(value)?),
        "session-duration" => flags.session_duration = Some(parsed(value)?),
        "session-max-lifetime" => flags.session_max_lifetime = Some(parsed(value)?),
        "disable-session-expiry-refresh" => {
            let on = value.as_bool().ok_or("want true or false")?;
            flags.disable_session_expiry_refresh = Some(on);
        }
        "verifier-lease" => flags.verifier_lease = Some(parsed(value)?),
        "api-keys-retention" => flags.api_keys_retention = Some(retention(value)?),
        "audit-logs-retention" => flags.audit_logs_retention = Some(retention(value)?),
        "scopes" => flags.scopes = Some(PathBuf::from(text(value)?)),
        "trusted-proxies" => flags.trusted_proxies = Some(proxies(value)?.parse().map_err(words)?),
        "log-format" => flags.log_format = Some(LogFormat::from_str(text(value)?, false)?),
        "log-filter" => flags.log_filter = Some(text(value)?.to_owned()),
        _ => return Err("there is no such setting; `keyward-server --help` lists them".to_owned()),
    }
    Ok(())
}

fn text(value: &toml::Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "want a text in quotes".to_owned())
}

fn parsed<T: FromStr<Err: Display>>(value: &toml::Value) -> Result<T, String> {
    text(value)?.parse().map_err(words)
}

fn retention(value: &toml::Value) -> Result<keyward_domain::Lifetime, String> {
    match value.as_integer() {
        Some(0) => or_zero("0").map_err(words),
        _ => or_zero(text(value)?).map_err(words),
    }
}

/// A text with commas, or a list of texts.
fn proxies(value: &toml::Value) -> Result<String, String> {
    match value.as_array() {
        Some(list) => Ok(list.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(",")),
        None => Ok(text(value)?.to_owned()),
    }
}

fn words(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_what_flags_set() {
        let flags = parse(
            "listen = \"127.0.0.1:1\"\nmax-token-lifetime = \"30d\"\naudit-logs-retention = 0\n\
             trusted-proxies = [\"10.0.0.0/8\", \"::1\"]\ndisable-session-expiry-refresh = true",
        )
        .unwrap();
        assert_eq!(flags.max_token_lifetime.unwrap().to_string(), "30d");
        assert_eq!(flags.trusted_proxies.unwrap().0.len(), 2);
        assert_eq!(flags.disable_session_expiry_refresh, Some(true));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("colour = 1", "colour = 1: there is no such setting"),
            ("max-token-lifetime = \"7\"", "max-token-lifetime = \"7\": \"7\" is not a duration"),
            ("max-token-lifetime = 7", "want a text in quotes"),
            ("log-format = \"xml\"", "log-format = \"xml\""),
            ("trusted-proxies = \"nowhere\"", "\"nowhere\" is not an address"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
