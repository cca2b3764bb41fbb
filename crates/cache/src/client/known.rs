//! Which chunks need not be sent, because the cache has them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use aux_core::hexadecimal;
use serde::Deserialize;

use super::CacheClient;

/// What a chunk that is known saves, in what it takes to ask about one: it is neither packed nor sent.
const WORTH: i64 = 8;
/// So many bytes are asked about in vain at first.
const CREDIT_BYTES: i64 = 32 << 20;
/// And so many after much was known.
const CREDIT_BYTES_MAX: i64 = 256 << 20;
/// While asking does not pay, one question of so many is asked all the same.
const ASKED_IN_VAIN: u32 = 8;

/// What a push asks about chunks: everything, as long as that pays.
pub(super) struct Known<'a> {
    client: &'a CacheClient,
    cache: &'a str,
    state: Mutex<State>,
}

struct State {
    /// Bytes that may be asked about in vain; none where the server does not know the question.
    credit: Option<i64>,
    /// Questions that were not asked since the last one.
    left_out: u32,
}

#[derive(Deserialize)]
struct KnownChunks {
    known: Vec<String>,
}

impl<'a> Known<'a> {
    pub(super) fn new(client: &'a CacheClient, cache: &'a str) -> Self {
        Self { client, cache, state: Mutex::new(State { credit: Some(CREDIT_BYTES), left_out: 0 }) }
    }

    /// Whether it is worth asking about the next chunks.
    pub(super) fn asks(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_worth_it()
    }

    /// Which chunks of these digests and lengths the server has; none where it gives no answer, which whatever is sent next
    /// will tell.
    pub(super) fn of(&self, chunks: &[([u8; 32], usize)]) -> Vec<bool> {
        let names: Vec<String> = chunks.iter().map(|(digest, _)| hexadecimal(digest)).collect();
        let answer = self.client.known_chunks(self.cache, &names).and_then(|document| document.read());
        let known: Option<BTreeSet<String>> = answer.ok().map(|KnownChunks { known }| known.into_iter().collect());
        let are_known: Vec<bool> =
            names.iter().map(|name| known.as_ref().is_some_and(|known| known.contains(name))).collect();
        let bytes = |known: bool| -> usize {
            chunks
                .iter()
                .zip(&are_known)
                .filter(|(_, is_known)| **is_known == known)
                .map(|((_, length), _)| length)
                .sum()
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.learn(known.is_some().then(|| (bytes(true), bytes(false))));
        are_known
    }
}

impl State {
    fn is_worth_it(&mut self) -> bool {
        let is_worth_it = self.credit.is_some_and(|credit| credit > 0 || self.left_out + 1 >= ASKED_IN_VAIN);
        self.left_out = if is_worth_it { 0 } else { self.left_out.saturating_add(1) };
        is_worth_it
    }

    /// So many bytes are known, and so many are not.
    fn learn(&mut self, answer: Option<(usize, usize)>) {
        let bytes = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.credit = self.credit.zip(answer).map(|(credit, (known, unknown))| {
            let earned = bytes(known).saturating_mul(WORTH).saturating_sub(bytes(unknown));
            credit.saturating_add(earned).clamp(0, CREDIT_BYTES_MAX)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: usize = 1 << 20;

    fn asked(state: &mut State, questions: u32) -> u32 {
        (0..questions).map(|_| u32::from(state.is_worth_it())).sum()
    }

    #[test]
    fn what_does_not_pay_is_asked_seldom_and_what_pays_is_asked_always() {
        let mut state = State { credit: Some(CREDIT_BYTES), left_out: 0 };
        for _ in 0..4 {
            assert!(state.is_worth_it());
            state.learn(Some((0, 8 * MB)));
        }
        assert_eq!(asked(&mut state, 80), 10);
        // A cache that begins to know something is asked again at once.
        state.learn(Some((4 * MB, 4 * MB)));
        assert_eq!(asked(&mut state, 80), 80);
        for _ in 0..4 {
            state.learn(Some((0, 8 * MB)));
        }
        assert_eq!(asked(&mut state, 80), 10);
        for _ in 0..100 {
            state.learn(Some((8 * MB, 0)));
        }
        assert_eq!(state.credit, Some(CREDIT_BYTES_MAX));
    }

    #[test]
    fn a_server_that_does_not_know_the_question_is_asked_no_more() {
        let mut state = State { credit: Some(CREDIT_BYTES), left_out: 0 };
        state.learn(None);
        assert_eq!(asked(&mut state, 80), 0);
        state.learn(Some((MB, 0)));
        assert_eq!(asked(&mut state, 80), 0);
    }
}
