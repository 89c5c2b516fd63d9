use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// What was made of something before, and would be made of it again. It holds at most so many; the next one empties it:
/// what is in use is soon in it again, and there is no order to keep.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    made: Mutex<HashMap<K, Arc<V>>>,
    most: usize,
}

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    pub(crate) fn new(most: usize) -> Cache<K, V> {
        Cache { made: Mutex::new(HashMap::new()), most }
    }

    /// What was made of `key`, now or before. What could not be made is not kept.
    pub(crate) fn get<E>(&self, key: &K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let lock = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = lock().get(key) {
            return Ok(Arc::clone(made));
        }
        // Made without the lock: two may make the same, which does no harm.
        let value = Arc::new(make()?);
        let mut made = lock();
        if made.len() >= self.most {
            made.clear();
        }
        made.insert(key.clone(), Arc::clone(&value));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_made_once_until_there_are_too_many() {
        let cache: Cache<u8, u8> = Cache::new(2);
        let never = || -> Result<u8, ()> { panic!("it was made before") };
        assert_eq!(cache.get(&1, || Err(())), Err(()));
        assert_eq!(cache.get(&1, || Ok::<_, ()>(10)).as_deref(), Ok(&10));
        assert_eq!(cache.get(&2, || Ok::<_, ()>(20)).as_deref(), Ok(&20));
        assert_eq!(cache.get(&1, never).as_deref(), Ok(&10));
        assert_eq!(cache.get(&2, never).as_deref(), Ok(&20));
        assert_eq!(cache.get(&3, || Ok::<_, ()>(30)).as_deref(), Ok(&30));
        assert_eq!(cache.made.lock().unwrap().len(), 1, "the third emptied it");
        assert_eq!(cache.get(&1, || Ok::<_, ()>(11)).as_deref(), Ok(&11), "and the first is made anew");
    }
}
