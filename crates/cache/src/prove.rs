//! What a narinfo says follows from its content does: a view's policy and every Nix will believe it without a signature.

use std::io::BufReader;

use aux_nix::NarInfo;
use aux_nix::content_address::ContentError;

use crate::cache::Cache;
use crate::packing::unpacked;
use crate::push::PutError;
use crate::records::ObjectRow;

impl Cache {
    /// Proves the content address by the NAR that came. One that is not computed here is taken away, so that the path is
    /// like any other and needs signatures.
    pub(crate) fn prove_content(&self, info: &mut NarInfo, object: &ObjectRow) -> Result<(), PutError> {
        let proved = match info.verify_content_address() {
            Err(ContentError::NeedsNar) => {
                let stored = self.objects.open_object(&object.into())?;
                let nar = unpacked(BufReader::new(stored.reader()), object.packing).map_err(PutError::Packing)?;
                info.verify_content(nar).map(drop)
            }
            other => other.map(drop),
        };
        match proved {
            Ok(()) | Err(ContentError::None) => Ok(()),
            Err(ContentError::Unsupported(_)) => {
                info.content_address = None;
                Ok(())
            }
            Err(error) => Err(PutError::ContentAddress(error)),
        }
    }
}
