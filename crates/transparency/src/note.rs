//! Signed notes (C2SP `signed-note`) with Ed25519 keys (RFC 8032).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The identifier of Ed25519 signatures.
const ED25519_TYPE: u8 = 1;

/// The first four bytes of the hash of a name and a public key.
type KeyId = [u8; 4];

/// A private key that signs notes under a name.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// A text that is not a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// It is not PEM, or has no private key.
    #[error("it has no PEM block \"PRIVATE KEY\"; openssl genpkey -algorithm ed25519 writes one")]
    NotPem,
    /// It is not an Ed25519 key.
    #[error("its private key is not an Ed25519 key in PKCS#8")]
    NotEd25519,
    /// No random numbers could be drawn.
    #[error("the operating system gave no random numbers")]
    NoRandomness,
}

impl SigningKey {
    /// Draws a private key. Returns it as PEM (PKCS#8, RFC 5958).
    ///
    /// # Errors
    /// [`KeyFileError::NoRandomness`] if the operating system gives no random numbers.
    pub fn generate() -> Result<Zeroizing<String>, KeyFileError> {
        let random = SystemRandom::new();
        let der = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_unspecified| KeyFileError::NoRandomness)?;
        let base64 = Zeroizing::new(BASE64_STANDARD.encode(der.as_ref()));
        // RFC 7468 has 64 characters a line.
        let (first, rest) = base64.split_at(base64.len().min(64));
        Ok(Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{first}\n{rest}\n-----END PRIVATE KEY-----\n")))
    }

    /// Reads a private key in PEM (PKCS#8) that signs as `name`.
    ///
    /// # Errors
    /// If the text has no Ed25519 key.
    pub fn from_pem(name: &str, pem: &str) -> Result<Self, KeyFileError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_malformed| KeyFileError::NotPem)?;
        // OpenSSL writes no public key beside the private one, so there is nothing to check it against.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|_rejected| KeyFileError::NotEd25519)?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { pair, verifier: VerifierKey { name: name.to_owned(), public } })
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs bytes. The signature has 64 bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }

    /// Signs a text that ends with a newline, and returns it as a signed note.
    #[must_use]
    pub fn sign_note(&self, text: &str) -> String {
        let mut signature = self.verifier.id().to_vec();
        signature.extend(self.sign(text.as_bytes()));
        format!("{text}\n— {} {}\n", self.verifier.name, BASE64_STANDARD.encode(signature))
    }
}

/// A public key that checks notes. Its text is `name+id+key`: the id in hexadecimal, the key in base64, as in
/// Go's `sumdb/note`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

/// A text that is not a verifier key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a verifier key: {reason}")]
pub struct InvalidKey {
    text: String,
    reason: &'static str,
}

impl VerifierKey {
    /// The name under which the key signs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key, which is in each signature.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', ED25519_TYPE]);
        hasher.update(self.public);
        let hash: [u8; 32] = hasher.finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Whether this is the key's signature over the bytes.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(bytes, signature).is_ok()
    }

    /// Whether this is the key's signature, in base64, over the bytes.
    #[must_use]
    pub fn verifies_base64(&self, bytes: &[u8], signature: &str) -> bool {
        BASE64_STANDARD.decode(signature).is_ok_and(|signature| self.verifies(bytes, &signature))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let mut key = vec![ED25519_TYPE];
        key.extend(self.public);
        write!(f, "{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let invalid = |reason| InvalidKey { text: text.to_owned(), reason };
        // The key is in base64, which can have a plus, so the text is split from the left.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(invalid("it has not the form name+id+key"));
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(invalid("its name is empty or has a space"));
        }
        let public = match BASE64_STANDARD.decode(key).as_deref() {
            Ok([ED25519_TYPE, public @ ..]) => public.try_into().ok(),
            Ok(_) | Err(_) => None,
        };
        let key =
            Self { name: name.to_owned(), public: public.ok_or_else(|| invalid("it has no Ed25519 key in base64"))? };
        let id = u32::from_str_radix(id, 16).map_err(|_malformed| invalid("its id is not hexadecimal"))?;
        if u32::from_be_bytes(key.id()) != id {
            return Err(invalid("its id is not that of its name and key"));
        }
        Ok(key)
    }
}

/// A text with signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<(&'a str, KeyId, Vec<u8>)>,
}

/// A note that cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text has not the form of a signed note.
    #[error("it is not a signed note: {0}")]
    Malformed(&'static str),
    /// No given key has signed it.
    #[error("none of the given keys has signed it; it is signed by {0}")]
    UnknownKey(String),
    /// A signature is wrong.
    #[error("the signature of {0} is wrong")]
    WrongSignature(String),
}

