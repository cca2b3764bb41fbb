//! Passwords: letters of an alphabet, drawn without bias, again and again until enough of each class are there.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::limits::SECRET_LENGTH_MAX;

use super::parameters::Parameters;
use super::rule::{RuleError, ranged};
use crate::derive::Stream;
use crate::secret::SecretBytes;

/// Whole strings that are tried before it is given up; part of the format.
pub(super) const TRIES_MAX: u32 = 1 << 16;
/// Rules that fewer than one string in this many meets are refused, so that giving up does not happen.
const TRIES_EXPECTED_MAX: f64 = 1_024.0;
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// More than this of one class is a rule that nobody needs, and costs time to judge.
const CLASS_MIN_MAX: u32 = 16;

/// How a password is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRule {
    pub length: u32,
    /// Distinct printable ASCII characters, in this order.
    pub alphabet: Vec<u8>,
    /// At least so many lower-case letters, upper-case letters, digits, and others.
    pub minima: [u32; 4],
}

impl PasswordRule {
    pub(super) fn of(given: &Parameters) -> Result<Self, RuleError> {
        let length = ranged("length", given.length, 32, 1..=SECRET_LENGTH_MAX)?;
        let alphabet = given.alphabet.as_deref().unwrap_or(ALPHABET).as_bytes().to_vec();
        let is_printable = alphabet.iter().all(u8::is_ascii_graphic);
        let is_distinct = alphabet.iter().collect::<BTreeSet<_>>().len() == alphabet.len();
        if alphabet.len() < 2 || !is_printable || !is_distinct {
            let value = format!("`{}`", String::from_utf8_lossy(&alphabet));
            let range = "two or more printable ASCII characters without the blank, each once".to_owned();
            return Err(RuleError::Range { parameter: "alphabet", value, range });
        }
        let minima = [
            ranged("min_lower", given.min_lower, 0, 0..=CLASS_MIN_MAX)?,
            ranged("min_upper", given.min_upper, 0, 0..=CLASS_MIN_MAX)?,
            ranged("min_digit", given.min_digit, 0, 0..=CLASS_MIN_MAX)?,
            ranged("min_symbol", given.min_symbol, 0, 0..=CLASS_MIN_MAX)?,
        ];
        let rule = Self { length, alphabet, minima };
        if acceptance(&rule) * TRIES_EXPECTED_MAX < 1.0 {
            let value = format!("{minima:?} of {length} characters");
            let range = "such that one string in 1024 meets it: fewer of each class, or a longer password".to_owned();
            return Err(RuleError::Range { parameter: "min_*", value, range });
        }
        Ok(rule)
    }
}

/// 0 lower-case, 1 upper-case, 2 digit, 3 any other.
fn class(letter: u8) -> usize {
    match letter {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

/// A password, or nothing where no string met the rule.
pub(super) fn password(rule: &PasswordRule, stream: &mut Stream) -> Option<SecretBytes> {
    let mut text = SecretBytes::with_capacity(usize::try_from(rule.length).unwrap_or_default());
    for _ in 0..TRIES_MAX {
        let mut counts = [0_u32; 4];
        let mut try_text = SecretBytes::with_capacity(usize::try_from(rule.length).unwrap_or_default());
        for _ in 0..rule.length {
            let letter = letter(rule, stream);
            if let Some(count) = counts.get_mut(class(letter)) {
                *count += 1;
            }
            try_text.push(&[letter]);
        }
        if counts.iter().zip(rule.minima).all(|(count, minimum)| *count >= minimum) {
            text.push(try_text.reveal());
            return Some(text);
        }
    }
    None
}

/// A byte is thrown away where its remainders would not be equally likely.
fn letter(rule: &PasswordRule, stream: &mut Stream) -> u8 {
    let letters = rule.alphabet.len().clamp(1, 256);
    let limit = 256 - 256 % letters;
    loop {
        let byte = usize::from(stream.byte());
        if byte < limit {
            return rule.alphabet.get(byte % letters).copied().unwrap_or_default();
        }
    }
}

/// The share of strings that meets the rule.
fn acceptance(rule: &PasswordRule) -> f64 {
    let letters = f64::from(u32::try_from(rule.alphabet.len()).unwrap_or(1));
    let share = |wanted: usize| {
        let count = rule.alphabet.iter().filter(|letter| class(**letter) == wanted).count();
        f64::from(u32::try_from(count).unwrap_or_default()) / letters
    };
    let wanted: u32 = rule.minima.iter().sum();
    if wanted == 0 {
        return 1.0;
    }
    // The chance of each state, a state being how many of each class are there, counted up to what is wanted.
    let mut states = BTreeMap::from([([0_u32; 4], 1.0_f64)]);
    // Beyond this many letters a rule of sixteen of each is met by nearly all strings, if it can be met at all.
    for _ in 0..rule.length.min(1_024) {
        let mut next = BTreeMap::new();
        for (state, chance) in &states {
            for (wanted, minimum) in rule.minima.iter().enumerate() {
                let mut counts = *state;
                if let Some(count) = counts.get_mut(wanted) {
                    *count = (*count + 1).min(*minimum);
                }
                *next.entry(counts).or_insert(0.0) += chance * share(wanted);
            }
        }
        states = next;
    }
    states.get(&rule.minima).copied().unwrap_or(0.0)
}

/// The logarithm of how many strings meet the rule, rounded down.
pub(super) fn entropy_bits(rule: &PasswordRule) -> u32 {
    let letters = f64::from(u32::try_from(rule.alphabet.len()).unwrap_or(1));
    let bits = f64::from(rule.length) * letters.log2() + acceptance(rule).log2();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number, rounded down"
    )]
    let floor = bits.max(0.0) as u32;
    floor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(length: u32, minima: [u32; 4]) -> PasswordRule {
        PasswordRule { length, alphabet: ALPHABET.as_bytes().to_vec(), minima }
    }

    #[test]
    fn entropy_counts_only_strings_that_are_possible() {
        assert_eq!(entropy_bits(&rule(32, [0; 4])), 190);
        assert_eq!(entropy_bits(&rule(4, [0, 0, 4, 0])), 13);
        assert!(entropy_bits(&rule(14, [1, 1, 1, 0])) < entropy_bits(&rule(14, [0; 4])) + 1);
    }

    #[test]
    fn rules_that_no_string_meets_are_refused_when_they_are_declared() {
        let wanted = |length, min_symbol| Parameters {
            length: Some(length),
            min_symbol: Some(min_symbol),
            ..Parameters::default()
        };
        assert!(PasswordRule::of(&wanted(32, 0)).is_ok());
        // The alphabet has no symbol.
        assert!(matches!(PasswordRule::of(&wanted(32, 1)), Err(RuleError::Range { parameter: "min_*", .. })));
        for alphabet in ["", "a", "aa", "a b", "aä"] {
            let given = Parameters { alphabet: Some(alphabet.to_owned()), ..Parameters::default() };
            assert!(PasswordRule::of(&given).is_err(), "{alphabet}");
        }
    }
}
