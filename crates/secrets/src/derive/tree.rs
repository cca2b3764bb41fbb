//! Seed, scopes and leaves: HKDF with SHA-256 (RFC 5869) all the way down, so that nobody can go up or aside.

use std::fmt;
use std::str::FromStr;

use aux_core::{hexadecimal, unhexadecimal};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Fields, Label, Stream};

/// The first field of every list.
pub(super) const SCHEME: &str = "aux/v1";
const ROOT_SALT: &[u8] = b"aux/v1/root";

/// What makes two fleets with one seed different; public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetId(pub [u8; 16]);

impl fmt::Display for FleetId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&hexadecimal(&self.0))
    }
}

impl FromStr for FleetId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = unhexadecimal(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| format!("`{text}` is not a fleet's id, which has 32 hexadecimal digits"))
    }
}

/// The 32 random bytes everything comes from.
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    /// The root of an epoch: `HKDF-Extract(salt = "aux/v1/root" || fleet || epoch, seed)`.
    pub fn root(&self, fleet: FleetId, epoch: u32) -> ScopeKey {
        let salt = [ROOT_SALT, &fleet.0, &epoch.to_be_bytes()].concat();
        let (key, _) = Hkdf::<Sha256>::extract(Some(&salt), self.0.as_slice());
        ScopeKey(Zeroizing::new(key.into()))
    }
}

/// What a node of the tree is for; the word is a field of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    Environment,
    Machine,
    Group,
    Admin,
    /// Two machines of a group, whose label is both their names, the smaller first, with `|` between.
    Pair,
}

impl NodeKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Environment => "env",
            Self::Machine => "machine",
            Self::Group => "group",
            Self::Admin => "admin",
            Self::Pair => "pair",
        }
    }
}

/// The key of a node: of a machine, a group, an environment, or the root. Whoever has it has everything below it.
#[derive(Clone)]
pub struct ScopeKey(Zeroizing<[u8; 32]>);

impl ScopeKey {
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    /// A node below this one.
    #[must_use]
    pub fn node(&self, kind: NodeKind, label: &str, generation: u32) -> Self {
        Self(self.expand(&Fields::new().text(kind.word()).text(label).number(generation)))
    }

    /// The node that two machines of this group share.
    #[must_use]
    pub fn pair(&self, one: &Label, other: &Label) -> Self {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        self.node(NodeKind::Pair, &format!("{first}|{second}"), 1)
    }

    /// The leaf of a secret; `type_id` is such as `password@1`.
    pub fn leaf(&self, name: &Label, type_id: &str, version: u32) -> Leaf {
        Leaf(self.expand(&Fields::new().text("secret").text(name.as_str()).text(type_id).number(version)))
    }

    /// What vouches for the value of an envelope without saying anything of it to those who lack this key.
    pub fn check_of_value(&self, name: &Label, version: u32, digest: &[u8; 32]) -> Check {
        let fields = Fields::new().text("envelope-check").text(name.as_str()).number(version).bytes(digest);
        Check::of(&self.expand::<8>(&fields))
    }

    fn expand<const N: usize>(&self, info: &Fields) -> Zeroizing<[u8; N]> {
        expand(&self.0, info)
    }
}

/// The key of one version of one secret.
pub struct Leaf(Zeroizing<[u8; 32]>);

impl Leaf {
    /// What typed values are made of.
    pub fn stream(&self) -> Stream {
        Stream::new(&self.0)
    }

    /// Eight public bytes that differ where the leaf differs.
    pub fn check(&self) -> Check {
        Check::of(&expand::<8>(&self.0, &Fields::new().text("check")))
    }

    /// The same for a secret that is made of others too: it changes when one of theirs does.
    pub fn check_with(&self, others: &[Check]) -> Check {
        let fields = others.iter().fold(Fields::new().text("check"), |fields, other| fields.bytes(&other.0));
        Check::of(&expand::<8>(&self.0, &fields))
    }
}

fn expand<const N: usize>(key: &[u8; 32], info: &Fields) -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    // Both fail only for keys below 32 bytes and outputs above 8160; neither occurs here.
    if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(key) {
        hkdf.expand(info.as_bytes(), bytes.as_mut_slice()).ok();
    }
    bytes
}

/// Eight public bytes that tell whether a value is the one that was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Check(pub [u8; 8]);

impl Check {
    fn of(bytes: &Zeroizing<[u8; 8]>) -> Self {
        Self(**bytes)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&hexadecimal(&self.0))
    }
}

impl From<Check> for String {
    fn from(check: Check) -> Self {
        check.to_string()
    }
}

impl TryFrom<String> for Check {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = unhexadecimal(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| format!("`{text}` is not a check value, which has 16 hexadecimal digits"))
    }
}
