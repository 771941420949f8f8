//! The secret of a key: made once, shown once, kept only as a digest.
//!
//! Text form: `<id>-<22 base62><6 base62 checksum>`. The checksum is the CRC-32 (IEEE 802.3) of all
//! before it. It lets a scanner recognise a key and lets rubbish be turned away before the
//! database is asked; it is no security check.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::LoginType;
use super::id::{self, BASE62, ID_DIGITS, KeyId};

const SECRET_DIGITS: usize = 22;
const CHECKSUM_DIGITS: usize = 6;

/// The length of what the checksum is of: id, `-`, secret.
const BODY: usize = id::LENGTH + 1 + SECRET_DIGITS;

/// The scheme of the stored digests: 1 is SHA-256 of the whole text form. A new scheme gets a new
/// number, and rows keep the one they were written with.
pub const DIGEST_VERSION: i16 = 1;

/// The full text of a key. Exists where a key is made and where it is handed out, once.
#[derive(Clone)]
pub struct PlainKey {
    id: KeyId,
    text: Zeroizing<String>,
}

impl PlainKey {
    /// Makes a new key of about 131 bits from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate(login_type: LoginType) -> Result<Self, getrandom::Error> {
        let digits = Zeroizing::new(random_base62(ID_DIGITS + SECRET_DIGITS)?);
        let (id_digits, secret) = digits.split_at(ID_DIGITS);
        let id = format!("{}{id_digits}", id::prefix(login_type));
        let body = Zeroizing::new(format!("{id}-{secret}"));
        let sum = checksum(body.as_bytes());
        let text = Zeroizing::new(format!("{}{}", *body, sum.map(char::from).iter().collect::<String>()));
        Ok(Self { id: KeyId::from_stored(id), text })
    }

    /// The part that may be shown.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The secret text. Whoever calls this is handing it to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What is stored in its place.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.text)
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
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// A digest as it was stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Equality that takes the same time wherever the two differ.
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

/// A text of the form of a key, as somebody presented it: not hashed yet, and not known to be right.
#[derive(Clone)]
pub struct KeyText<'a> {
    id: KeyId,
    text: &'a str,
}

/// A key that somebody presented, well formed but not yet known to be right.
#[derive(Clone, Debug)]
pub struct PresentedKey {
    /// The id it claims.
    pub id: KeyId,
    /// The digest of what was presented.
    pub digest: Digest,
}

/// A text that cannot be a key: wrong shape or wrong checksum. The text is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key: wrong shape or checksum")]
pub struct MalformedKey;

impl<'a> KeyText<'a> {
    /// Reads a key's text form.
    ///
    /// # Errors
    /// [`MalformedKey`] when prefix, length, alphabet or checksum is wrong.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, MalformedKey> {
        // On the way of every request that a verifier judges: nothing here allocates.
        let bytes: &[u8; BODY + CHECKSUM_DIGITS] = text.as_bytes().try_into().map_err(|_wrong_length| MalformedKey)?;
        let (body, sum) = bytes.split_at(BODY);
        let (id, secret) = body.split_first_chunk().ok_or(MalformedKey)?;
        let id = KeyId::from_bytes(*id).map_err(|_malformed| MalformedKey)?;
        let secret = secret.strip_prefix(b"-").ok_or(MalformedKey)?;
        if id::count_base62(secret) != SECRET_DIGITS || number(sum) != Some(u64::from(crc32fast::hash(body))) {
            return Err(MalformedKey);
        }
        Ok(Self { id, text })
    }

    /// The id it claims.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The digest of the whole text.
    #[must_use]
    #[inline]
    pub fn digest(&self) -> Digest {
        Digest::of(self.text)
    }

    /// The id and the digest; the text is let go.
    #[must_use]
    pub fn into_presented(self) -> PresentedKey {
        PresentedKey { digest: self.digest(), id: self.id }
    }
}

impl fmt::Debug for KeyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-[redacted]", self.id)
    }
}

impl PresentedKey {
    /// Reads a key's text form, and hashes it.
    ///
    /// # Errors
    /// [`MalformedKey`] when prefix, length, alphabet or checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        KeyText::parse(text).map(KeyText::into_presented)
    }
}

/// CRC-32 of the body in six base62 digits, zero-padded; 62^6 is more than 2^32.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_DIGITS] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = base62((rest % 62) as usize);
        rest /= 62;
    }
    digits
}

/// The number that digits of base62 write, at most ten of them; none if one is not a digit.
///
/// Reading the checksum that was presented is quicker than writing the right one: no division.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number: u64, &digit| {
        let value = VALUES.get(usize::from(digit)).copied().filter(|&value| value < 62)?;
        Some(number * 62 + u64::from(value))
    })
}

/// What each byte is worth as a digit; 62 if it is none.
const VALUES: [u8; 256] = values();

#[expect(clippy::indexing_slicing, reason = "done by the compiler, which would not compile an index out of range")]
const fn values() -> [u8; 256] {
    let mut values = [62; 256];
    let mut value = 0;
    while value < 62 {
        values[BASE62[value as usize] as usize] = value;
        value += 1;
    }
    values
}

/// Digits drawn without bias: bytes of 248 and more are thrown away, since 248 is 4 times 62.
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
        let plain = PlainKey::generate(LoginType::Token).unwrap();
        assert_eq!(plain.expose().len(), 14 + 1 + 22 + 6);
        assert!(plain.expose().starts_with(&format!("{}-", plain.id())));
        let presented = PresentedKey::parse(plain.expose()).unwrap();
        assert_eq!(&presented.id, plain.id());
        assert!(presented.digest.matches(&plain.digest()));
        assert_eq!(format!("{:?}", KeyText::parse(plain.expose()).unwrap()), format!("{}-[redacted]", plain.id()));
    }

    #[test]
    fn the_checksum_is_crc_32_in_base62_with_zeros_in_front() {
        // CRC-32 of "123456789" is 0xCBF43926 = 3421780262, the check value of the standard.
        assert_eq!(&checksum(b"123456789"), b"3jZRME");
        assert_eq!(number(b"3jZRME"), Some(0xCBF4_3926));
        assert_eq!([number(b"zzzzzz"), number(b"3jZRM-"), number(b"")], [Some(62_u64.pow(6) - 1), None, Some(0)]);
    }

    #[test]
    fn rubbish_is_turned_away() {
        let plain = PlainKey::generate(LoginType::Password).unwrap();
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
        let plain = PlainKey::generate(LoginType::Token).unwrap();
        assert_eq!(format!("{plain:?} {:?}", plain.digest()), "[redacted] [redacted]");
    }
}
