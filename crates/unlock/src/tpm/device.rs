//! Running commands on a TPM, with a password, a session or nothing, and flushing all that was loaded.
//!
//! Without a resource manager a TPM holds three objects and three sessions. Whoever leaves one behind breaks the next caller.

use std::time::Duration;

use aux_core::limits::TPM_SECONDS_MAX;
use aux_io::tpm::{TpmAddress, TpmChannel};

use super::constant::{
    ALG_AES, ALG_CFB, ALG_SHA256, CONTINUE, DECRYPT, ENCRYPT, FLUSH_CONTEXT, RH_NULL, RS_PASSWORD, SESSION_HMAC,
    SESSION_POLICY, SESSION_TRIAL, START_AUTH_SESSION,
};
use super::error::{TpmError, unread};
use super::key_derivation::{Digest, digest};
use super::object::Root;
use super::public::Name;
use super::session::{Salt, Session};
use super::wire::{Reader, Short, Writer};
use crate::random::Randomness;

const TAG_PLAIN: u16 = 0x8001;
const TAG_SESSIONS: u16 = 0x8002;
const HEADER_BYTES: u32 = 10;

/// A TPM in use. What was loaded is flushed when this goes.
pub(crate) struct Tpm {
    channel: TpmChannel,
    pub(super) random: Randomness,
    loaded: Vec<u32>,
}

/// Something in a TPM that a command is about: its handle, and the name that proofs cover.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) number: u32,
    pub(super) name: Name,
}

impl Handle {
    /// Hierarchies, registers and sessions are named by their handle (part 1, section 16).
    pub(super) fn plain(number: u32) -> Self {
        Self { number, name: number.to_be_bytes().to_vec() }
    }
}

/// A command without its parameters.
pub(super) struct Command<'a> {
    pub(super) name: &'static str,
    pub(super) code: u32,
    pub(super) handles: &'a [&'a Handle],
    /// Whether the answer begins with a handle, which is then to be flushed.
    pub(super) loads: bool,
}

/// Why a command may work on its first handle.
pub(super) enum Authorization<'a> {
    None,
    /// The empty password.
    Password,
    /// A session with these attributes; without [`CONTINUE`] it ends with the command.
    Session(&'a mut Session, u8),
}

/// What a TPM answered.
pub(super) struct Answer {
    pub(super) handle: u32,
    pub(super) parameters: Vec<u8>,
}

impl Tpm {
    pub(crate) fn open(address: &TpmAddress, random: &Randomness) -> Result<Self, TpmError> {
        let channel = TpmChannel::open(address, Duration::from_secs(TPM_SECONDS_MAX))?;
        Ok(Self { channel, random: random.clone(), loaded: Vec::new() })
    }

    /// Runs a command.
    pub(super) fn run(
        &mut self,
        command: &Command<'_>,
        authorization: Authorization<'_>,
        mut parameters: Vec<u8>,
    ) -> Result<Answer, TpmError> {
        let Command { name, code, handles, loads } = *command;
        let numbers = handles.iter().fold(Writer::new(), |writer, handle| writer.u32(handle.number)).done();
        let (area, session) = match authorization {
            Authorization::None => (None, None),
            Authorization::Password => {
                (Some(Writer::new().u32(RS_PASSWORD).sized(&[]).u8(CONTINUE).sized(&[]).done()), None)
            }
            Authorization::Session(session, attributes) => {
                let area = self.prove(command, session, attributes, &mut parameters)?;
                (Some(area), Some((session, attributes)))
            }
        };
        let tag = if area.is_some() { TAG_SESSIONS } else { TAG_PLAIN };
        let area = area.map(|area| Writer::new().u32(length(&area)).bytes(&area).done()).unwrap_or_default();
        let total = HEADER_BYTES + length(&numbers) + length(&area) + length(&parameters);
        let head = Writer::new().u16(tag).u32(total).u32(code).bytes(&numbers);
        let sent = head.bytes(&area).bytes(&parameters).done();
        let received = self.channel.exchange(&sent)?;
        let unreadable = unread(name);
        let mut reader = Reader::new(&received);
        let (tag, _length, refusal) = head_of(&mut reader).map_err(&unreadable)?;
        if refusal != 0 {
            return Err(TpmError::Refused { command: name, code: refusal });
        }
        let handle = if loads { reader.u32().map_err(&unreadable)? } else { 0 };
        if loads {
            self.loaded.push(handle);
        }
        if tag != TAG_SESSIONS {
            // Without proof there is no answer to a command that had a session.
            let parameters = reader.rest().to_vec();
            return if session.is_some() {
                Err(TpmError::Forged { command: name })
            } else {
                Ok(Answer { handle, parameters })
            };
        }
        let size = usize::try_from(reader.u32().map_err(&unreadable)?).map_err(|_| unreadable(Short))?;
        let mut parameters = reader.bytes(size).map_err(&unreadable)?.to_vec();
        if let Some((session, attributes)) = session {
            check(command, session, &parameters, &mut reader)?;
            if attributes & ENCRYPT != 0 {
                session.decrypt(first(&mut parameters).map_err(&unreadable)?)?;
            }
            if attributes & CONTINUE == 0 {
                self.loaded.retain(|loaded| *loaded != session.handle);
            }
        }
        Ok(Answer { handle, parameters })
    }

