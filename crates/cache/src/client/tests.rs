//! What is on disk becomes the NAR that Nix makes of it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use aux_io::http::{HttpClient, HttpOptions, Url};

use super::known::Known;
use super::pack::Tools;
use super::requests::part;
use super::{CacheClient, ClientError, DumpError, dump};
use crate::http_server::{Answer, HttpServer};

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

/// A hundred megabytes of which the cache knows nothing.
#[test]
fn a_cache_that_knows_nothing_is_asked_about_the_first_of_much_and_then_about_an_eighth() {
    let server = HttpServer::start(|_| Answer::ok(r#"{"schema":"aux.chunks/1","known":[]}"#));
    let http = HttpClient::new(HttpOptions::new("aux/test")).unwrap();
    let client = CacheClient::new(http, Url::parse(&server.url("/")).unwrap(), None);
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    fs::File::create(&large).unwrap().set_len(100 << 20).unwrap();
    let known = Known::new(&client, "staging");
    let mut tools = Tools::new("/nix/store").unwrap();
    let mut pack = |path: &Path, nar_size| {
        let mut packing = tools.pack((path, nar_size), Some(&known)).unwrap();
        let sent = io::copy(&mut packing, &mut io::sink()).unwrap();
        assert_eq!(sent, packing.packed_bytes());
        server.requests().len()
    };
    // 32 MiB, 8 at a time, and then one of eight times 8.
    assert_eq!(pack(&large, 100 << 20), 5);
    let small = folder.path().join("small");
    aux_io::file::replace(&small, b"nobody asks about so little").unwrap();
    for _ in 0..20 {
        assert_eq!(pack(&small, 200), 5);
    }
    assert_eq!(pack(&large, 100 << 20), 6);
}

#[test]
fn a_name_that_could_lead_elsewhere_is_not_sent() {
    for name in ["", "..", "a/b", "a?b", "a%2fb", "a#b", &"n".repeat(65)] {
        assert!(matches!(part(name), Err(ClientError::Name(_))), "{name}");
    }
    assert_eq!(part("staging-2").unwrap(), "staging-2");
}
