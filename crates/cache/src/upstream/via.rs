//! Which caches a question came through, so that caches that are each other's upstreams never ask in a circle (RFC 9110,
//! section 7.6.3).

use aux_core::limits::CACHE_UPSTREAM_HOPS_MAX;
use aux_nix::Sha256;

/// The way of a question to here, this server included, as the header `Via` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Via(String);

impl Via {
    /// Adds the server that has these public keys to the way a question came; `None` where it was here before, or came
    /// through too many.
    pub(crate) fn through(header: Option<&str>, public_keys: &str) -> Option<Self> {
        // A name that says nothing else: it leaves for others' logs.
        let digest = Sha256::of(public_keys.as_bytes());
        let own = format!("1.1 aux-{}", aux_core::hexadecimal(digest.0.get(..8).unwrap_or_default()));
        let Some(header) = header else { return Some(Self(own)) };
        let hops: Vec<&str> = header.split(',').map(str::trim).filter(|hop| !hop.is_empty()).collect();
        let is_new = hops.len() < CACHE_UPSTREAM_HOPS_MAX && !hops.contains(&own.as_str());
        is_new.then(|| Self([&hops[..], &[own.as_str()]].concat().join(", ")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_was_here_before_or_came_far_goes_no_further() {
        let here = Via::through(None, "here-1:key").unwrap();
        let there = Via::through(Some(here.as_str()), "there-1:key").unwrap();
        assert_eq!(there.as_str().split(", ").count(), 2);
        assert_eq!(Via::through(Some(there.as_str()), "here-1:key"), None);
        assert!(Via::through(Some("1.1 proxy (nginx), "), "here-1:key").is_some());
        let far = ["1.1 x"; CACHE_UPSTREAM_HOPS_MAX].join(",");
        assert_eq!(Via::through(Some(&far), "here-1:key"), None);
    }
}
