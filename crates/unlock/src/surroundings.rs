//! What opening a slot may use: the way to servers, the TPM, what a person typed.

use std::sync::Arc;
use std::time::Duration;

use aux_core::limits::{TANG_SECONDS_MAX, UNLOCK_SECONDS_MAX};
use aux_io::http::{HttpClient, HttpError, HttpOptions};
use aux_io::tpm::TpmAddress;

use crate::memory::SecretBytes;
use crate::random::Randomness;
use crate::recovery::RecoveryKey;
use crate::tpm::SignedPolicy;

/// Everything that is given from outside. Cheap to clone.
#[derive(Clone)]
pub struct Surroundings {
    /// What this machine is called in the fleet.
    pub machine: String,
    /// For tang; [`tang_client`] makes one.
    pub http: HttpClient,
    pub tpm: Option<TpmAddress>,
    /// For slots that want a policy signed by a key.
    pub policies: Vec<SignedPolicy>,
    pub passphrase: Option<Arc<SecretBytes>>,
    pub recovery: Option<Arc<RecoveryKey>>,
    pub random: Randomness,
    /// How long all of it may take.
    pub limit: Duration,
}

impl Surroundings {
    /// With neither a TPM nor anything typed.
    pub fn new(machine: &str, http: HttpClient, random: Randomness) -> Self {
        Self {
            machine: machine.to_owned(),
            http,
            tpm: None,
            policies: Vec::new(),
            passphrase: None,
            recovery: None,
            random,
            limit: Duration::from_secs(UNLOCK_SECONDS_MAX),
        }
    }
}

/// A client for tang servers. They speak plain `http://` by design: what travels is blinded, and an answer of somebody else
/// opens nothing. Advertisements are signed.
pub fn tang_client(mut options: HttpOptions) -> Result<HttpClient, HttpError> {
    let limit = Duration::from_secs(TANG_SECONDS_MAX);
    options.allow_insecure = true;
    options.redirects_max = 0;
    options.connect_limit = options.connect_limit.min(limit);
    options.response_limit = options.response_limit.min(limit);
    options.total_limit = options.total_limit.min(limit);
    HttpClient::new(options)
}
