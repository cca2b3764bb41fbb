//! What is on disk becomes the NAR that Nix makes of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::requests::part;
use super::{ClientError, DumpError, dump};

/// Of the folder that [`folder`] makes, by `nix-store --dump` of Nix 2.8.
const NAR: &[u8] = include_bytes!("../../../nix/tests/vectors/2.8/cache/nar/8vfnwdmii3k3nip932bb8y1hp7c0j0cf-d.nar");

fn folder(at: &Path) {
    fs::create_dir_all(at.join("sub")).unwrap();
    for (name, content, mode) in [("a", "hi\n", 0o644), ("empty", "", 0o600), ("run", "#!/bin/sh\n", 0o744)] {
        aux_io::file::replace(at.join(name), content.as_bytes()).unwrap();
        fs::set_permissions(at.join(name), Permissions::from_mode(mode)).unwrap();
    }
    symlink("../x", at.join("sub/link")).unwrap();
}

#[test]
fn a_folder_is_dumped_as_nix_dumps_it() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("d");
    folder(&path);
    assert!(dump(&path, Vec::new()).unwrap() == NAR);
    // Only the owner's right to execute counts.
    fs::set_permissions(path.join("a"), Permissions::from_mode(0o655)).unwrap();
    assert!(dump(&path, Vec::new()).unwrap() == NAR);
}

#[test]
fn what_is_no_file_folder_or_link_is_refused_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    let socket = scratch.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = dump(scratch.path(), Vec::new()).unwrap_err();
    assert!(matches!(&error, DumpError::Kind { path } if *path == socket), "{error}");
    assert!(matches!(dump(&scratch.path().join("none"), Vec::new()), Err(DumpError::Read { .. })));
}

#[test]
fn a_name_that_could_lead_elsewhere_is_not_sent() {
    for name in ["", "..", "a/b", "a?b", "a%2fb", "a#b", &"n".repeat(65)] {
        assert!(matches!(part(name), Err(ClientError::Name(_))), "{name}");
    }
    assert_eq!(part("staging-2").unwrap(), "staging-2");
}
