//! Parsers for query parameters that are not strings.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// Parses a bool in a query: `true/false/1/0/t/f` in any case.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" => Ok(true),
        "false" | "0" | "f" => Ok(false),
        _ => Err(serde::de::Error::custom(format_args!("\"{text}\" is not a bool: want true or false"))),
    }
}

/// Parses a bool in a query, or in JSON.
pub(crate) fn optional_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Bool(bool),
        #[serde(deserialize_with = "flag")]
        Text(bool),
    }
    match Option::<Flag>::deserialize(deserializer)? {
        Some(Flag::Bool(flag) | Flag::Text(flag)) => Ok(Some(flag)),
        None => Ok(None),
    }
}

/// Parses a whole number in a query.
pub(crate) fn number<'de, D: Deserializer<'de>, N: FromStr>(deserializer: D) -> Result<Option<N>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits_only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits_only => Ok(Some(number)),
        Ok(_) | Err(_) => Err(serde::de::Error::custom(format_args!("\"{text}\" is not a whole number"))),
    }
}
