//! Policies: what must hold so that a TPM gives something back, the digest that says so, and satisfying one.
//!
//! The digest is computed here, so that a policy can be made where no TPM is (part 3, sections on `PolicyPCR`, `PolicyNV` and
//! `PolicyAuthorize`); the TPM computes the same when the conditions hold.

use std::collections::BTreeMap;

use super::constant::{
    ALG_SHA256, AT_MOST, COUNTER_ATTRIBUTES, COUNTER_WRITTEN, POLICY_AUTHORIZE, POLICY_GET_DIGEST, POLICY_NV,
    POLICY_PCR,
};
use super::device::{Authorization, Command, Handle, Tpm};
use super::error::{TpmError, unread};
use super::key_derivation::{DIGEST_BYTES, Digest, digest};
use super::public::{Name, name};
use super::register::selection;
use super::wire::{Reader, Writer};

/// Conditions that must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// Values of registers (PCRs) in the bank of SHA-256.
    pub registers: BTreeMap<u8, Digest>,
    pub counter: Option<CounterBound>,
}

/// A counter of the TPM that may not be past a value; counting on makes older statements worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterBound {
    /// Its index, such as `0x01500020`.
    pub index: u32,
    pub most: u64,
}

impl Statement {
    /// The digest of a policy that consists of this statement.
    pub fn digest(&self) -> Digest {
        let mut policy = [0; DIGEST_BYTES];
        if !self.registers.is_empty() {
            let values: Vec<&[u8]> = self.registers.values().map(<[u8; DIGEST_BYTES]>::as_slice).collect();
            let registers: Vec<u8> = self.registers.keys().copied().collect();
            policy = extended(&policy, POLICY_PCR, &[&selection(&registers), &digest(&values)]);
        }
        if let Some(counter) = &self.counter {
            let arguments = digest(&[&counter.most.to_be_bytes(), &0_u16.to_be_bytes(), &AT_MOST.to_be_bytes()]);
            policy = extended(&policy, POLICY_NV, &[&arguments, &counter_name(counter.index)]);
        }
        policy
    }
}

/// The digest of a policy that anything is good for which this key has signed, under this reference.
pub(super) fn authorized_digest(key: &Name, reference: &[u8]) -> Digest {
    let by_key = extended(&[0; DIGEST_BYTES], POLICY_AUTHORIZE, &[key]);
    digest(&[&by_key, reference])
}

/// The name of a counter as this program defines it, once it has counted.
pub(super) fn counter_name(index: u32) -> Name {
    name(&counter_area(index, COUNTER_ATTRIBUTES | COUNTER_WRITTEN))
}

/// The public area of a counter (`TPMS_NV_PUBLIC`).
pub(super) fn counter_area(index: u32, attributes: u32) -> Vec<u8> {
    Writer::new().u32(index).u16(ALG_SHA256).u32(attributes).sized(&[]).u16(8).done()
}

fn extended(old: &Digest, command: u32, parts: &[&[u8]]) -> Digest {
    let code = command.to_be_bytes();
    let all: Vec<&[u8]> = [old.as_slice(), code.as_slice()].into_iter().chain(parts.iter().copied()).collect();
    digest(&all)
}

impl Tpm {
    /// Tells a session's policy that the conditions hold, which the TPM checks.
    pub(super) fn satisfy(&mut self, session: u32, statement: &Statement) -> Result<(), TpmError> {
        let session = Handle::plain(session);
        if !statement.registers.is_empty() {
            let registers: Vec<u8> = statement.registers.keys().copied().collect();
            // Without a digest the TPM takes the values that the registers have now.
            let parameters = Writer::new().sized(&[]).bytes(&selection(&registers)).done();
            let command = Command { name: "PolicyPCR", code: POLICY_PCR, handles: &[&session], loads: false };
            self.run(&command, Authorization::None, parameters)?;
        }
        if let Some(CounterBound { index, most }) = statement.counter {
            let counter = Handle { number: index, name: counter_name(index) };
            let parameters = Writer::new().sized(&most.to_be_bytes()).u16(0).u16(AT_MOST).done();
            let handles = &[&counter, &counter, &session];
            let command = Command { name: "PolicyNV", code: POLICY_NV, handles, loads: false };
            self.run(&command, Authorization::Password, parameters)?;
        }
        Ok(())
    }

    /// Replaces a session's policy by the one that this key's signature stands for; the ticket proves the signature.
    pub(super) fn authorize(
        &mut self,
        session: u32,
        approved: &Digest,
        (key, reference): (&Name, &[u8]),
        ticket: &[u8],
    ) -> Result<(), TpmError> {
        let session = Handle::plain(session);
        let parameters = Writer::new().sized(approved).sized(reference).sized(key).bytes(ticket).done();
        let command = Command { name: "PolicyAuthorize", code: POLICY_AUTHORIZE, handles: &[&session], loads: false };
        self.run(&command, Authorization::None, parameters).map(|_| ())
    }

    /// What the TPM makes of a statement, by a session that only computes.
    pub(super) fn trial_digest(&mut self, statement: &Statement) -> Result<Digest, TpmError> {
        let session = self.trial()?;
        let satisfied = self.satisfy(session, statement);
        let digest = satisfied.and_then(|()| self.session_digest(session));
        self.flush(session)?;
        digest
    }

    fn session_digest(&mut self, session: u32) -> Result<Digest, TpmError> {
        let (name, session) = ("PolicyGetDigest", Handle::plain(session));
        let command = Command { name, code: POLICY_GET_DIGEST, handles: &[&session], loads: false };
        let answer = self.run(&command, Authorization::None, Vec::new())?;
        let digest = Reader::new(&answer.parameters).sized().map_err(unread(name))?;
        digest.try_into().map_err(|_| TpmError::Answer { command: name })
    }
}
