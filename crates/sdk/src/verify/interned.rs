//! Values that many facts have in common, each kept once.

use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Below this many values it is not worth looking for those that nobody has any more.
const SMALL: usize = 1_024;

/// Each value once, for as long as somebody has it.
#[derive(Debug)]
pub(super) struct Interned<T> {
    hasher: DefaultHashBuilder,
    values: HashTable<Arc<T>>,
    /// At how many values to look for those that nobody has any more.
    sweep_at: usize,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { hasher: DefaultHashBuilder::default(), values: HashTable::new(), sweep_at: SMALL }
    }
}

impl<T: Hash + Eq> Interned<T> {
    /// The value that equals this one and is here already; else this one, from now on.
    pub(super) fn share(&mut self, value: Arc<T>) -> Arc<T> {
        let hash = self.hasher.hash_one(&*value);
        if let Some(known) = self.values.find(hash, |known| **known == *value) {
            return Arc::clone(known);
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|known| Arc::strong_count(known) > 1);
            // Twice what is left, so that a sweep costs each value that came in since one look.
            self.sweep_at = self.values.len().saturating_mul(2).max(SMALL);
        }
        self.values.insert_unique(hash, Arc::clone(&value), |known| self.hasher.hash_one(&**known));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_what_nobody_has_goes() {
        let mut interned = Interned::default();
        let first = interned.share(Arc::new(String::from("a")));
        assert!(Arc::ptr_eq(&first, &interned.share(Arc::new(String::from("a")))));
        for number in 0..10 * SMALL {
            interned.share(Arc::new(number.to_string()));
        }
        assert!(interned.values.len() <= SMALL, "{}", interned.values.len());
        assert!(Arc::ptr_eq(&first, &interned.share(Arc::new(String::from("a")))));
    }
}
