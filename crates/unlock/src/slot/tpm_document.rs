//! Objects of a TPM and signed policies as JSON: in a slot, and in files of their own.

use std::collections::BTreeMap;

use aux_core::limits::TPM_POLICIES_MAX;
use aux_core::{hexadecimal, unhexadecimal};
use serde::{Deserialize, Serialize};

use super::SlotFileError;
use super::document::{decoded, document, encoded, of_schema, text};
use crate::tpm::{CounterBound, Policy, PolicyKey, REGISTERS, SignedPolicy, Statement, TpmObject, Wrapped};

const KEY_SCHEMA: &str = "aux.tpm-key/1";
const POLICIES_SCHEMA: &str = "aux.tpm-policies/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TpmObjectDocument {
    /// The name of the storage root key, in hexadecimal.
    root: String,
    policy: PolicyDocument,
    private: String,
    public: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum PolicyDocument {
    Measured { statement: StatementDocument },
    Signed { key: String, reference: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<CounterDocument>,
    registers: Vec<RegisterDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterDocument {
    /// Its number: the PCR.
    pcr: u8,
    /// In hexadecimal.
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CounterDocument {
    index: String,
    most: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyDocument {
    schema: String,
    object: TpmObjectDocument,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoliciesDocument {
    schema: String,
    policies: Vec<SignedDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedDocument {
    name: String,
    signature: String,
    statement: StatementDocument,
}

/// Reads a document of signed policies.
pub fn parse_policies(bytes: &[u8]) -> Result<Vec<SignedPolicy>, SlotFileError> {
    let document: PoliciesDocument = document(bytes)?;
    of_schema(&document.schema, POLICIES_SCHEMA)?;
    if document.policies.len() > TPM_POLICIES_MAX {
        return Err(SlotFileError::TooManyPolicies);
    }
    document.policies.into_iter().map(SignedDocument::policy).collect()
}

/// Writes a document of signed policies.
pub fn print_policies(policies: &[SignedPolicy]) -> String {
    let policies = policies.iter().map(|policy| SignedDocument {
        name: policy.name.clone(),
        signature: encoded(&policy.signature),
        statement: StatementDocument::of(&policy.statement),
    });
    text(&PoliciesDocument { schema: POLICIES_SCHEMA.to_owned(), policies: policies.collect() })
}

/// Reads a key for exchange of one TPM.
pub fn parse_tpm_key(bytes: &[u8]) -> Result<TpmObject, SlotFileError> {
    let document: KeyDocument = document(bytes)?;
    of_schema(&document.schema, KEY_SCHEMA)?;
    document.object.object("the key")
}

/// Writes a key for exchange of one TPM; the private half in it is worth nothing elsewhere.
pub fn print_tpm_key(object: &TpmObject) -> String {
    text(&KeyDocument { schema: KEY_SCHEMA.to_owned(), object: TpmObjectDocument::of(object) })
}

impl SignedDocument {
    fn policy(self) -> Result<SignedPolicy, SlotFileError> {
        let signature = decoded(&self.signature, &self.name, "signature")?;
        Ok(SignedPolicy { statement: self.statement.statement(&self.name)?, signature, name: self.name })
    }
}

impl TpmObjectDocument {
    pub(super) fn object(self, path: &str) -> Result<TpmObject, SlotFileError> {
        let root = unhexadecimal(&self.root).filter(|name| name.len() == 34);
        let wrong = |what, expected| SlotFileError::Field { path: path.to_owned(), what, expected };
        let root = root.ok_or_else(|| wrong("root", "the name of a key, 34 bytes in hexadecimal"))?;
        let wrapped = Wrapped {
            public: decoded(&self.public, path, "public")?,
            private: decoded(&self.private, path, "private")?,
        };
        let policy = match self.policy {
            PolicyDocument::Measured { statement } => Policy::Measured(statement.statement(path)?),
            PolicyDocument::Signed { key, reference } => {
                Policy::Signed { key: PolicyKey::of_area(decoded(&key, path, "key")?), reference }
            }
        };
        Ok(TpmObject { root, wrapped, policy })
    }

    pub(super) fn of(object: &TpmObject) -> Self {
        let policy = match &object.policy {
            Policy::Measured(statement) => PolicyDocument::Measured { statement: StatementDocument::of(statement) },
            Policy::Signed { key, reference } => {
                PolicyDocument::Signed { key: encoded(key.area()), reference: reference.clone() }
            }
        };
        Self {
            root: hexadecimal(&object.root),
            policy,
            private: encoded(&object.wrapped.private),
            public: encoded(&object.wrapped.public),
        }
    }
}

impl StatementDocument {
    fn statement(self, path: &str) -> Result<Statement, SlotFileError> {
        let wrong = |what, expected| SlotFileError::Field { path: path.to_owned(), what, expected };
        let mut registers = BTreeMap::new();
        for RegisterDocument { pcr, sha256 } in self.registers {
            if pcr >= REGISTERS || registers.contains_key(&pcr) {
                return Err(wrong("a pcr", "a number from 0 to 23 that stands once"));
            }
            let value = unhexadecimal(&sha256).and_then(|bytes| bytes.try_into().ok());
            registers.insert(pcr, value.ok_or_else(|| wrong("a value of a pcr", "32 bytes in hexadecimal"))?);
        }
        let counter = self.counter.map(|counter| {
            let index = counter.index.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
            let index = index.ok_or_else(|| wrong("a counter", "an index such as 0x01500020"))?;
            Ok(CounterBound { index, most: counter.most })
        });
        Ok(Statement { registers, counter: counter.transpose()? })
    }

    fn of(statement: &Statement) -> Self {
        let counter = statement
            .counter
            .map(|counter| CounterDocument { index: format!("{:#010x}", counter.index), most: counter.most });
        let one = |(pcr, value): (&u8, &[u8; 32])| RegisterDocument { pcr: *pcr, sha256: hexadecimal(value) };
        let registers = statement.registers.iter().map(one).collect();
        Self { counter, registers }
    }
}
