//! One function over many items in two threads, with the results in the items' order.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Items below which a second thread costs more than it saves.
const ITEMS_MIN: usize = 128;
/// Items taken at once: few enough that both threads end together, enough that taking costs nothing.
const ITEMS_AT_ONCE: usize = 16;

/// Applies `act` to every item. The answer does not depend on which thread did what.
pub(crate) fn in_two_threads<I: Sync, R: Send>(items: &[I], act: impl Fn(&I) -> R + Sync) -> Vec<R> {
    if items.len() < ITEMS_MIN {
        return items.iter().map(act).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done: Vec<(usize, Vec<R>)> = Vec::new();
        loop {
            // The counter hands out numbers and publishes nothing else, so no ordering is needed.
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = items.chunks(ITEMS_AT_ONCE).nth(number) else { return done };
            done.push((number, chunk.iter().map(&act).collect()));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut done = work();
        done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items_however_many_there_are() {
        for count in [0, 1, ITEMS_MIN - 1, ITEMS_MIN, ITEMS_MIN + 1, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(in_two_threads(&items, |item| item * 2), doubled);
        }
    }
}
