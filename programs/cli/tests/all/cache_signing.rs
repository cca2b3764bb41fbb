//! A signing key's way: sealed by `aux secret`, installed on a machine, signed with by a server, believed by a real Nix.

use std::fs;
use std::process::{Command, Stdio};

use crate::cache_server::CacheServer;
use crate::corpora::in_ci;
use crate::secret_machine::{INSTALL, add, fleet};
use crate::world::{good, skipped};

#[test]
#[expect(clippy::disallowed_methods, reason = "a real nix makes the key")]
fn a_server_signs_with_a_key_that_was_sealed_and_nix_believes_what_it_serves() {
    let world = fleet();
    let mut keys = Command::new("nix-store");
    keys.args(["--generate-binary-cache-key", "cache.example.org-1", "cache-key", "cache-key.public"]);
    if keys.current_dir(world.path("")).stdin(Stdio::null()).status().is_err() {
        assert!(!in_ci(), "nix-store is not installed");
        return skipped("no nix-store; `apt-get install nix-bin` would bring it");
    }
    add(&world, "cache-key", "--type envelope --scope machine:web1 --file");
    good(&world, "secret set cache-key --file cache-key --repo fleet --identity admin.key");
    fs::remove_file(world.path("cache-key")).unwrap();
    good(&world, INSTALL);
    let arguments = ["--signing-key-file", "secrets/current/cache-key"];
    let Some(server) = CacheServer::start_with(&world, &arguments) else { return };
    let public = fs::read_to_string(world.path("cache-key.public")).unwrap();
    assert_eq!(server.public_key, public.trim());
    assert!(!world.path("data/signing-key").exists());
    let path = server.path.clone();
    for command in [
        &*format!("push {path} --to staging --root system"),
        "create open --view-of staging --anonymous",
        &format!("promote {path} --to open"),
    ] {
        let said = server.run(&world, command);
        assert_eq!(said.code, Some(0), "{}", said.shown());
    }
    let said = server.substitute(&world, "open", "other");
    assert_eq!(said.code, Some(0), "{}", said.shown());
    assert!(world.path("other").join(path.trim_start_matches('/')).exists());
}
