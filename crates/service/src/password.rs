//! Hashes and checks passwords with argon2id, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::error::Error;

/// 19 MiB, two passes, one lane: the least expensive setting that OWASP recommends for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Maximum number of concurrent hashes. Each takes 19 MiB and a core for some tens of milliseconds.
const AT_ONCE: usize = 2;

/// Maximum number of waiting hashes. Further logins are refused at once and may be retried.
const MOST_WAITING: usize = 32;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    /// The number of waiting and running hashes.
    queued: Arc<AtomicUsize>,
    /// Checked if there is no user, so that the duration does not reveal this.
    dummy_hash: String,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, Error> {
        let dummy_hash = hash(b"nobody's password")?;
        Ok(Self { permits: Arc::new(Semaphore::new(AT_ONCE)), queued: Arc::default(), dummy_hash })
    }

    /// Hashes a password to a PHC string.
    pub(crate) async fn hash(&self, password: Zeroizing<Vec<u8>>) -> Result<String, Error> {
        self.run(move || hash(&password)).await
    }

    /// Whether the password matches the stored hash. Without a hash it does the same work and returns
    /// false.
    pub(crate) async fn verify(&self, password: Zeroizing<Vec<u8>>, stored: Option<String>) -> Result<bool, Error> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy_hash.clone());
        let right = self.run(move || verify(&password, &stored)).await?;
        Ok(right && known)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _queued = Queued::enter(&self.queued)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|error| Error::Hash(error.to_string()))?;
        let job = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        job.await.map_err(|error| Error::Hash(error.to_string()))?
    }
}

/// A place in the queue, released on drop.
struct Queued(Arc<AtomicUsize>);

impl Queued {
    fn enter(count: &Arc<AtomicUsize>) -> Result<Self, Error> {
        let queued = Self(Arc::clone(count));
        if count.fetch_add(1, Ordering::AcqRel) >= MOST_WAITING + AT_ONCE {
            Err(Error::PasswordsBusy)
        } else {
            Ok(queued)
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Capacity of a hash's memory: 33 MiB, of which 19 MiB are used. The C library maps allocations of
/// 32 MiB or more separately and returns them to the system when freed. Smaller ones it keeps for each
/// thread that hashed: 190 MB after twenty logins.
const CAPACITY_BLOCKS: usize = 33 * 1024 * 1024 / Block::SIZE;

fn hash(password: &[u8]) -> Result<String, Error> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
    let output = digest(password, &salt, params.clone())?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(failed)?,
        salt: Some(Salt::new(&salt).map_err(failed)?),
        hash: Some(Output::new(&output).map_err(failed)?),
    };
    Ok(hash.to_string())
}

fn verify(password: &[u8], stored: &str) -> Result<bool, Error> {
    let stored = PasswordHash::new(stored).map_err(failed)?;
    let known = (stored.algorithm == Algorithm::Argon2id.ident() && stored.version == Some(Version::V0x13.into()))
        .then_some((stored.salt, stored.hash));
    let Some((Some(salt), Some(hash))) = known else {
        return Err(Error::Hash("the stored hash is not argon2id version 19".to_owned()));
    };
    let params = Params::try_from(&stored).map_err(failed)?;
    Ok(constant_time_eq::constant_time_eq(&digest(password, &salt, params)?, hash.as_bytes()))
}

fn digest(password: &[u8], salt: &[u8], params: Params) -> Result<[u8; Params::DEFAULT_OUTPUT_LEN], Error> {
    let blocks = params.block_count();
    let mut memory: Vec<Block> = Vec::with_capacity(CAPACITY_BLOCKS.max(blocks));
    memory.resize(blocks, Block::default());
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, &mut output, memory.as_mut_slice())
        .map_err(failed)?;
    Ok(output)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Hash(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_with_the_documented_cost_and_checks() {
        let stored = hash(b"correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify(b"correct horse", &stored).unwrap());
        assert!(!verify(b"wrong horse", &stored).unwrap());
    }

    #[test]
    fn the_queue_is_bounded() {
        let count = Arc::new(AtomicUsize::new(0));
        let held: Vec<_> = (0..MOST_WAITING + AT_ONCE).map(|_| Queued::enter(&count).unwrap()).collect();
        assert!(matches!(Queued::enter(&count), Err(Error::PasswordsBusy)));
        drop(held);
        assert!(Queued::enter(&count).is_ok());
    }
}
