//! NARs of a store that a real Nix makes on this machine: copied byte for byte, and their store paths computed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::corpora::in_ci;
use aux_nix::content_address::Method;
use aux_nix::{BaseName, ContentAddress, Sha256, nar};

/// Folders of a Debian: many links; many small files; executables; names of every kind.
const FOLDERS: [&str; 5] =
    ["/usr/share/terminfo", "/usr/share/zoneinfo", "/usr/share/perl5", "/etc/alternatives", "/usr/lib/git-core"];

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a real nix is the other side; a skip must be said"
)]
fn what_a_real_nix_stores_is_copied_byte_for_byte_and_has_the_path_we_compute() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let nix = |arguments: &[&str]| {
        let mut command = Command::new("nix-store");
        command.args(arguments).env("NIX_STORE_DIR", &store).env("NIX_STATE_DIR", folder.path().join("var"));
        command
            .env("HOME", folder.path())
            .env("NIX_CONFIG", "build-users-group =\nsubstituters =")
            .env("NIX_REMOTE", "");
        command.stdin(Stdio::null()).stderr(Stdio::null()).output()
    };
    let mut copied = 0;
    for source in FOLDERS.iter().filter(|folder| Path::new(folder).is_dir()) {
        let Ok(added) = nix(&["--add", source]) else {
            assert!(!in_ci(), "nix-store is not installed");
            eprintln!("skipped: no nix-store; `apt-get install nix-bin` would bring it");
            return;
        };
        let path = String::from_utf8(added.stdout).unwrap().trim().to_owned();
        let dumped = nix(&["--dump", &path]).unwrap().stdout;
        let mut writer = nar::Writer::new(Vec::with_capacity(dumped.len()));
        nar::copy(&mut nar::Reader::new(dumped.as_slice()), &mut writer)
            .unwrap_or_else(|error| panic!("{source}: {error}"));
        assert!(writer.finish().unwrap() == dumped, "{source} is written otherwise than it was read");
        let address = ContentAddress { method: Method::Recursive, hash: Sha256::of(&dumped).into() };
        let name = source.rsplit('/').next().unwrap();
        let computed = address.store_path(store.to_str().unwrap(), name, &BTreeSet::<BaseName>::new(), false).unwrap();
        assert_eq!(computed.in_store(store.to_str().unwrap()), path);
        copied += 1;
    }
    assert!(copied >= 2, "this machine has hardly any of {FOLDERS:?}");
}
