//! Opening what clevis itself wrote: a JWE bound to a tang server, or `sss`, a threshold of them.
//!
//! Clevis shares a key by Shamir's scheme modulo a random prime of 256 bits; a share is `x || y`, each as long as the prime.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use aux_core::limits::{JWE_PINS_MAX, SLOT_DEPTH_MAX};
use aux_io::http::HttpClient;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p521::elliptic_curve::bigint::modular::runtime_mod::{DynResidue, DynResidueParams};
use p521::elliptic_curve::bigint::{Encoding, U256};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::jwe::{ContentKey, Jwe, JweError};
use super::{TangError, recover};
use crate::random::Randomness;

const NUMBER_BYTES: usize = 32;

/// Why something of clevis does not open.
#[derive(Debug, thiserror::Error)]
pub enum ClevisError {
    #[error(transparent)]
    Tang(#[from] TangError),
    #[error("the JWE: {0}")]
    Jwe(#[from] JweError),
    #[error("pin {pin}, which is not opened here; tang and sss are")]
    Pin { pin: String },
    #[error("more than {JWE_PINS_MAX} servers, or thresholds more than {SLOT_DEPTH_MAX} deep")]
    TooMany,
    #[error("{opened} of {needed} shares opened: {}", reasons.join("; "))]
    TooFew { opened: usize, needed: usize, reasons: Vec<String> },
    #[error("the shares of the threshold are none: {cause}")]
    Share { cause: &'static str },
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    clevis: Clevis,
}

#[derive(Deserialize)]
struct Clevis {
    pin: String,
    sss: Option<Sss>,
}

#[derive(Deserialize)]
struct Sss {
    jwe: Vec<Value>,
    p: String,
    t: usize,
}

/// Opens a JWE of clevis with the pins tang and sss, asking all servers at the same time.
pub fn open_clevis(text: &str, http: &HttpClient, random: &Randomness) -> Result<Zeroizing<Vec<u8>>, ClevisError> {
    open(text, http, random, 0)
}

fn open(text: &str, http: &HttpClient, random: &Randomness, depth: usize) -> Result<Zeroizing<Vec<u8>>, ClevisError> {
    let jwe = Jwe::parse(text)?;
    let header: Header = jwe.header()?;
    match (header.clevis.pin.as_str(), header.clevis.sss) {
        ("tang", _) => Ok(recover(text, http, random)?),
        ("sss", Some(sss)) => {
            if header.alg != "dir" || header.enc != super::jwe::ENCRYPTION {
                return Err(JweError::Algorithm { algorithm: header.alg, encryption: header.enc }.into());
            }
            if depth >= SLOT_DEPTH_MAX || sss.jwe.len() > JWE_PINS_MAX {
                return Err(ClevisError::TooMany);
            }
            let field = Field::parse(&sss.p)?;
            let shares = shares(&sss, http, random, depth)?;
            Ok(jwe.open(&field.combine(&shares)?)?)
        }
        (pin, _) => Err(ClevisError::Pin { pin: pin.to_owned() }),
    }
}

/// As many shares as are needed, the first that come.
fn shares(
    sss: &Sss,
    http: &HttpClient,
    random: &Randomness,
    depth: usize,
) -> Result<Vec<Zeroizing<Vec<u8>>>, ClevisError> {
    let (sender, receiver) = mpsc::channel();
    let texts: Vec<Arc<str>> = sss.jwe.iter().filter_map(|one| one.as_str().map(Arc::from)).collect();
    for text in texts {
        let (sender, http, random) = (sender.clone(), http.clone(), random.clone());
        // The receiver may have enough and be gone.
        thread::spawn(move || sender.send(open(&text, &http, &random, depth + 1)).ok());
    }
    drop(sender);
    let (mut shares, mut reasons) = (Vec::new(), Vec::new());
    for share in receiver {
        match share {
            Ok(share) => shares.push(share),
            Err(error) => reasons.push(error.to_string()),
        }
        if shares.len() == sss.t {
            return Ok(shares);
        }
    }
    Err(ClevisError::TooFew { opened: shares.len(), needed: sss.t, reasons })
}

/// Numbers modulo the prime of one threshold.
struct Field {
    modulus: DynResidueParams<4>,
    prime: U256,
}

impl Field {
    fn parse(text: &str) -> Result<Self, ClevisError> {
        let wrong = |cause| ClevisError::Share { cause };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong("the prime is not in base64url"))?;
        let bytes: [u8; NUMBER_BYTES] = bytes.try_into().map_err(|_| wrong("the prime has not 256 bits"))?;
        let prime = U256::from_be_bytes(bytes);
        if !prime.bit_vartime(0) {
            return Err(wrong("the prime is even"));
        }
        Ok(Self { modulus: DynResidueParams::new(&prime), prime })
    }

    /// The value at zero of the polynomial through the shares (Lagrange).
    fn combine(&self, shares: &[Zeroizing<Vec<u8>>]) -> Result<ContentKey, ClevisError> {
        let points: Vec<_> = shares.iter().map(|share| self.point(share)).collect::<Result<_, _>>()?;
        let mut sum = self.number(&U256::ZERO);
        for (index, (x, y)) in points.iter().enumerate() {
            let mut term = *y;
            for (_, (other, _)) in points.iter().enumerate().filter(|(place, _)| *place != index) {
                let (inverse, exists) = (*other - *x).invert();
                if !bool::from(exists) {
                    return Err(ClevisError::Share { cause: "two of them are the same" });
                }
                term = term * *other * inverse;
            }
            sum += term;
        }
        Ok(ContentKey::new(sum.retrieve().to_be_bytes()))
    }

    fn point(&self, share: &[u8]) -> Result<(DynResidue<4>, DynResidue<4>), ClevisError> {
        let (x, y) = share.split_at_checked(NUMBER_BYTES).ok_or(ClevisError::Share { cause: "too short" })?;
        if y.len() != NUMBER_BYTES {
            return Err(ClevisError::Share { cause: "not two numbers of 256 bits" });
        }
        let (x, y) = (U256::from_be_slice(x), U256::from_be_slice(y));
        if x >= self.prime || y >= self.prime {
            return Err(ClevisError::Share { cause: "a number that is not below the prime" });
        }
        Ok((self.number(&x), self.number(&y)))
    }

    fn number(&self, value: &U256) -> DynResidue<4> {
        DynResidue::new(value, self.modulus)
    }
}
