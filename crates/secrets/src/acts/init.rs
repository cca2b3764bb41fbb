//! A new fleet: a seed, encrypted to those who can recover it, and the first manifest.

use jiff::civil::Date;
use zeroize::Zeroizing;

use super::prepare::Committed;
use super::session::{Session, SessionError, open_seed};
use crate::age_file::{Identities, Recipient};
use crate::declaration::{Declaration, Fleet, Holder, first_text};
use crate::derive::{FleetId, Seed};
use crate::keyring::{Keyring, Place, signing_key};
use crate::manifest::Envelopes;
use crate::repository::{Repository, Step};
use crate::sshsig::Signer;

/// What a new fleet is made of. Both random values come from the caller.
pub struct InitRequest {
    pub recipients: Vec<Recipient>,
    pub fleet: FleetId,
    pub seed: Zeroizing<[u8; 32]>,
    pub today: Date,
}

/// A fleet that was begun.
#[derive(Debug)]
pub struct Initiated {
    pub fleet: FleetId,
    pub signer: Signer,
    pub committed: Committed,
    /// Recipients whose identity was offered and really opened the seed.
    pub tried: Vec<Recipient>,
}

/// Makes it, and ends by opening the seed with each identity that was offered.
pub fn init(
    repository: Repository,
    request: InitRequest,
    offered: Vec<Identities>,
    reached: &mut dyn FnMut(Step),
) -> Result<Initiated, SessionError> {
    let seed = Seed::new(request.seed);
    let keyring = Keyring::of_root(&seed.root(request.fleet, 1));
    let place = Place { environment: None, generation: 1 };
    let key = keyring.holder(&Holder::Admin, &place).and_then(|admin| signing_key(&admin));
    let key = key.ok_or_else(|| SessionError::Key { what: "signing".to_owned() })?;
    let signer = Signer::of(&key.verifying_key());
    let signers = vec![signer.clone()];
    let fleet = Fleet { id: request.fleet, epoch: 1, admin_generation: 1, recovery: request.recipients, signers };
    let text = first_text(&fleet, request.today);
    let path = || repository.declaration_path().display().to_string();
    let declaration =
        Declaration::read(text.as_bytes()).map_err(|cause| SessionError::Declaration { path: path(), cause })?;
    let folder = repository.folder().to_path_buf();
    let session = Session {
        repository,
        text,
        declaration: declaration.clone(),
        previous: None,
        signature: None,
        identities: Identities::default(),
        seed,
        keyring,
        key,
        envelopes: Envelopes::new(),
        is_text_changed: true,
    };
    let mut prepared = session.prepare(false)?;
    prepared.add_first_files();
    let committed = prepared.commit(reached)?;
    let repository = Repository::open(&folder, None)?;
    let mut tried = Vec::new();
    let mut missing = 0;
    for identities in offered {
        match open_seed(&repository, &identities, &declaration, 1) {
            Ok(_) => tried.extend(identities.recipients()),
            Err(_) => missing += 1,
        }
    }
    if missing > 0 {
        return Err(SessionError::Recovery { missing });
    }
    tried.retain(|recipient| declaration.fleet.recovery.contains(recipient));
    Ok(Initiated { fleet: request.fleet, signer, committed, tried })
}
