//! Repositories that want to run something, write somewhere or be endless.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use aux_repo::{FetchError, LayoutError, TreeError};

use crate::world::World;

#[test]
fn links_out_of_the_tree_are_refused_and_nothing_stays() {
    let Some(world) = World::new() else { return };
    for destination in ["/etc/passwd", "../../outside", ".git/config"] {
        world.link("origin/link", destination);
        let revision = world.commit("link");
        let (repository, _) = world.fetch(&world.origin(""));
        let error = repository.lay_out(&revision, &world.path("laid")).unwrap_err();
        assert!(matches!(&error, LayoutError::Link { destination: to, .. } if to == destination), "{error}");
        assert!(!world.path("laid").exists());
        fs::remove_file(world.path("origin/link")).unwrap();
    }
}

#[test]
fn no_hook_filter_or_helper_of_a_repository_runs() {
    let Some(world) = World::new() else { return };
    let ran = world.path("ran");
    let script = format!("touch {}", ran.display());
    world.file("origin/.gitattributes", "* filter=evil ident\n");
    world.file("origin/flake.nix", "$Id$");
    let revision = world.commit("first");
    for hook in ["post-checkout", "pre-auto-gc", "post-index-change", "reference-transaction"] {
        world.file(&format!("origin/.git/hooks/{hook}"), &format!("#!/bin/sh\n{script}\n"));
        let path = world.path(&format!("origin/.git/hooks/{hook}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for setting in
        ["core.fsmonitor", "filter.evil.smudge", "filter.evil.clean", "core.sshCommand", "uploadpack.packObjectsHook"]
    {
        world.git("origin", &["config", setting, &script]);
    }
    fs::remove_file(&ran).ok();
    let (repository, _) = world.fetch(&world.origin(""));
    repository.lay_out(&revision, &world.path("laid")).unwrap();
    let tree = aux_repo::WorkTree::containing(&world.ours(), &world.path("origin"));
    tree.resolve("HEAD").unwrap();
    tree.copy_to(&world.path("copied")).unwrap();
    assert!(!ran.exists());
    assert!(fs::read_to_string(world.path("copied/flake.nix")).unwrap().starts_with("$Id$"));
}

#[test]
fn a_file_larger_than_the_bound_is_refused_before_it_is_written() {
    let Some(world) = World::new() else { return };
    let file = fs::File::create(world.path("origin/huge")).unwrap();
    file.set_len(aux_core::limits::REPOSITORY_FILE_BYTES_MAX + 1).unwrap();
    let revision = world.commit("huge");
    let (repository, _) = world.fetch(&world.origin(""));
    let error = repository.lay_out(&revision, &world.path("laid")).unwrap_err();
    assert!(matches!(error, LayoutError::Tree(TreeError::FileSize { .. })), "{error}");
    assert!(error.to_string().contains("`huge`") && error.to_string().contains("REPOSITORY_FILE_BYTES_MAX"));
    assert!(!world.path("laid").exists());
}

#[test]
fn a_folder_that_is_no_repository_is_an_error_in_one_line() {
    let Some(world) = World::new() else { return };
    fs::remove_dir_all(world.path("origin/.git")).unwrap();
    let error = aux_repo::fetch(&world.ours(), &world.origin(""), &world.path("cache")).unwrap_err();
    assert!(matches!(error, FetchError::Git(_)));
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    assert!(error.to_string().contains("does not appear to be a git repository"), "{error}");
}

#[test]
fn ssh_is_asked_without_a_prompt_and_with_the_address_alone() {
    let Some(world) = World::new() else { return };
    // What stands in for ssh writes down how it was called; the address is then what must have been passed on.
    let said = world.path("said");
    world.file("bin/ssh", &format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > {}\nexit 255\n", said.display()));
    fs::set_permissions(world.path("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, value)| value).unwrap();
    let path = format!("{}:{}", world.path("bin").display(), path.to_str().unwrap());
    let git = aux_repo::Git::new("git", &[("PATH".into(), path.into())]);
    let target = aux_repo::Target::parse("git+ssh://git@git.example.org:2222/me/fleet.git?ref=main").unwrap().unwrap();
    aux_repo::fetch(&git, &target, &world.path("cache")).unwrap_err();
    let said = fs::read_to_string(said).unwrap();
    let words: Vec<&str> = said.lines().collect();
    assert!(words.contains(&"BatchMode=yes") && words.contains(&"StrictHostKeyChecking=yes"), "{words:?}");
    assert!(words.contains(&"git@git.example.org") && words.contains(&"2222"), "{words:?}");
    assert_eq!(words.last(), Some(&"git-upload-pack '/me/fleet.git'"));
}
