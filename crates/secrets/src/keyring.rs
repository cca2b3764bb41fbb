//! The keys somebody has: the root for those who opened the seed, an environment's for its administrators, and a machine's own.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::age_file::Recipient;
use crate::declaration::{Declaration, Holder};
use crate::derive::{Label, Leaf, NodeKind, ScopeKey};
use crate::memory::{self, Kept, KeptBytes};
use crate::secret::SecretBytes;

/// Where a holder stands in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub environment: Option<(Label, u32)>,
    pub generation: u32,
}

/// Keys, and those that follow from them. Between two derivations they are on pages of their own.
#[derive(Default, Clone)]
pub struct Keyring {
    root: Option<KeptBytes>,
    environments: BTreeMap<Label, KeptBytes>,
    holders: BTreeMap<Holder, KeptBytes>,
}

fn at_rest(key: &ScopeKey) -> KeptBytes {
    KeptBytes::copy(key.reveal())
}

/// A copy to derive from, which overwrites itself.
fn in_use(key: &KeptBytes) -> Option<ScopeKey> {
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(key.reveal().first_chunk::<32>()?);
    Some(ScopeKey::new(bytes))
}

/// The name of what the tree itself needs under a scope; versions of declared secrets begin with 1, so nothing collides.
const OWN_VERSION: u32 = 0;

impl Keyring {
    /// Everything.
    pub fn of_root(root: &ScopeKey) -> Self {
        Self { root: Some(at_rest(root)), ..Self::default() }
    }

    /// What a machine was delivered.
    pub fn of_holders(holders: impl IntoIterator<Item = (Holder, ScopeKey)>) -> Self {
        let holders = holders.into_iter().map(|(holder, key)| (holder, at_rest(&key)));
        Self { holders: holders.collect(), ..Self::default() }
    }

    /// With the key of an environment too.
    #[must_use]
    pub fn with_environment(mut self, name: Label, key: &ScopeKey) -> Self {
        self.environments.insert(name, at_rest(key));
        self
    }

    /// How the keys are kept from others: as the worst of them is.
    pub fn kept(&self) -> Kept {
        let keys = self.root.iter().chain(self.environments.values()).chain(self.holders.values());
        keys.map(KeptBytes::kept).fold(Kept::Secret, memory::weaker)
    }

    /// The key of a holder at its place, if it follows from what is here.
    pub fn holder(&self, holder: &Holder, place: &Place) -> Option<ScopeKey> {
        if let Some(key) = self.holders.get(holder) {
            return in_use(key);
        }
        let (kind, label) = match holder {
            Holder::Admin => (NodeKind::Admin, "admin"),
            Holder::Group(label) => (NodeKind::Group, label.as_str()),
            Holder::Machine(label) => (NodeKind::Machine, label.as_str()),
        };
        let above = match &place.environment {
            None => in_use(self.root.as_ref()?)?,
            Some((name, generation)) => {
                let derived =
                    || Some(in_use(self.root.as_ref()?)?.node(NodeKind::Environment, name.as_str(), *generation));
                self.environments.get(name).and_then(in_use).or_else(derived)?
            }
        };
        Some(above.node(kind, label, place.generation))
    }
}

/// The leaf of the age identity that envelopes of a scope are encrypted to.
pub(crate) fn identity_leaf(key: &ScopeKey) -> Option<Leaf> {
    own_leaf(key, "scope", "age-x25519@1")
}

/// The leaf of the key that signs manifests, under the admins' scope.
pub(crate) fn signing_leaf(key: &ScopeKey) -> Option<Leaf> {
    own_leaf(key, "manifest", "ssh-ed25519@1")
}

fn own_leaf(key: &ScopeKey, name: &str, type_id: &str) -> Option<Leaf> {
    let name: Label = name.parse().ok()?;
    Some(key.leaf(&name, type_id, OWN_VERSION))
}

/// The age identity of a scope, and its recipient.
pub(crate) fn scope_identity(key: &ScopeKey) -> Option<(SecretBytes, Recipient)> {
    let leaf = identity_leaf(key)?;
    let recipient = crate::kinds::age_recipient(&mut leaf.stream()).parse().ok()?;
    Some((crate::kinds::age_identity(&mut leaf.stream()), recipient))
}

/// The recipient alone.
pub(crate) fn scope_recipient(key: &ScopeKey) -> Option<Recipient> {
    crate::kinds::age_recipient(&mut identity_leaf(key)?.stream()).parse().ok()
}

/// The key that signs manifests.
pub(crate) fn signing_key(admin: &ScopeKey) -> Option<ed25519_dalek::SigningKey> {
    Some(ed25519_dalek::SigningKey::from_bytes(&signing_leaf(admin)?.stream().array::<32>()))
}

impl Declaration {
    /// Where a holder stands, as declared.
    pub fn place(&self, holder: &Holder) -> Option<Place> {
        let (environment, generation) = match holder {
            Holder::Admin => (None, self.fleet.admin_generation),
            Holder::Group(label) => {
                self.groups.get(label).map(|group| (group.environment.clone(), group.generation))?
            }
            Holder::Machine(label) => {
                self.machines.get(label).map(|machine| (machine.environment.clone(), machine.generation))?
            }
        };
        let environment = match environment {
            None => None,
            Some(name) => {
                let generation = self.environments.get(&name)?.generation;
                Some((name, generation))
            }
        };
        Some(Place { environment, generation })
    }
}