impl<'a> Note<'a> {
    /// Splits a note into its text and its signatures.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] if it has not the form of a signed note.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.chars().any(|symbol| symbol < ' ' && symbol != '\n') {
            return Err(NoteError::Malformed("it has a control character"));
        }
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed("it has no empty line before the signatures"))?;
        let (text, signatures) = (&note[..=end], &note[end + 2..]);
        if signatures.is_empty() || !signatures.ends_with('\n') {
            return Err(NoteError::Malformed("it does not end with a line that is a signature"));
        }
        let signatures = signatures.lines().map(signature).collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or(NoteError::Malformed("a line after the text is not a signature"))?;
        Ok(Self { text, signatures })
    }

    /// The text, if one of the keys has signed it and no signature of these keys is wrong.
    ///
    /// # Errors
    /// [`NoteError::UnknownKey`] and [`NoteError::WrongSignature`].
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<&'a str, NoteError> {
        let mut is_signed = false;
        for (name, id, signature) in &self.signatures {
            for key in keys.iter().filter(|key| key.name == *name && key.id() == *id) {
                if !key.verifies(self.text.as_bytes(), signature) {
                    return Err(NoteError::WrongSignature(key.to_string()));
                }
                is_signed = true;
            }
        }
        if is_signed {
            return Ok(self.text);
        }
        let signers = self.signatures.iter().map(|(name, id, _)| format!("{name}+{:08x}", u32::from_be_bytes(*id)));
        Err(NoteError::UnknownKey(signers.collect::<Vec<_>>().join(", ")))
    }
}

/// The name, the key's id and the signature of a line.
fn signature(line: &str) -> Option<(&str, KeyId, Vec<u8>)> {
    let (name, base64) = line.strip_prefix("— ")?.split_once(' ')?;
    if name.is_empty() || name.contains(|symbol: char| symbol == '+' || symbol.is_whitespace()) {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    let (id, signature) = bytes.split_first_chunk()?;
    Some((name, *id, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of C2SP `signed-note`'s original implementation, Go's `golang.org/x/mod/sumdb/note`.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn key() -> SigningKey {
        SigningKey::from_pem("keyward/test", &SigningKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_note_of_go_is_verified() {
        let key: VerifierKey = GO_KEY.parse().unwrap();
        assert_eq!(key.to_string(), GO_KEY);
        let text = Note::parse(GO_NOTE).unwrap().verify(std::slice::from_ref(&key)).unwrap();
        assert!(text.ends_with("what your problem is.\n"), "{text}");
        let forged = GO_NOTE.replace("answer", "source");
        let error = Note::parse(&forged).unwrap().verify(&[key]).unwrap_err();
        assert_eq!(error, NoteError::WrongSignature(GO_KEY.to_owned()));
    }

    #[test]
    fn a_note_is_trusted_only_with_a_known_key() {
        let (ours, theirs) = (key(), key());
        let note = ours.sign_note("a\n\nb\n");
        assert_eq!(
            Note::parse(&note).unwrap().verify(&[theirs.verifier().clone(), ours.verifier().clone()]),
            Ok("a\n\nb\n")
        );
        let error = Note::parse(&note).unwrap().verify(&[theirs.verifier().clone()]).unwrap_err();
        assert!(matches!(error, NoteError::UnknownKey(_)), "{error}");
        assert!(Note::parse(&note).unwrap().verify(&[]).is_err());
    }

    #[test]
    fn other_texts_are_refused() {
        let note = key().sign_note("a\n");
        for text in ["", "a\n", "a\n\n", &note[..note.len() - 1], &note.replace('—', "-"), &note.replace('a', "\t")] {
            assert!(matches!(Note::parse(text), Err(NoteError::Malformed(_))), "{text:?}");
        }
        for text in
            ["", "a", "a+b", "a+00000000+AQ==", &GO_KEY.replace("c74f", "c74e"), &GO_KEY.replace("Peter", "Pet er")]
        {
            assert!(text.parse::<VerifierKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_of_openssl_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let key = SigningKey::from_pem("x", pem).unwrap();
        // RFC 8410, §10.1.
        let public = BASE64_STANDARD.decode("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=").unwrap();
        assert_eq!(key.verifier().public.as_slice(), public.as_slice());
        assert_eq!(SigningKey::from_pem("x", "").unwrap_err(), KeyFileError::NotPem);
        let other = pem.replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vx");
        assert_eq!(SigningKey::from_pem("x", &other).unwrap_err(), KeyFileError::NotEd25519);
    }
}
