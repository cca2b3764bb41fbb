//! Sealing a secret to this TPM, and getting it back while its policy holds.

use std::fmt;

use aux_core::hexadecimal;
use aux_io::tpm::TpmAddress;
use zeroize::Zeroizing;

use super::authority::PolicyKey;
use super::device::{Handle, Tpm};
use super::error::{INTEGRITY, TpmError};
use super::key_derivation::{DIGEST_BYTES, Digest};
use super::object::{Root, Wrapped};
use super::policy::{CounterBound, Statement};
use super::public::{Name, Point, exchange_template, point_of, sealed_template};
use super::session::Session;
use crate::random::Randomness;

/// What a slot's TPM object is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// One statement, for good.
    Measured(Statement),
    /// Whatever this key signs under this reference.
    Signed { key: PolicyKey, reference: String },
}

/// A statement with the signature of a policy key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPolicy {
    /// What it is for, as a generation of the system is called.
    pub name: String,
    pub statement: Statement,
    pub signature: Vec<u8>,
}

/// An object of one TPM as it is kept in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmObject {
    /// The name of the storage root key that wraps it, pinned.
    pub(crate) root: Name,
    pub(crate) wrapped: Wrapped,
    pub(crate) policy: Policy,
}

/// Why a TPM does not give something back.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    Tpm(#[from] TpmError),
    #[error("this is another TPM than the one it was sealed to, or it was cleared since ({found}, not {pinned})")]
    Replaced { pinned: String, found: String },
    #[error("{}", changed(registers))]
    Registers { registers: Vec<u8> },
    #[error("counter {index:#010x} stands at {value}; this was good up to {most}")]
    Counter { index: u32, value: u64, most: u64 },
    #[error("counter {index:#010x} is not on this TPM")]
    NoCounter { index: u32 },
    #[error("it wants a policy signed by key {key}, and none was given")]
    NoPolicy { key: String },
    #[error("no signed policy holds: {}", reasons.join("; "))]
    NoneHolds { reasons: Vec<String> },
    #[error("policy {name} is not signed by key {key}")]
    Signature { name: String, key: String },
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured(statement) => write!(f, "{statement}"),
            Self::Signed { key, .. } => write!(f, "what policy key {} signs", key.fingerprint()),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers: Vec<String> = self.registers.keys().map(u8::to_string).collect();
        write!(f, "PCR {}", registers.join(", "))?;
        match self.counter {
            Some(CounterBound { index, most }) => write!(f, " and counter {index:#010x} up to {most}"),
            None => Ok(()),
        }
    }
}

impl TpmObject {
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

impl Policy {
    fn digest(&self) -> Digest {
        match self {
            Self::Measured(statement) => statement.digest(),
            Self::Signed { key, reference } => key.digest(reference),
        }
    }
}

/// Seals a secret. A measured policy is compared with what the TPM makes of it first, where it holds already.
pub fn seal(address: &TpmAddress, policy: &Policy, secret: &[u8], random: &Randomness) -> Result<TpmObject, SealError> {
    enrol(address, policy, random, |digest| (sealed_template(digest), secret))
}

/// Makes a key for exchange that works while the policy holds.
pub fn make_key(address: &TpmAddress, policy: &Policy, random: &Randomness) -> Result<TpmObject, SealError> {
    enrol(address, policy, random, |digest| (exchange_template(digest), &[]))
}

fn enrol<'secret>(
    address: &TpmAddress,
    policy: &Policy,
    random: &Randomness,
    template: impl Fn(&Digest) -> (Vec<u8>, &'secret [u8]),
) -> Result<TpmObject, SealError> {
    let mut tpm = Tpm::open(address, random)?;
    let ours = policy.digest();
    if let Policy::Measured(statement) = policy {
        holds(&mut tpm, statement)?;
        let theirs = tpm.trial_digest(statement)?;
        if theirs != ours {
            let (ours, theirs) = (hexadecimal(&ours), hexadecimal(&theirs));
            return Err(TpmError::Policy { ours, theirs }.into());
        }
    }
    let root = tpm.root(None)?;
    let (template, sealed) = template(&ours);
    let wrapped = tpm.create(&root, &template, sealed)?;
    let name = root.handle.name.clone();
    tpm.release(&root)?;
    Ok(TpmObject { root: name, wrapped, policy: policy.clone() })
}

/// Gives a sealed secret back.
pub fn unseal(
    address: &TpmAddress,
    object: &TpmObject,
    policies: &[SignedPolicy],
    random: &Randomness,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let mut tpm = Tpm::open(address, random)?;
    let mut ready = ready(&mut tpm, object, policies)?;
    let secret = tpm.unseal(&ready.handle, &mut ready.session)?;
    close(&mut tpm, &ready)?;
    Ok(secret)
}

/// Has the key multiply a point, and returns the first coordinate of the result: all that ECDH wants.
pub fn exchange(
    address: &TpmAddress,
    object: &TpmObject,
    policies: &[SignedPolicy],
    (point, random): (&[u8], &Randomness),
) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let point = Point::of_sec1(point)?;
    let mut tpm = Tpm::open(address, random)?;
    let mut ready = ready(&mut tpm, object, policies)?;
    let shared = tpm.exchange(&ready.handle, &point, &mut ready.session)?;
    close(&mut tpm, &ready)?;
    Ok(Zeroizing::new(shared.x))
}

