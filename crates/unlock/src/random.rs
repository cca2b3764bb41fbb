//! Where fresh random bytes come from: the program says.

use std::io;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A source of random bytes for keys, given by the program. Cheap to clone.
#[derive(Clone)]
pub struct Randomness(Arc<Fill>);

/// What fills a buffer with fresh bytes, or says why it cannot.
type Fill = dyn Fn(&mut [u8]) -> io::Result<()> + Send + Sync;

/// The machine gives no randomness.
#[derive(Debug, thiserror::Error)]
#[error("no random bytes: {cause}")]
pub struct NoRandomness {
    cause: io::Error,
}

impl Randomness {
    pub fn new(fill: impl Fn(&mut [u8]) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// So many fresh bytes.
    pub fn bytes<const LENGTH: usize>(&self) -> Result<Zeroizing<[u8; LENGTH]>, NoRandomness> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        (self.0)(bytes.as_mut()).map_err(|cause| NoRandomness { cause })?;
        Ok(bytes)
    }
}
