//! Registers (PCRs) and counters of a TPM: reading them, and what makes them move.

use std::collections::BTreeMap;

use super::constant::{
    ALG_SHA256, COUNTER_ATTRIBUTES, NV_DEFINE_SPACE, NV_INCREMENT, NV_READ, NV_READ_PUBLIC, PCR_EXTEND, PCR_READ,
    RH_OWNER,
};
use super::device::{Authorization, Command, Handle, Tpm};
use super::error::{HANDLE, NV_DEFINED, TpmError, unread};
use super::key_derivation::Digest;
use super::policy::{counter_area, counter_name};
use super::public::name;
use super::wire::{Reader, Writer};

/// Registers of a PC's TPM.
pub(crate) const REGISTERS: u8 = 24;
const SELECTION_BYTES: usize = 3;

/// A selection of registers in the bank of SHA-256 (`TPML_PCR_SELECTION`).
pub(super) fn selection(registers: &[u8]) -> Vec<u8> {
    let mut bits = [0_u8; SELECTION_BYTES];
    for register in registers {
        if let Some(byte) = bits.get_mut(usize::from(register / 8)) {
            *byte |= 1 << (register % 8);
        }
    }
    Writer::new().u32(1).u16(ALG_SHA256).u8(3).bytes(&bits).done()
}

impl Tpm {
    /// The values of registers.
    pub(crate) fn registers(&mut self, wanted: &[u8]) -> Result<BTreeMap<u8, Digest>, TpmError> {
        let mut values = BTreeMap::new();
        // A TPM gives eight at once at most.
        for some in wanted.chunks(8) {
            for (register, value) in self.some_registers(some)? {
                values.insert(register, value);
            }
        }
        match wanted.iter().find(|register| !values.contains_key(register)) {
            Some(register) => Err(TpmError::NoBank { register: *register }),
            None => Ok(values),
        }
    }

    fn some_registers(&mut self, wanted: &[u8]) -> Result<Vec<(u8, Digest)>, TpmError> {
        let name = "PCR_Read";
        let command = Command { name, code: PCR_READ, handles: &[], loads: false };
        let answer = self.run(&command, Authorization::None, selection(wanted))?;
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        let mut reader = Reader::new(&answer.parameters);
        let mut read = || {
            let _updates = reader.u32()?;
            // The same selection comes back, where the bank has all of them.
            let is_whole = reader.bytes(selection(&wanted).len())? == selection(&wanted).as_slice();
            let count = reader.u32()?;
            if !is_whole || usize::try_from(count) != Ok(wanted.len()) {
                return Ok(Vec::new());
            }
            wanted.iter().map(|register| Ok((*register, reader.sized()?.try_into().unwrap_or_default()))).collect()
        };
        read().map_err(unread(name))
    }

    /// Extends a register, so that what is sealed to its value stays closed until the next start.
    pub(crate) fn extend(&mut self, register: u8, measurement: &Digest) -> Result<(), TpmError> {
        let register = Handle::plain(u32::from(register));
        let command = Command { name: "PCR_Extend", code: PCR_EXTEND, handles: &[&register], loads: false };
        let parameters = Writer::new().u32(1).u16(ALG_SHA256).bytes(measurement).done();
        self.run(&command, Authorization::Password, parameters).map(|_| ())
    }

    /// The value of a counter; `None` where it was never defined, or not as this program defines it.
    pub(crate) fn counter(&mut self, index: u32) -> Result<Option<u64>, TpmError> {
        let (command, plain) = ("NV_ReadPublic", Handle::plain(index));
        let read = Command { name: command, code: NV_READ_PUBLIC, handles: &[&plain], loads: false };
        let answer = match self.run(&read, Authorization::None, Vec::new()) {
            Err(error) if error.is_code(HANDLE) => return Ok(None),
            other => other?,
        };
        let area = Reader::new(&answer.parameters).sized().map_err(unread(command))?;
        if name(area) != counter_name(index) {
            return Ok(None);
        }
        let (command, counter) = ("NV_Read", Handle { number: index, name: name(area) });
        let read = Command { name: command, code: NV_READ, handles: &[&counter, &counter], loads: false };
        let answer = self.run(&read, Authorization::Password, Writer::new().u16(8).u16(0).done())?;
        let value = Reader::new(&answer.parameters).sized().map_err(unread(command))?;
        let value = value.try_into().map_err(|_| TpmError::Answer { command })?;
        Ok(Some(u64::from_be_bytes(value)))
    }

    /// Counts on by one, and defines the counter where it is not there. A new counter begins where the highest that this
    /// TPM ever had ended, so that none can be wound back by removing it.
    pub(crate) fn count(&mut self, index: u32) -> Result<u64, TpmError> {
        let owner = Handle::plain(RH_OWNER);
        let area = counter_area(index, COUNTER_ATTRIBUTES);
        let define = Command { name: "NV_DefineSpace", code: NV_DEFINE_SPACE, handles: &[&owner], loads: false };
        match self.run(&define, Authorization::Password, Writer::new().sized(&[]).sized(&area).done()) {
            Err(error) if !error.is_code(NV_DEFINED) => return Err(error),
            _ => {}
        }
        let counter = Handle::plain(index);
        let increment =
            Command { name: "NV_Increment", code: NV_INCREMENT, handles: &[&owner, &counter], loads: false };
        self.run(&increment, Authorization::Password, Vec::new())?;
        self.counter(index)?.ok_or(TpmError::Answer { command: "NV_Increment" })
    }
}
