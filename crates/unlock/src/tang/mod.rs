//! Tang: a server of the network helps to find a key again, and whoever cannot reach it cannot.
//!
//! What is kept is a JWE as clevis writes it, so that `clevis decrypt` opens it where this program is not at hand.

mod advertisement;
mod clevis;
mod exchange;
mod jwe;
mod key;
mod server;

use aux_io::http::HttpClient;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use advertisement::{Advertisement, AdvertisementError};
pub use clevis::{ClevisError, open_clevis};
pub use exchange::ExchangeError;
pub use jwe::JweError;
pub use key::KeyError;
pub use server::ServerError;

use crate::random::{NoRandomness, Randomness};
use exchange::Recovery;
use jwe::Jwe;
use key::{Jwk, JwkSet};

/// The header of a JWE bound to a tang server. Members stand in the order of their names, as jose writes them.
#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    clevis: Clevis,
    enc: String,
    epk: Jwk,
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Clevis {
    pin: String,
    tang: Pin,
}

#[derive(Serialize, Deserialize)]
struct Pin {
    adv: JwkSet,
    url: String,
}

/// What keeps a secret from being bound to a server or found again.
#[derive(Debug, thiserror::Error)]
pub enum TangError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("the advertisement: {0}")]
    Advertisement(#[from] AdvertisementError),
    #[error("the JWE: {0}")]
    Jwe(#[from] JweError),
    #[error("the JWE names key {thumbprint}, which is not among the keys that it holds")]
    KeyMissing { thumbprint: String },
}

/// Fetches a server's advertisement and checks that its signatures hold: what a person is shown before trusting it.
pub fn ask(http: &HttpClient, url: &str) -> Result<Advertisement, TangError> {
    Ok(server::advertisement(http, url)?)
}

/// Wraps a secret so that only with this server's help it is found again. The advertisement must be a trusted one.
pub fn bind(url: &str, trusted: &Advertisement, secret: &[u8], random: &Randomness) -> Result<String, TangError> {
    let server = trusted.exchange_key()?;
    let (epk, shared) = exchange::bind(server, random)?;
    let header = Header {
        alg: "ECDH-ES".to_owned(),
        clevis: Clevis { pin: "tang".to_owned(), tang: Pin { adv: trusted.keys().clone(), url: url.to_owned() } },
        enc: jwe::ENCRYPTION.to_owned(),
        epk,
        kid: server.thumbprint(),
    };
    let header = serde_json::to_string(&header).map_err(|error| JweError::Header { cause: error.to_string() })?;
    let nonce = random.bytes::<12>().map_err(ExchangeError::from)?;
    Ok(jwe::seal(&header, &jwe::agreed_key(&shared), *nonce, secret)?)
}

/// Finds the secret of a JWE again with the help of the server that it names.
pub fn recover(text: &str, http: &HttpClient, random: &Randomness) -> Result<Zeroizing<Vec<u8>>, TangError> {
    let jwe = Jwe::parse(text)?;
    let header = header(&jwe)?;
    let server = header.server()?;
    let recovery = Recovery::begin(&header.epk, server, random)?;
    let answer = server::recover(http, &header.clevis.tang.url, &header.kid, &recovery.sent)?;
    let shared = recovery.finish(&answer)?;
    Ok(jwe.open(&jwe::agreed_key(&shared))?)
}

/// What a JWE says of itself: where its server is, and by which key it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub url: String,
    /// The exchange key, which the server must still have.
    pub thumbprint: String,
    /// The keys that signed the advertisement it was made from.
    pub signers: Vec<String>,
}

/// Reads what a JWE says of itself.
pub fn binding(text: &str) -> Result<Binding, TangError> {
    let header = header(&Jwe::parse(text)?)?;
    header.server()?;
    let tang = header.clevis.tang;
    let signers = tang.adv.keys.iter().filter(|key| key.may("verify")).map(Jwk::thumbprint).collect();
    Ok(Binding { url: tang.url, thumbprint: header.kid, signers })
}

fn header(jwe: &Jwe<'_>) -> Result<Header, JweError> {
    let header: Header = jwe.header()?;
    if header.alg != "ECDH-ES" || header.enc != jwe::ENCRYPTION {
        return Err(JweError::Algorithm { algorithm: header.alg, encryption: header.enc });
    }
    if header.clevis.pin != "tang" {
        return Err(JweError::Header { cause: format!("pin {}, not tang", header.clevis.pin) });
    }
    Ok(header)
}

impl Header {
    fn server(&self) -> Result<&Jwk, TangError> {
        let found = self.clevis.tang.adv.keys.iter().find(|key| key.is_named(&self.kid));
        found.ok_or_else(|| TangError::KeyMissing { thumbprint: self.kid.clone() })
    }
}

impl From<NoRandomness> for TangError {
    fn from(error: NoRandomness) -> Self {
        Self::Exchange(error.into())
    }
}
