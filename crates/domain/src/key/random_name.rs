//! Random names for tokens created without a name: `adjective-noun-NN`.

use super::TokenName;

const ADJECTIVES: [&str; 48] = [
    "amber", "bold", "brave", "brisk", "calm", "clear", "clever", "cosy", "crisp", "dapper", "deft", "eager", "early",
    "fair", "fleet", "fond", "frank", "gentle", "glad", "golden", "grand", "hardy", "honest", "keen", "kind", "lively",
    "lucid", "merry", "mild", "neat", "nimble", "noble", "patient", "plain", "polite", "proud", "quick", "quiet",
    "rapid", "sharp", "silver", "smart", "solid", "steady", "sunny", "swift", "tidy", "warm",
];

const NOUNS: [&str; 48] = [
    "acorn", "anchor", "badger", "beacon", "birch", "bridge", "brook", "canyon", "cedar", "cliff", "comet", "coral",
    "crane", "delta", "ember", "falcon", "fern", "finch", "fjord", "forest", "garden", "glacier", "harbor", "heron",
    "island", "lantern", "lark", "maple", "meadow", "mesa", "orchard", "otter", "pebble", "pine", "plover", "prairie",
    "raven", "reef", "river", "robin", "sparrow", "spruce", "summit", "thicket", "tundra", "valley", "willow", "wren",
];

/// Draws a random name. The caller draws again while a live token has the name.
///
/// # Errors
/// If the operating system returns no random bytes.
pub fn random_name() -> Result<TokenName, getrandom::Error> {
    let draw = getrandom::u64()?;
    let pick = |words: &[&'static str; 48], bits: u64| {
        words.get(usize::try_from(bits % 48).unwrap_or(0)).copied().unwrap_or("plain")
    };
    let number = (draw >> 40) % 100;
    let text = format!("{}-{}-{number:02}", pick(&ADJECTIVES, draw), pick(&NOUNS, draw >> 20));
    Ok(TokenName::known_good(text))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_random_name_is_two_words_and_two_digits() {
        let name = super::random_name().unwrap();
        let parts: Vec<&str> = name.as_str().split('-').collect();
        assert_eq!(parts.len(), 3, "{name}");
        assert!(name.as_str().parse::<crate::TokenName>().is_ok());
        assert!(parts[2].len() == 2 && parts[2].parse::<u8>().is_ok(), "{name}");
    }
}
