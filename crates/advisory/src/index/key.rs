//! A fixed-size name for an advisory that does not change when others come and go.

/// For `CVE-2021-44228` the year and number; for any other id 63 bits of its BLAKE3 hash with the top bit set.
///
/// Ascending keys are ascending CVE years and numbers, so that entries sorted by key differ little and pack well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvisoryKey(u64);

const OTHER: u64 = 1 << 63;
const NUMBER_BITS: u32 = 24;

impl AdvisoryKey {
    pub fn of(id: &str) -> Self {
        Self::of_cve(id).unwrap_or_else(|| {
            let hash = blake3::hash(id.as_bytes());
            let (first, _) = hash.as_bytes().split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
            Self(u64::from_be_bytes(*first) | OTHER)
        })
    }

    fn of_cve(id: &str) -> Option<Self> {
        let (year, number) = id.strip_prefix("CVE-")?.split_once('-')?;
        // Only the canonical spelling is a CVE id here: anything else keeps its own text.
        let is_canonical = year.len() == 4 && number.len() >= 4 && (number.len() == 4 || !number.starts_with('0'));
        let digits = year.bytes().chain(number.bytes()).all(|byte| byte.is_ascii_digit());
        let (year, number): (u64, u64) = (year.parse().ok()?, number.parse().ok()?);
        (is_canonical && digits && number < 1 << NUMBER_BITS).then_some(Self(year << NUMBER_BITS | number))
    }

    /// The CVE id it stands for, when it is one.
    pub fn cve(self) -> Option<String> {
        (self.0 & OTHER == 0).then(|| format!("CVE-{}-{:04}", self.0 >> NUMBER_BITS, self.0 & ((1 << NUMBER_BITS) - 1)))
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }

    pub(super) fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub(super) fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cve_ids_are_kept_and_others_hashed() {
        for id in ["CVE-1999-0001", "CVE-2021-44228", "CVE-2017-1000117"] {
            assert_eq!(AdvisoryKey::of(id).cve().as_deref(), Some(id));
        }
        for id in ["GHSA-9wfv-wmf7-6753", "CVE-2021-00044228", "CVE-2021-x", "CVE-20211-1234", "CVE-2021-99999999999"] {
            assert_eq!(AdvisoryKey::of(id).cve(), None, "{id}");
        }
        assert!(AdvisoryKey::of("CVE-2020-9999") < AdvisoryKey::of("CVE-2021-0001"));
    }
}
