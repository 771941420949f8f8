//! Checkpoints (C2SP `tlog-checkpoint`).

use crate::hash::Hash;
use crate::note::{Note, NoteError, SigningKey, VerifierKey};

/// The size and the root hash of a log's tree. Signed, it is a promise about all entries before `size`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root hash.
    pub root: Hash,
}

/// A note that is not a trusted checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCheckpoint {
    /// The note cannot be trusted.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text of the note is not a checkpoint.
    #[error("its text is not a checkpoint: an origin, a size and a root hash on a line each")]
    Text,
}

impl Checkpoint {
    /// Signs the checkpoint.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        key.sign_note(&format!("{}\n{}\n{}\n", self.origin, self.size, self.root))
    }

    /// Reads a signed checkpoint, if one of the keys has signed it.
    ///
    /// # Errors
    /// If it is not a checkpoint, or cannot be trusted.
    pub fn open(note: &str, keys: &[VerifierKey]) -> Result<Self, InvalidCheckpoint> {
        Self::of_text(Note::parse(note)?.verify(keys)?)
    }

    /// Reads a checkpoint from the text of a note, without its signatures. Lines after the third are for
    /// extensions and are ignored.
    ///
    /// # Errors
    /// [`InvalidCheckpoint::Text`] if it is not a checkpoint.
    pub fn of_text(text: &str) -> Result<Self, InvalidCheckpoint> {
        let mut lines = text.strip_suffix('\n').ok_or(InvalidCheckpoint::Text)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(InvalidCheckpoint::Text);
        };
        let is_decimal = size.bytes().all(|digit| digit.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| is_decimal).ok_or(InvalidCheckpoint::Text)?;
        let root = root.parse().map_err(|_malformed| InvalidCheckpoint::Text)?;
        if origin.is_empty() || lines.any(str::is_empty) {
            return Err(InvalidCheckpoint::Text);
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Reads a signed checkpoint without a check of its signatures.
    ///
    /// # Errors
    /// If it is not a checkpoint.
    pub fn unverified(note: &str) -> Result<Self, InvalidCheckpoint> {
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed("it has no empty line before the signatures"))?;
        Self::of_text(&note[..=end])
    }
}

/// The signed checkpoints of a file that has one after the other, with an empty line between them. A last
/// one that was cut off while it was written is left out.
pub fn notes(file: &str) -> impl Iterator<Item = String> {
    let mut paragraphs = file.split_inclusive("\n\n");
    std::iter::from_fn(move || {
        let text = paragraphs.next()?;
        let signatures = paragraphs.next()?.trim_end_matches('\n');
        Some(format!("{text}{signatures}\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint { origin: "keyward/x".to_owned(), size, root: Hash([7; 32]) }
    }

    #[test]
    fn a_signed_checkpoint_is_read_back() {
        let key = SigningKey::from_pem("keyward/x", &SigningKey::generate().unwrap()).unwrap();
        let note = checkpoint(12).sign(&key);
        assert_eq!(Checkpoint::open(&note, &[key.verifier().clone()]), Ok(checkpoint(12)));
        assert_eq!(Checkpoint::unverified(&note), Ok(checkpoint(12)));
        assert!(Checkpoint::open(&note.replace("\n12\n", "\n13\n"), &[key.verifier().clone()]).is_err());

        let file = format!("{note}\n{}\n", checkpoint(13).sign(&key));
        let sizes = |file: &str| -> Result<Vec<u64>, _> {
            notes(file).map(|note| Checkpoint::open(&note, &[key.verifier().clone()]).map(|it| it.size)).collect()
        };
        assert_eq!(sizes(&file), Ok(vec![12, 13]));
        assert_eq!(sizes(&note), Ok(vec![12]));
        assert_eq!(sizes(""), Ok(vec![]));
    }

    #[test]
    fn other_texts_are_refused() {
        let root = Hash([7; 32]);
        for text in [
            String::new(),
            format!("a\n1\n{root}"),
            format!("\n1\n{root}\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n1\n{root}\n\n"),
            "a\n1\nAAAA\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::of_text(&text), Err(InvalidCheckpoint::Text), "{text:?}");
        }
        assert_eq!(Checkpoint::of_text(&format!("a\n0\n{root}\nextension\n")).unwrap().size, 0);
    }
}
