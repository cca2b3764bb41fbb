//! Single flight: who asks for what is being found out already waits for the same answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// An answer that is on its way.
type Awaited<T> = watch::Receiver<Option<T>>;
type Running<K, T> = Arc<Mutex<BTreeMap<K, Awaited<T>>>>;

/// Work that is under way, by what it is about. It goes on when everybody who waited has gone.
pub(super) struct Flights<K, T>(Running<K, T>);

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Running::default())
    }
}

impl<K, T> fmt::Debug for Flights<K, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Flights")
    }
}

impl<K, T> Flights<K, T>
where
    K: Ord + Copy + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// What the work about `key` gives, begun now or before; `None` where it came to no end.
    pub(super) async fn share<F>(&self, key: K, work: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut awaited = self.join(key, work);
        let ended = awaited.wait_for(Option::is_some).await.ok()?;
        ended.clone()
    }

    fn join<F>(&self, key: K, work: impl FnOnce() -> F) -> Awaited<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(awaited) = running.get(&key) {
            return awaited.clone();
        }
        let (sender, awaited) = watch::channel(None);
        running.insert(key, awaited.clone());
        let landing = Landing { running: Arc::clone(&self.0), key };
        let work = work();
        tokio::spawn(async move {
            let answer = work.await;
            // Whoever comes from here on begins anew: what was found is remembered elsewhere by now.
            drop(landing);
            // Nobody may be waiting any more.
            sender.send_replace(Some(answer));
        });
        awaited
    }
}

/// Takes the work off the list, also where it panics.
struct Landing<K: Ord, T> {
    running: Running<K, T>,
    key: K,
}

impl<K: Ord, T> Drop for Landing<K, T> {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn many_who_ask_are_one_flight_and_the_next_is_another() {
        let flights: Flights<u8, u32> = Flights::default();
        let (count, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
        let fly = || {
            let (count, gate) = (Arc::clone(&count), Arc::clone(&gate));
            async move {
                let _open = gate.acquire().await;
                count.fetch_add(1, Ordering::Relaxed) + 1
            }
        };
        let open = async {
            tokio::task::yield_now().await;
            gate.add_permits(1);
        };
        let (one, two, three, ()) =
            tokio::join!(flights.share(1, fly), flights.share(1, fly), flights.share(2, fly), open);
        assert_eq!((one, two.is_some(), three.is_some()), (two, true, true));
        assert_eq!(count.load(Ordering::Relaxed), 2);
        assert_eq!(flights.share(1, fly).await, Some(3));
    }

    #[tokio::test]
    async fn a_flight_that_comes_to_no_end_is_an_answer_too() {
        let flights: Flights<u8, u32> = Flights::default();
        assert_eq!(flights.share(1, || async { panic!("on purpose") }).await, None);
        assert_eq!(flights.share(1, || async { 1 }).await, Some(1));
    }
}
