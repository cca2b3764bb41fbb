//! Which deltas a publication lists: one for each power of two of how far a client may be behind.

/// The largest distance served, in serials. A client further behind takes the whole index.
pub(super) const DISTANCE_MAX: u64 = 256;

/// The serials that deltas to `newest` begin at, the nearest first.
///
/// A delta serves every client at its first serial or later, so nine of them serve 256 serials and the metadata stays
/// small however long a feed lives.
pub(super) fn beginnings(newest: u64) -> Vec<u64> {
    let mut beginnings = Vec::new();
    let mut distance = 1;
    while distance <= DISTANCE_MAX && newest > 1 {
        beginnings.push(newest.saturating_sub(distance).max(1));
        distance *= 2;
    }
    beginnings.dedup();
    beginnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_deltas_serve_every_serial_in_reach() {
        assert_eq!(beginnings(1), Vec::<u64>::new());
        assert_eq!(beginnings(2), [1]);
        assert_eq!(beginnings(6), [5, 4, 2, 1]);
        assert_eq!(beginnings(1000), [999, 998, 996, 992, 984, 968, 936, 872, 744]);
        for newest in 2..600 {
            let beginnings = beginnings(newest);
            assert!(beginnings.len() <= 14);
            let oldest = newest.saturating_sub(DISTANCE_MAX).max(1);
            assert!((oldest..newest).all(|client| beginnings.iter().any(|since| *since <= client)));
        }
    }
}
