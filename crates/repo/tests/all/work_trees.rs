//! Folders on this machine: their revisions, and the files that belong to them.

use std::fs;

use aux_repo::{LayoutError, WorkTree};

use crate::world::World;

#[test]
fn revisions_are_named_as_git_names_them_and_options_are_none() {
    let Some(world) = World::new() else { return };
    let first = world.commit("first");
    let second = world.commit("second");
    let tree = WorkTree::containing(&world.ours(), &world.path("origin"));
    assert!(tree.is_git() && tree.inside().as_os_str().is_empty());
    for (word, wanted) in [("HEAD", &second), ("HEAD~1", &first), ("main", &second), (first.short(), &first)] {
        assert_eq!(&tree.resolve(word).unwrap(), wanted, "{word}");
    }
    for word in ["", "none", "--all", "-h", "HEAD\n", "HEAD:flake.nix"] {
        assert!(tree.resolve(word).is_err(), "{word}");
    }
}

#[test]
fn a_copy_holds_what_git_tracks_as_it_is_on_disk() {
    let Some(world) = World::new() else { return };
    world.file("origin/sub/flake.nix", "old");
    world.file("origin/gone", "x");
    world.link("origin/link", "sub/flake.nix");
    world.commit("first");
    world.file("origin/sub/flake.nix", "new");
    world.file("origin/untracked", "secret");
    fs::remove_file(world.path("origin/gone")).unwrap();
    let tree = WorkTree::containing(&world.ours(), &world.path("origin/sub"));
    assert_eq!(tree.inside().to_str(), Some("sub"));
    tree.copy_to(&world.path("copy")).unwrap();
    assert_eq!(fs::read_to_string(world.path("copy/link")).unwrap(), "new");
    assert!(!world.path("copy/untracked").exists() && !world.path("copy/gone").exists());
    assert!(!world.path("copy/.git").exists());
}

#[test]
fn a_folder_without_git_is_copied_whole() {
    let Some(world) = World::new() else { return };
    world.file("plain/a/flake.nix", "x");
    let tree = WorkTree::containing(&world.ours(), &world.path("plain"));
    assert!(!tree.is_git());
    assert_eq!(tree.copy_to(&world.path("copy")).unwrap().files, 1);
    assert_eq!(fs::read_to_string(world.path("copy/a/flake.nix")).unwrap(), "x");
}

#[test]
fn a_tracked_file_behind_a_link_out_of_the_tree_is_refused() {
    let Some(world) = World::new() else { return };
    world.file("origin/sub/file", "x");
    world.commit("first");
    fs::remove_dir_all(world.path("origin/sub")).unwrap();
    world.file("outside/file", "secret");
    world.link("origin/sub", world.path("outside"));
    let tree = WorkTree::containing(&world.ours(), &world.path("origin"));
    let error = tree.copy_to(&world.path("copy")).unwrap_err();
    assert!(matches!(error, LayoutError::Tree(_)), "{error}");
}
