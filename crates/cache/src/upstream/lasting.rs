//! What is remembered for a while and within bounds: the oldest goes first, by time or for want of room.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

/// A map whose entries end by themselves. Time comes from the caller.
#[derive(Debug)]
pub(super) struct Lasting<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    /// By when they end, the first first.
    ends: BTreeSet<(Instant, K)>,
    weight: usize,
    weight_max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    end: Instant,
    weight: usize,
}

impl<K: Ord + Copy, V> Lasting<K, V> {
    /// Holds entries that weigh so much together.
    pub(super) fn new(weight_max: usize) -> Self {
        Self { entries: BTreeMap::new(), ends: BTreeSet::new(), weight: 0, weight_max }
    }

    /// Remembers a value until `end`. What ended before `now`, and what there is no room for, is forgotten.
    pub(super) fn put(&mut self, key: K, (value, weight): (V, usize), (now, end): (Instant, Instant)) {
        self.remove(&key);
        if weight > self.weight_max {
            return;
        }
        while let Some((first, oldest)) = self.ends.first().copied() {
            if first > now && self.weight + weight <= self.weight_max {
                break;
            }
            self.remove(&oldest);
        }
        self.weight += weight;
        self.ends.insert((end, key));
        self.entries.insert(key, Entry { value, end, weight });
    }

    pub(super) fn find(&self, key: &K, now: Instant) -> Option<&V> {
        self.entries.get(key).filter(|entry| now < entry.end).map(|entry| &entry.value)
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.ends.remove(&(entry.end, *key));
            self.weight = self.weight.saturating_sub(entry.weight);
        }
    }

    /// Keeps those whose key fits.
    pub(super) fn retain(&mut self, fits: impl Fn(&K) -> bool) {
        let gone: Vec<K> = self.entries.keys().copied().filter(|key| !fits(key)).collect();
        for key in &gone {
            self.remove(key);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn entries_end_and_the_first_to_end_makes_room() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut lasting = Lasting::new(3);
        lasting.put(1, ("one", 1), (now, after(30)));
        lasting.put(2, ("two", 2), (now, after(20)));
        assert_eq!((lasting.find(&1, after(29)), lasting.find(&1, after(30))), (Some(&"one"), None));
        lasting.put(3, ("three", 1), (now, after(40)));
        assert_eq!((lasting.find(&2, now), lasting.find(&1, now), lasting.count()), (None, Some(&"one"), 2));
        lasting.put(4, ("too heavy", 4), (now, after(40)));
        assert_eq!(lasting.count(), 2);
        lasting.put(5, ("five", 1), (after(35), after(50)));
        assert_eq!((lasting.find(&1, now), lasting.count(), lasting.weight), (None, 2, 2), "what ended is gone");
        lasting.put(5, ("five again", 2), (after(35), after(50)));
        lasting.retain(|key| *key != 5);
        assert_eq!((lasting.count(), lasting.weight, lasting.ends.len()), (1, 1, 1));
    }
}