/// The public half of a key for exchange, in SEC 1's compressed form.
pub fn public_key(object: &TpmObject) -> Result<[u8; 33], TpmError> {
    point_of(&object.wrapped.public).map_err(|_| TpmError::Point)?.compressed()
}

/// An object loaded, and a session that satisfied its policy.
struct Ready {
    root: Root,
    handle: Handle,
    session: Session,
}

fn ready(tpm: &mut Tpm, object: &TpmObject, policies: &[SignedPolicy]) -> Result<Ready, SealError> {
    let root = tpm.root(Some(&object.root))?;
    let replaced = |found: &Name| SealError::Replaced { pinned: short(&object.root), found: short(found) };
    if root.handle.name != object.root {
        return Err(replaced(&root.handle.name));
    }
    let chosen = choose(tpm, &object.policy, policies)?;
    let handle = match tpm.load(&root, &object.wrapped) {
        Err(error) if error.is_code(INTEGRITY) => return Err(replaced(&root.handle.name)),
        other => other?,
    };
    let session = tpm.salted(&root, true)?;
    tpm.satisfy(session.handle, chosen.statement)?;
    if let (Policy::Signed { key, reference }, Some(ticket)) = (&object.policy, &chosen.ticket) {
        let signer = (&key.name(), reference.as_bytes());
        tpm.authorize(session.handle, &chosen.statement.digest(), signer, ticket)?;
    }
    Ok(Ready { root, handle, session })
}

fn close(tpm: &mut Tpm, ready: &Ready) -> Result<(), TpmError> {
    tpm.flush(ready.handle.number)?;
    tpm.release(&ready.root)
}

/// The statement that will be satisfied, and the proof that it is signed where it must be.
struct Chosen<'a> {
    statement: &'a Statement,
    ticket: Option<Vec<u8>>,
}

fn choose<'a>(tpm: &mut Tpm, policy: &'a Policy, policies: &'a [SignedPolicy]) -> Result<Chosen<'a>, SealError> {
    let (key, reference) = match policy {
        Policy::Measured(statement) => {
            holds(tpm, statement)?;
            return Ok(Chosen { statement, ticket: None });
        }
        Policy::Signed { key, reference } => (key, reference),
    };
    let (mut reasons, mut forged) = (Vec::new(), None);
    for signed in policies {
        match holds(tpm, &signed.statement) {
            Ok(()) => {}
            Err(error @ SealError::Tpm(_)) => return Err(error),
            Err(why) => {
                reasons.push(format!("{}: {why}", signed.name));
                continue;
            }
        }
        match tpm.verify(key, &signed.statement.digest(), reference, &signed.signature) {
            Ok(ticket) => return Ok(Chosen { statement: &signed.statement, ticket: Some(ticket) }),
            // Bad signatures and things that are none are refused with several codes.
            Err(TpmError::Refused { .. }) => {
                forged = Some(SealError::Signature { name: signed.name.clone(), key: key.fingerprint() });
            }
            Err(error) => return Err(error.into()),
        }
    }
    match forged {
        Some(error) => Err(error),
        None if reasons.is_empty() => Err(SealError::NoPolicy { key: key.fingerprint() }),
        None => Err(SealError::NoneHolds { reasons }),
    }
}

/// Whether a statement holds now, in words; the TPM decides for itself.
fn holds(tpm: &mut Tpm, statement: &Statement) -> Result<(), SealError> {
    let wanted: Vec<u8> = statement.registers.keys().copied().collect();
    let now = tpm.registers(&wanted)?;
    let differs = |register: &u8| now.get(register) != statement.registers.get(register);
    let registers: Vec<u8> = wanted.into_iter().filter(differs).collect();
    if !registers.is_empty() {
        return Err(SealError::Registers { registers });
    }
    let Some(CounterBound { index, most }) = statement.counter else { return Ok(()) };
    let value = tpm.counter(index)?.ok_or(SealError::NoCounter { index })?;
    if value > most { Err(SealError::Counter { index, value, most }) } else { Ok(()) }
}

fn changed(registers: &[u8]) -> String {
    let named: Vec<String> = registers.iter().map(u8::to_string).collect();
    let (what, verb) = if named.len() == 1 { ("PCR", "has") } else { ("PCRs", "have") };
    format!("{what} {} {verb} another value than the policy wants", named.join(", "))
}

fn short(name: &Name) -> String {
    hexadecimal(name.get(name.len().saturating_sub(DIGEST_BYTES)..).unwrap_or_default()).chars().take(16).collect()
}
