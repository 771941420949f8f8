//! The secret of a key: shown once at creation, stored only as a digest.
//!
//! Text form: `<id>-<22 base62><6 base62 checksum>`. The checksum is the CRC-32 (IEEE 802.3) of
//! everything before it. Secret scanners recognise a key by it, and the server rejects malformed
//! keys before it queries the database. The checksum is not a security check.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::KeyKind;
use super::id::{self, BASE62, ID_DIGITS, KeyId};

const SECRET_DIGITS: usize = 22;
const CHECKSUM_DIGITS: usize = 6;

/// Length of the part that the checksum covers: id, `-`, secret.
const BODY: usize = KeyId::LENGTH + 1 + SECRET_DIGITS;

/// The version of the digest scheme: 1 is SHA-256 of the whole text form. A new scheme gets a new
/// number; existing rows keep the version they were written with.
pub const DIGEST_VERSION: i16 = 1;

/// The full text of a key. It exists only from creation until it is returned to the owner.
#[derive(Clone)]
pub struct PlainKey {
    id: KeyId,
    text: Zeroizing<String>,
}

impl PlainKey {
    /// Generates a new key with about 131 random bits from the operating system.
    ///
    /// # Errors
    /// If the operating system returns no random bytes.
    pub fn generate(kind: KeyKind) -> Result<Self, getrandom::Error> {
        let digits = Zeroizing::new(random_base62(ID_DIGITS + SECRET_DIGITS)?);
        let (id_digits, secret) = digits.split_at(ID_DIGITS);
        let id = format!("{}{id_digits}", id::prefix(kind));
        let body = Zeroizing::new(format!("{id}-{secret}"));
        let sum = checksum(body.as_bytes());
        let text = Zeroizing::new(format!("{}{}", *body, sum.map(char::from).iter().collect::<String>()));
        Ok(Self { id: KeyId::from_stored(id), text })
    }

    /// The id, which may be shown.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The secret text. Call this only to return it to the owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The digest to store instead of the secret.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.text.as_bytes()).into())
    }
}

impl fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// SHA-256 of a key's text form.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a text with the length of a key. The form needs no check when the digest is
    /// compared with that of a valid key: a malformed text has another digest.
    #[must_use]
    #[inline]
    pub fn of(text: &[u8; PresentedKey::LENGTH]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// A digest as stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A proof that its sender knows the key's text. It is useless as a credential, because it is not the
    /// digest and does not lead to it.
    #[must_use]
    pub fn proof(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"keyward: a use of the key with this digest\n")
            .chain_update(self.0)
            .finalize()
            .into()
    }

    /// Constant-time equality.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        constant_time_eq::constant_time_eq_32(&self.0, &other.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A presented key: well formed, secret not yet checked.
#[derive(Clone, Debug)]
pub struct PresentedKey {
    /// The claimed id.
    pub id: KeyId,
    /// The digest of the presented text.
    pub digest: Digest,
}

/// The text is not a key: wrong shape or wrong checksum. The error does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key: wrong shape or checksum")]
pub struct MalformedKey;

impl PresentedKey {
    /// Length of a key's text form, in bytes.
    pub const LENGTH: usize = BODY + CHECKSUM_DIGITS;

    /// Parses and hashes a key's text form.
    ///
    /// # Errors
    /// [`MalformedKey`] if the prefix, length, alphabet or checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        let bytes: &[u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_wrong_length| MalformedKey)?;
        let (body, sum) = bytes.split_at(BODY);
        let (id, secret) = body.split_first_chunk().ok_or(MalformedKey)?;
        let id = KeyId::from_bytes(*id).map_err(|_malformed| MalformedKey)?;
        let secret = secret.strip_prefix(b"-").ok_or(MalformedKey)?;
        if !id::all_base62(secret) || checksum(body) != sum {
            return Err(MalformedKey);
        }
        Ok(Self { id, digest: Digest::of(bytes) })
    }
}

/// CRC-32 of the body in six base62 digits, zero-padded. Six digits suffice: 62^6 > 2^32.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_DIGITS] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = base62((rest % 62) as usize);
        rest /= 62;
    }
    digits
}

/// Unbiased random digits: bytes of 248 or more are discarded, because 248 is 4 × 62.
fn random_base62(count: usize) -> Result<String, getrandom::Error> {
    let mut digits = String::with_capacity(count);
    let mut bytes = Zeroizing::new([0_u8; 48]);
    while digits.len() < count {
        getrandom::fill(bytes.as_mut_slice())?;
        for byte in bytes.iter().filter(|&&byte| byte < 248) {
            if digits.len() == count {
                break;
            }
            digits.push(char::from(base62(usize::from(byte % 62))));
        }
    }
    Ok(digits)
}

fn base62(value: usize) -> u8 {
    BASE62.get(value).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_has_the_documented_shape_and_reads_back() {
        let plain = PlainKey::generate(KeyKind::Token).unwrap();
        assert_eq!(plain.expose().len(), 14 + 1 + 22 + 6);
        assert!(plain.expose().starts_with(&format!("{}-", plain.id())));
        let presented = PresentedKey::parse(plain.expose()).unwrap();
        assert_eq!(&presented.id, plain.id());
        assert!(presented.digest.matches(&plain.digest()));
    }

    #[test]
    fn the_checksum_is_crc_32_in_base62_with_zeros_in_front() {
        // CRC-32 of "123456789" is 0xCBF43926 = 3421780262, the check value of the standard.
        assert_eq!(&checksum(b"123456789"), b"3jZRME");
    }

    #[test]
    fn malformed_keys_are_refused() {
        let plain = PlainKey::generate(KeyKind::Session).unwrap();
        let good = plain.expose();
        let last = if good.ends_with('0') { "1" } else { "0" };
        let wrong_sum = format!("{}{last}", &good[..good.len() - 1]);
        for text in
            ["", "-", "kwd_", &good[1..], &format!("{good}0"), &wrong_sum, "kwd_éééééé-0000", &good.replace('-', "_")]
        {
            assert_eq!(PresentedKey::parse(text).unwrap_err(), MalformedKey, "{text}");
        }
    }

    #[test]
    fn secrets_print_as_redacted() {
        let plain = PlainKey::generate(KeyKind::Token).unwrap();
        assert_eq!(format!("{plain:?} {:?}", plain.digest()), "[redacted] [redacted]");
    }
}