    /// The authorization area of a session. The first parameter is encrypted where the attributes say so.
    fn prove(
        &self,
        command: &Command<'_>,
        session: &mut Session,
        attributes: u8,
        parameters: &mut [u8],
    ) -> Result<Vec<u8>, TpmError> {
        session.nonce_caller = *self.random.bytes()?;
        if attributes & DECRYPT != 0 {
            session.encrypt(first(parameters).map_err(unread(command.name))?)?;
        }
        let code = command.code.to_be_bytes();
        let names = command.handles.iter().map(|handle| handle.name.as_slice());
        let parts: Vec<&[u8]> = [code.as_slice()].into_iter().chain(names).chain([&*parameters]).collect();
        let proof = session.prove(&digest(&parts), attributes);
        let area = Writer::new().u32(session.handle).sized(&session.nonce_caller).u8(attributes);
        Ok(area.sized(&proof).done())
    }

    /// Begins a session that is salted to the storage root key, so that its messages are proved and encrypted.
    pub(super) fn salted(&mut self, root: &Root, is_policy: bool) -> Result<Session, TpmError> {
        let salt = Salt::to(&root.point, &self.random)?;
        let kind = if is_policy { SESSION_POLICY } else { SESSION_HMAC };
        let (handle, nonce_caller, nonce_tpm) = self.begin(&root.handle, &salt.sent.marshal(), kind)?;
        Ok(Session::begun(handle, &salt, nonce_caller, nonce_tpm))
    }

    /// Begins a session that only computes what a policy's digest would be.
    pub(super) fn trial(&mut self) -> Result<u32, TpmError> {
        Ok(self.begin(&Handle::plain(RH_NULL), &[], SESSION_TRIAL)?.0)
    }

    fn begin(&mut self, key: &Handle, salt: &[u8], kind: u8) -> Result<(u32, Digest, Vec<u8>), TpmError> {
        let nonce: Digest = *self.random.bytes()?;
        let parameters = Writer::new().sized(&nonce).sized(salt).u8(kind);
        let parameters = parameters.u16(ALG_AES).u16(128).u16(ALG_CFB).u16(ALG_SHA256).done();
        let bind = Handle::plain(RH_NULL);
        let name = "StartAuthSession";
        let command = Command { name, code: START_AUTH_SESSION, handles: &[key, &bind], loads: true };
        let answer = self.run(&command, Authorization::None, parameters)?;
        let nonce_tpm = Reader::new(&answer.parameters).sized().map_err(unread(name))?.to_vec();
        Ok((answer.handle, nonce, nonce_tpm))
    }

    /// Forgets an object or a session.
    pub(super) fn flush(&mut self, handle: u32) -> Result<(), TpmError> {
        self.loaded.retain(|loaded| *loaded != handle);
        let command = Command { name: "FlushContext", code: FLUSH_CONTEXT, handles: &[], loads: false };
        self.run(&command, Authorization::None, Writer::new().u32(handle).done()).map(|_| ())
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        for handle in std::mem::take(&mut self.loaded) {
            // A TPM that refuses here has forgotten it already, or is gone.
            self.flush(handle).ok();
        }
    }
}

/// Checks the TPM's own proof over its answer.
fn check(
    command: &Command<'_>,
    session: &mut Session,
    parameters: &[u8],
    reader: &mut Reader<'_>,
) -> Result<(), TpmError> {
    let unreadable = unread(command.name);
    let nonce = reader.sized().map_err(&unreadable)?;
    let attributes = reader.u8().map_err(&unreadable)?;
    let proof = reader.sized().map_err(&unreadable)?;
    let covered = digest(&[&0_u32.to_be_bytes(), &command.code.to_be_bytes(), parameters]);
    if session.is_proved(&covered, nonce, attributes, proof) {
        Ok(())
    } else {
        Err(TpmError::Forged { command: command.name })
    }
}

/// Tag, length and code in front of every answer.
fn head_of(reader: &mut Reader<'_>) -> Result<(u16, u32, u32), Short> {
    Ok((reader.u16()?, reader.u32()?, reader.u32()?))
}

/// The bytes of the first parameter, which is a `TPM2B`.
fn first(parameters: &mut [u8]) -> Result<&mut [u8], Short> {
    let length = usize::from(Reader::new(parameters).u16()?);
    parameters.get_mut(2..2 + length).ok_or(Short)
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
