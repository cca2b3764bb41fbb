//! What the JSON sources share: timestamps, lists that may be null, CVSS vectors.

use std::borrow::Cow;

use aux_core::Score;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

/// An RFC 3339 timestamp; without an offset, as NVD and many CNAs write it, UTC is meant.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    // A civil date and time would be read with its offset dropped, so the full form is tried first.
    text.parse()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()))
}

/// A text in one of the languages of a record; NVD and the CVE Program share the shape.
#[derive(Deserialize)]
pub(crate) struct Description<'a> {
    #[serde(borrow)]
    pub(crate) lang: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) value: Cow<'a, str>,
}

/// `null` is the empty value: sources write it for absent lists.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The score of a CVSS 2, 3 or 4 vector; `None` for anything else.
pub(crate) fn vector_score(vector: &str) -> Option<Score> {
    let vector = vector.trim().trim_start_matches('(').trim_end_matches(')');
    vector.parse::<cvss::Cvss>().ok().and_then(|cvss| Score::from_number(cvss.score()))
}

/// The CVSS major version a vector names, for preferring the newest.
pub(crate) fn vector_version(vector: &str) -> u8 {
    let named = vector.trim().strip_prefix("CVSS:").and_then(|rest| rest.bytes().next());
    named.filter(u8::is_ascii_digit).map_or(2, |digit| digit - b'0')
}

/// Whether `version` of a schema is one whose major number is `major` (`1.6.2` for 1).
pub(crate) fn is_major(version: &str, major: &str) -> bool {
    version.split('.').next() == Some(major)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_an_offset_are_utc() {
        let expected: Timestamp = "2024-01-02T03:04:05Z".parse().unwrap();
        for text in ["2024-01-02T03:04:05", "2024-01-02T03:04:05Z", "2024-01-02T05:04:05+02:00"] {
            assert_eq!(timestamp(text), Some(expected), "{text}");
        }
        assert!(timestamp("2024-01-02").is_some());
        assert_eq!(timestamp("soon"), None);
    }

    #[test]
    fn vectors_of_every_version_have_a_score() {
        for (vector, tenths, version) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 75, 3),
            ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 75, 2),
            ("(AV:N/AC:L/Au:N/C:P/I:P/A:P)", 75, 2),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 93, 4),
        ] {
            assert_eq!(vector_score(vector).map(Score::tenths), Some(tenths), "{vector}");
            assert_eq!(vector_version(vector), version, "{vector}");
        }
        assert_eq!(vector_score("high"), None);
    }
}
