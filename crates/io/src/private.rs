//! Files that hold secrets: read only where nobody may read them but their owner, root and the user of this process.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use zeroize::Zeroizing;

/// An access control list of Linux, `acl(5)`; longer ones name more users than anybody means.
const ACL_BYTES_MAX: usize = 1024;
const ACL: &str = "system.posix_acl_access";
/// The version that stands in front of it, and what an entry is about; `linux/posix_acl_xattr.h`, `linux/posix_acl.h`.
const ACL_VERSION: u32 = 2;
const ACL_OWNER: u16 = 0x01;
const ACL_USER: u16 = 0x02;
const ACL_MASK: u16 = 0x10;

/// A secret that is not read. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    #[error("{}: cannot be read: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("{}: others may read this file; `chmod 600` it", path.display())]
    Readable { path: PathBuf },
    #[error("{}: is no text", path.display())]
    Text { path: PathBuf },
    #[error("{}: has more than {limit_bytes} bytes, which no secret of this kind has", path.display())]
    TooLarge { path: PathBuf, limit_bytes: u64 },
}

/// Reads a text, if others may do nothing with its file. No copy of it is left behind.
///
/// A credential of systemd passes in both forms that it has: 0400 and of the service's user, or of root and with an access
/// control list that lets this one user read, where `stat` shows 0440 and no group may read it in truth.
pub fn text(path: impl AsRef<Path>, limit_bytes: u64) -> Result<Zeroizing<String>, PrivateError> {
    let path = path.as_ref();
    let failed = |cause| PrivateError::Read { path: path.to_path_buf(), cause };
    let file = File::open(path).map_err(failed)?;
    if !is_private(&file).map_err(failed)? {
        return Err(PrivateError::Readable { path: path.to_path_buf() });
    }
    // Room for whatever may come from the start: memory that is given up to grow is not cleared.
    let room = usize::try_from(limit_bytes.saturating_add(1)).unwrap_or_default();
    let mut text = Zeroizing::new(String::with_capacity(room));
    match file.take(limit_bytes.saturating_add(1)).read_to_string(&mut text) {
        Ok(_) if text.len() as u64 > limit_bytes => {
            Err(PrivateError::TooLarge { path: path.to_path_buf(), limit_bytes })
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(PrivateError::Text { path: path.to_path_buf() })
        }
        Err(error) => Err(failed(error)),
    }
}

fn is_private(file: &File) -> io::Result<bool> {
    let mode = file.metadata()?.mode();
    if mode & 0o007 != 0 {
        return Ok(false);
    }
    // Where there is a list, these three bits are its mask, and say nothing of the group; without one they are the group's.
    if mode & 0o070 == 0 {
        return Ok(true);
    }
    let mut list = [0; ACL_BYTES_MAX];
    match rustix::fs::fgetxattr(file, ACL, &mut list[..]) {
        Ok(length) => {
            let user = rustix::process::geteuid().as_raw();
            Ok(opens_to(list.get(..length).unwrap_or_default(), user))
        }
        Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a list gives something to its owner, root and this user alone.
fn opens_to(list: &[u8], user: u32) -> bool {
    let Some((version, entries)) = list.split_first_chunk::<4>() else { return false };
    let (entries, rest) = entries.as_chunks::<8>();
    let may = |entry: &[u8; 8]| {
        let [kind, kind_high, rights, rights_high, id @ ..] = *entry;
        let (kind, rights) = (u16::from_le_bytes([kind, kind_high]), u16::from_le_bytes([rights, rights_high]));
        // The mask gives nothing by itself; that it takes something away is passed over, which is on the safe side.
        let is_ours = kind == ACL_USER && [0, user].contains(&u32::from_le_bytes(id));
        rights == 0 || kind == ACL_OWNER || kind == ACL_MASK || is_ours
    };
    u32::from_le_bytes(*version) == ACL_VERSION && rest.is_empty() && entries.iter().all(may)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, setxattr};
    use std::os::unix::fs::PermissionsExt as _;

    const GROUP_OWNER: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const OTHERS: u16 = 0x20;
    const NOBODY: u32 = 65_534;

    fn list(named: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut entries = vec![(ACL_OWNER, 4, u32::MAX), (GROUP_OWNER, 0, u32::MAX), (ACL_MASK, 4, u32::MAX)];
        entries.push((OTHERS, 0, u32::MAX));
        entries.retain(|entry| !named.iter().any(|other| other.0 == entry.0));
        entries.extend(named);
        // The kernel wants them sorted.
        entries.sort_unstable();
        let bytes = |(kind, rights, id): (u16, u16, u32)| {
            [kind.to_le_bytes().as_slice(), &rights.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        [ACL_VERSION.to_le_bytes().to_vec(), entries.into_iter().flat_map(bytes).collect()].concat()
    }

    #[test]
    fn what_its_owner_alone_may_read_is_read_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        crate::file::create_private(&path, b"hidden").unwrap();
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o600, 0o400] {
            set(mode);
            assert_eq!(*text(&path, 6).unwrap(), "hidden");
        }
        assert!(matches!(text(&path, 5), Err(PrivateError::TooLarge { limit_bytes: 5, .. })));
        for mode in [0o640, 0o440, 0o604, 0o644, 0o620, 0o602] {
            set(mode);
            let told = text(&path, 6).unwrap_err().to_string();
            assert_eq!(told, format!("{}: others may read this file; `chmod 600` it", path.display()));
        }
        set(0o600);
        crate::file::replace(&path, b"\xff").unwrap();
        assert!(matches!(text(&path, 6), Err(PrivateError::Text { .. })));
        let missing = text(folder.path().join("missing"), 6).unwrap_err().to_string();
        assert!(missing.ends_with("missing: cannot be read: No such file or directory (os error 2)"), "{missing}");
    }

    /// As systemd makes a credential where the filesystem has lists.
    #[test]
    fn a_credential_of_systemd_is_read_by_the_user_it_was_made_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential");
        crate::file::create_private(&path, b"hidden").unwrap();
        let own = rustix::process::geteuid().as_raw();
        let is_told = |named: &[(u16, u16, u32)]| {
            match setxattr(&path, ACL, &list(named), XattrFlags::empty()) {
                Err(Errno::NOTSUP) => return None,
                set => set.unwrap(),
            }
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o440);
            Some(text(&path, 6).is_ok())
        };
        // A filesystem without lists has nothing to tell.
        let Some(for_us) = is_told(&[(ACL_USER, 4, own)]) else { return };
        assert!(for_us);
        assert_eq!(is_told(&[(ACL_USER, 4, NOBODY)]), Some(false));
        assert_eq!(is_told(&[(ACL_USER, 4, own), (ACL_USER, 4, NOBODY)]), Some(false));
        assert_eq!(is_told(&[(ACL_USER, 4, own), (GROUP, 4, NOBODY)]), Some(false));
        assert_eq!(is_told(&[(ACL_USER, 4, own), (GROUP_OWNER, 4, u32::MAX)]), Some(false));
    }

    #[test]
    fn a_list_that_is_none_opens_nothing() {
        let whole = list(&[(ACL_USER, 4, 7)]);
        assert!(opens_to(&whole, 7));
        for damaged in [&whole[..whole.len() - 1], &whole[..3], &[], &[&[3, 0, 0, 0], &whole[4..]].concat()] {
            assert!(!opens_to(damaged, 7), "{damaged:?}");
        }
    }
}
