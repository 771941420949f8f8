//! The words of a command line.

/// Splits a line at spaces. Single quotes hold words together.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for symbol in line.chars() {
        match symbol {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            symbol => word.get_or_insert_default().push(symbol),
        }
    }
    words.extend(word);
    words
}
