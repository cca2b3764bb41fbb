//! Objects of a TPM: the storage root key, what is sealed under it, and keys that work for whoever satisfies their policy.

use zeroize::Zeroizing;

use super::constant::{
    CREATE, CREATE_PRIMARY, DECRYPT, ECDH_Z_GEN, ENCRYPT, LOAD, READ_PUBLIC, RH_OWNER, SRK_HANDLE, UNSEAL,
};
use super::device::{Authorization, Command, Handle, Tpm};
use super::error::{HANDLE, TpmError, unread};
use super::public::{Name, Point, name, point_of, storage_root_template};
use super::session::Session;
use super::wire::{Reader, Short, Writer};

/// The key that everything else is wrapped by. Its secret never leaves the TPM and is another after the TPM was cleared.
pub(super) struct Root {
    pub(super) handle: Handle,
    pub(super) point: Point,
    is_loaded: bool,
}

/// An object as it is kept outside, wrapped by the storage root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrapped {
    pub(crate) public: Vec<u8>,
    pub(crate) private: Vec<u8>,
}

impl Tpm {
    /// The storage root key: the persistent one where it is the pinned one or, where nothing is pinned, of our template;
    /// else one made from the template, which is the same each time until the TPM is cleared.
    pub(super) fn root(&mut self, pinned: Option<&Name>) -> Result<Root, TpmError> {
        if let Some(root) = self.persistent_root()?.filter(|root| pinned.is_none_or(|name| *name == root.handle.name)) {
            return Ok(root);
        }
        let parameters = Writer::new().sized(&Writer::new().sized(&[]).sized(&[]).done());
        let parameters = parameters.sized(&storage_root_template()).sized(&[]).u32(0).done();
        let (command, owner) = ("CreatePrimary", Handle::plain(RH_OWNER));
        let answer = self.run(
            &Command { name: command, code: CREATE_PRIMARY, handles: &[&owner], loads: true },
            Authorization::Password,
            parameters,
        )?;
        let area = Reader::new(&answer.parameters).sized().map_err(unread(command))?;
        let point = point_of(area).map_err(unread(command))?;
        Ok(Root { handle: Handle { number: answer.handle, name: name(area) }, point, is_loaded: true })
    }

    fn persistent_root(&mut self) -> Result<Option<Root>, TpmError> {
        let (command, handle) = ("ReadPublic", Handle::plain(SRK_HANDLE));
        let handles = &[&handle];
        let read = Command { name: command, code: READ_PUBLIC, handles, loads: false };
        let answer = match self.run(&read, Authorization::None, Vec::new()) {
            Err(error) if error.is_code(HANDLE) => return Ok(None),
            other => other?,
        };
        let area = Reader::new(&answer.parameters).sized().map_err(unread(command))?;
        let template = storage_root_template();
        // Everything but the point itself, which is two coordinates of 32 bytes, each behind its length.
        let fixed = template.len() - 2 * (32 + 2);
        let is_ours = area.len() == template.len() && area.get(..fixed) == template.get(..fixed);
        let point = point_of(area).ok().filter(|_| is_ours);
        Ok(point.map(|point| Root { handle: Handle { number: SRK_HANDLE, name: name(area) }, point, is_loaded: false }))
    }

    /// Forgets the storage root key, where it was made for this.
    pub(super) fn release(&mut self, root: &Root) -> Result<(), TpmError> {
        if root.is_loaded { self.flush(root.handle.number) } else { Ok(()) }
    }

    /// Makes an object under the storage root key; what is to be sealed travels encrypted.
    pub(super) fn create(&mut self, root: &Root, template: &[u8], sealed: &[u8]) -> Result<Wrapped, TpmError> {
        let mut session = self.salted(root, false)?;
        let sensitive = Zeroizing::new(Writer::new().sized(&[]).sized(sealed).done());
        let parameters = Writer::new().sized(&sensitive).sized(template).sized(&[]).u32(0).done();
        let name = "Create";
        let command = Command { name, code: CREATE, handles: &[&root.handle], loads: false };
        let answer = self.run(&command, Authorization::Session(&mut session, DECRYPT | ENCRYPT), parameters)?;
        let mut reader = Reader::new(&answer.parameters);
        let mut part = || reader.sized().map(<[u8]>::to_vec).map_err(unread(name));
        Ok(Wrapped { private: part()?, public: part()? })
    }

    /// Loads an object that this TPM wrapped.
    pub(super) fn load(&mut self, root: &Root, object: &Wrapped) -> Result<Handle, TpmError> {
        let parameters = Writer::new().sized(&object.private).sized(&object.public).done();
        let command = Command { name: "Load", code: LOAD, handles: &[&root.handle], loads: true };
        let answer = self.run(&command, Authorization::Password, parameters)?;
        Ok(Handle { number: answer.handle, name: name(&object.public) })
    }

    /// Gives sealed data back, encrypted on its way, by a session that satisfied the policy.
    pub(super) fn unseal(&mut self, object: &Handle, session: &mut Session) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let command = Command { name: "Unseal", code: UNSEAL, handles: &[object], loads: false };
        let answer = self.run(&command, Authorization::Session(session, ENCRYPT), Vec::new())?;
        let parameters = Zeroizing::new(answer.parameters);
        let data = Reader::new(&parameters).sized().map_err(unread("Unseal"))?;
        Ok(Zeroizing::new(data.to_vec()))
    }

    /// Has a key multiply a point, by a session that satisfied the policy; the result is encrypted on its way.
    pub(super) fn exchange(&mut self, key: &Handle, point: &Point, session: &mut Session) -> Result<Point, TpmError> {
        let name = "ECDH_ZGen";
        let command = Command { name, code: ECDH_Z_GEN, handles: &[key], loads: false };
        let parameters = Writer::new().sized(&point.marshal()).done();
        let answer = self.run(&command, Authorization::Session(session, DECRYPT | ENCRYPT), parameters)?;
        let parameters = Zeroizing::new(answer.parameters);
        let point = Reader::new(&parameters).sized().and_then(|bytes| Point::read(&mut Reader::new(bytes)));
        point.map_err(|Short| TpmError::Answer { command: name })
    }
}
