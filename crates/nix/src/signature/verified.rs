//! A value that somebody trusted vouches for. Only this room makes one.

use std::ops::Deref;

use super::KeyName;

/// Why a value may be believed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// It bears a signature by the trusted key of this name.
    Signature(KeyName),
    /// Its store path follows from its content.
    ContentAddress,
}

/// A value together with the proof that it may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    proof: Proof,
}

impl<T> Verified<T> {
    pub(crate) fn new(value: T, proof: Proof) -> Self {
        Self { value, proof }
    }

    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: Clone> Verified<&T> {
    /// A proof that owns what it is about.
    pub fn cloned(self) -> Verified<T> {
        Verified { value: self.value.clone(), proof: self.proof }
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
