//! What the room is given in these tests: a way to servers and randomness.

use std::io::Read as _;
use std::time::Duration;

use aux_io::http::{HttpClient, HttpOptions};
use aux_unlock::random::Randomness;

pub(crate) fn http() -> HttpClient {
    let mut options = HttpOptions::new("aux-tests");
    options.total_limit = Duration::from_secs(5);
    HttpClient::new(options).unwrap()
}

pub(crate) fn random() -> Randomness {
    Randomness::new(|bytes| std::fs::File::open("/dev/urandom")?.read_exact(bytes))
}
